"""What api.md says of every answer: headers, envelopes, status codes, paths; and that nothing under /v1/ is HTML."""

from typing import Any

import pytest

from marketdata import quote_book
from tests.api.contract import is_error, is_list, request_id
from tests.api_kit import PAPER, Api
from tests.factories import TokenFactory

pytestmark = pytest.mark.usefixtures("open_market")
RATE_HEADERS = [
    "X-RateLimit-Plan",
    "X-RateLimit-Limit-Minute",
    "X-RateLimit-Remaining-Minute",
    "X-RateLimit-Limit-Day",
    "X-RateLimit-Remaining-Day",
]


@pytest.mark.usefixtures("within_one_window")
class TestHeaders:
    @pytest.mark.parametrize(
        "path", [PAPER, f"{PAPER}x/", "/v1/nowhere/", "/v1/status/", "/v1/market/clock/", "/v1/openapi.json"]
    )
    def test_request_id_is_on_every_answer(self, api: Api, path: str) -> None:
        first, second = api.get(path), api.get(path)
        assert request_id(first.headers["X-Request-ID"])
        assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]

    @pytest.mark.parametrize("path", [PAPER, f"{PAPER}x/", "/v1/market/clock/"])
    def test_rate_limit_headers(self, api: Api, path: str) -> None:
        headers = api.get(path).headers
        for name in RATE_HEADERS:
            assert headers[name], name
        for window in ("Minute", "Day"):
            for kind in ("Limit", "Remaining"):
                value = headers[f"X-RateLimit-{kind}-{window}"]
                assert value == "unlimited" or value.isdigit()

    def test_they_count_down(self, api: Api, settings: Any) -> None:
        settings.PAPERTRADE_RATE_LIMIT_MINUTE = 100
        left = [int(api.get(PAPER).headers["X-RateLimit-Remaining-Minute"]) for _ in range(2)]
        assert left == [99, 98]

    def test_too_many_requests(self, api: Api, settings: Any) -> None:
        settings.PAPERTRADE_RATE_LIMIT_MINUTE = 1
        responses = [api.get(PAPER) for _ in range(4)]
        refused = responses[-1]
        is_error(refused, 429, "rate_limit_exceeded")
        assert int(refused.headers["Retry-After"]) == 30, "until the next minute"
        for name in RATE_HEADERS:
            assert name in refused.headers

    def test_limits_are_per_key(self, api: Api, settings: Any) -> None:
        settings.PAPERTRADE_RATE_LIMIT_MINUTE = 1
        for _ in range(3):
            api.get(PAPER)
        assert Api(TokenFactory()).get(PAPER).status_code == 200

    def test_no_limit_is_the_word_unlimited(self, api: Api, settings: Any) -> None:
        settings.PAPERTRADE_RATE_LIMIT_MINUTE = settings.PAPERTRADE_RATE_LIMIT_DAY = None
        headers = api.get(PAPER).headers
        assert {headers[name] for name in RATE_HEADERS[1:]} == {"unlimited"}


class TestErrors:
    @pytest.mark.parametrize("path", ["/v1/nowhere/", "/v1/paper/", "/v1/paper/accounts", "/v1/%00/", "/v1/../../etc/"])
    def test_404_of_an_unknown_route(self, api: Api, path: str) -> None:
        is_error(api.get(path), 404, "not_found")

    @pytest.mark.parametrize(
        ("method", "path"), [("PUT", PAPER), ("DELETE", PAPER), ("POST", "/v1/market/clock/"), ("PATCH", "/v1/status/")]
    )
    def test_405(self, market_api: Api, method: str, path: str) -> None:
        is_error(market_api.request(method, path, {}), 405, "method_not_allowed")

    @pytest.mark.parametrize(
        "content_type",
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/xml"],
    )
    def test_415(self, api: Api, content_type: str) -> None:
        is_error(api.request("POST", PAPER, "name=x", content_type=content_type), 415, "unsupported_media_type")

    def test_413(self, api: Api) -> None:
        is_error(api.post(PAPER, '{"name": "' + "x" * 3_000_000 + '"}'), 413, "payload_too_large")

    def test_500_keeps_its_secrets(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(**_: Any) -> None:
            raise RuntimeError("the password is swordfish")

        monkeypatch.setattr("papertrade.api.paper.accounts.open_account", broken)
        response = api.post(PAPER, {})
        assert response.status_code == 500
        assert b"swordfish" not in response.content
        assert response.json()["status"] == "ERROR"
        assert response.headers["Content-Type"].startswith("application/json")

    def test_503_may_be_retried(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        from django.db import OperationalError

        def busy(**_: Any) -> None:
            raise OperationalError("canceling statement due to lock timeout")

        monkeypatch.setattr("papertrade.api.paper.accounts.open_account", busy)
        response = api.post(PAPER, {})
        is_error(response, 503, "unavailable")
        assert response.headers["Retry-After"]

    def test_503_while_the_quote_book_is_lost(self, api: Api) -> None:

        account_id = api.open_account()
        quote_book.clear()
        is_error(api.order(account_id), 503, "unavailable")
        assert is_list(api.get(f"{account_id}/orders/")) == []


class TestPaths:
    @pytest.mark.parametrize("path", ["/v1/paper/accounts", "/v1/market/clock", "/v1/status"])
    def test_no_redirects(self, api: Api, path: str) -> None:
        is_error(api.get(path), 404, "not_found")

    @pytest.mark.parametrize("accept", ["text/html", "text/html,application/xhtml+xml", "*/*", "image/png"])
    def test_never_html(self, api: Api, accept: str) -> None:
        for path in (PAPER, "/v1/nowhere/", f"{PAPER}x/", "/v1/status/"):
            response = api.request("GET", path, headers={"Accept": accept})
            assert "html" not in response.headers["Content-Type"], (path, accept)
            assert not response.content.lstrip().startswith(b"<")


class TestOpenApi:
    def test_it_works_without_a_key(self) -> None:
        response = Api(None).get("/v1/openapi.json")
        assert response.status_code == 200
        schema = response.json()
        assert schema["openapi"].startswith("3.1")
        assert "/v1/paper/accounts/{account_id}/orders/" in schema["paths"]

    def test_every_address_is_in_it(self) -> None:
        from papertrade.api.urls import urlpatterns

        paths = Api(None).get("/v1/openapi.json").json()["paths"]
        known = {str(pattern.pattern).replace("<str:", "{").replace(">", "}") for pattern in urlpatterns}
        missing = {path for path in known if f"/v1/{path}" not in paths}
        assert missing <= {"", "openapi.json", "paper/accounts/{account_id}/orders:by_client_order_id/"}

    def test_a_short_guide_for_agents(self) -> None:
        response = Api(None).get("/llms.txt")
        assert response.status_code == 200
        assert b"/v1/paper/accounts/" in response.content

    def test_browsable_docs_work_offline(self) -> None:
        response = Api(None).get("/docs/")
        assert response.status_code == 200
        assert b"https://cdn" not in response.content and b"//unpkg" not in response.content
