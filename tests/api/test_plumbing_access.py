"""Who may do what: every call with no key, a bad one, a revoked one, a stranger's, and one of another scope.

The calls are taken from the OpenAPI document, so that a new one is in the matrix before anybody thinks of it.
"""

from typing import Any

import pytest
from django.test import Client

from accounts.models import ApiKey
from accounts.services import revoke_key
from tests.api.contract import is_account_and_summary, is_error, is_list
from tests.api.openapi import TruthfulApi, document
from tests.api_kit import PAPER, Api
from tests.factories import TokenFactory, UserFactory

pytestmark = pytest.mark.usefixtures("open_market")

NEEDS_NO_KEY = {"/v1/status/"}
NEEDS_MARKET = {("POST", "/v1/market/clock/advance/"), ("POST", "/v1/market/quotes/")}
CALLS_IN_API_MD = 29  # those that need a key, without the hosted product's market data
ORDER = {"symbol": "IBM", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


@pytest.fixture
def owned(api: Api) -> dict[str, str]:
    """What the trader has, by the name of the path's parameter."""
    account = api.open_account()
    return {"account_id": account, "order_id": api.buy(account)["id"], "symbol": "IBM"}


def calls() -> list[tuple[str, str]]:
    """Every (method, path template) that needs a key."""
    paths = document()["paths"].items()
    return [(method.upper(), path) for path, methods in paths if path not in NEEDS_NO_KEY for method in methods]


def send(client: Api, method: str, template: str, owned: dict[str, str]) -> Any:
    query = {"client_order_id": "x"} if "by_client_order_id" in template else {}
    body = ORDER if method == "POST" and "orders/" in template else {}
    return client.request(method, template.format(**owned), None if method == "GET" else body, query=query)


def test_the_matrix_has_every_call() -> None:
    assert len(calls()) >= CALLS_IN_API_MD


@pytest.mark.parametrize("bad", ["none", "unknown", "revoked", "secret of another", "inactive user", "not a token"])
def test_no_call_without_a_live_key(owned: dict[str, str], trader: Any, bad: str) -> None:
    client = TruthfulApi(_bad_token(bad, trader))
    for method, path in calls():
        response = send(client, method, path, owned)
        is_error(response, 401, "unauthorized")
        assert response.headers["WWW-Authenticate"].startswith("Bearer"), (method, path)
        assert response.headers["X-RateLimit-Plan"]


def _bad_token(bad: str, trader: Any) -> str | None:
    token = TokenFactory(user=trader)
    if bad == "revoked":
        revoke_key(user=trader, key_id=ApiKey.objects.get(prefix=token[3:15]).pk)
    if bad == "inactive user":
        trader.is_active = False
        trader.save()
    other = {"none": None, "unknown": "cm_" + "x" * 55, "secret of another": token[:15] + TokenFactory()[15:]}
    return {**other, "not a token": "cm_\x00\x01"}.get(bad, token)


@pytest.mark.parametrize("header", ["Basic Y206", "Bearer", "Bearer a b", "bearer", "Token cm_x"])
def test_another_scheme_is_no_key(header: str) -> None:
    is_error(Api(None).request("GET", PAPER, headers={"Authorization": header}), 401, "unauthorized")


def test_a_stranger_finds_nothing(owned: dict[str, str]) -> None:
    stranger = TruthfulApi(TokenFactory(scopes=["paper", "market"]))
    for method, path in calls():
        if "{account_id}" in path:
            is_error(send(stranger, method, path, owned), 404, "not_found")
    assert is_list(stranger.get(PAPER)) == []


def test_a_stranger_changed_nothing(api: Api, owned: dict[str, str]) -> None:
    before = [api.get(f"{owned['account_id']}/{path}").json() for path in ("", "account/", "positions/")]
    test_a_stranger_finds_nothing(owned)
    after = [api.get(f"{owned['account_id']}/{path}").json() for path in ("", "account/", "positions/")]
    assert [_without_request(body) for body in after] == [_without_request(body) for body in before]


def _without_request(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != "request_id"}


def test_a_market_key_does_not_trade(owned: dict[str, str], trader: Any) -> None:
    client = TruthfulApi(TokenFactory(user=trader, scopes=["market"]))
    for method, path in calls():
        if path.startswith(PAPER):
            is_error(send(client, method, path, owned), 403, "forbidden")


def test_a_paper_key_reads_the_market_and_does_not_move_it(api: Api, owned: dict[str, str]) -> None:
    for method, path in NEEDS_MARKET:
        response = send(api, method, path, owned)
        is_error(response, 403, "forbidden")
        assert response.headers["X-RateLimit-Limit-Minute"]
    for path in ("/v1/market/clock/", "/v1/market/calendar/", "/v1/market/quotes/?symbols=IBM"):
        assert api.request("GET", path).status_code == 200


def test_a_refused_request_is_counted_too(api: Api, settings: Any) -> None:
    settings.PAPERTRADE_RATE_LIMIT_DAY = 2
    for _ in range(2):
        is_error(api.post("/v1/market/clock/advance/", {"seconds": 1}), 403, "forbidden")
    is_error(api.post("/v1/market/clock/advance/", {"seconds": 1}), 429, "rate_limit_exceeded")


class TestDashboardSession:
    """The cookie of the dashboard on the same endpoints; what changes something needs the CSRF token as well."""

    @pytest.fixture
    def browser(self, trader: Any) -> Client:
        client = Client(enforce_csrf_checks=True)
        client.force_login(trader)
        return client

    def test_it_reads(self, browser: Client, owned: dict[str, str]) -> None:
        assert [row["id"] for row in is_list(browser.get(PAPER))] == [owned["account_id"]]

    @pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain"])
    def test_a_forged_form_changes_nothing(self, browser: Client, content_type: str) -> None:
        is_error(browser.post(PAPER, b"{}", content_type=content_type), 403, "forbidden")
        assert is_list(browser.get(PAPER)) == []

    def test_with_the_token_it_writes(self, browser: Client) -> None:
        token = "t" * 32
        browser.cookies["csrftoken"] = token
        headers = {"X-CSRFToken": token}
        is_account_and_summary(browser.post(PAPER, b"{}", content_type="application/json", headers=headers), 201)

    def test_only_staff_moves_the_market(self, trader: Any) -> None:
        for user, status in ((trader, 403), (UserFactory(is_staff=True), 200)):
            client = Client()
            client.force_login(user)
            body = '{"seconds": 1}'
            response = client.post("/v1/market/clock/advance/", body, content_type="application/json")
            assert response.status_code == status, response.content
