"""When a part is away: nothing is refused that can be answered, and what cannot be says so and may be sent again."""

from typing import Any

import pytest
from django.db import InterfaceError, OperationalError, connection

from papertrade.lib import valkey
from tests.api.contract import is_error, is_list
from tests.api_kit import PAPER, Api

pytestmark = pytest.mark.usefixtures("open_market")


@pytest.fixture
def valkey_away(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """A quote book that nobody listens at."""
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(valkey, "_client", None)


def test_without_valkey_requests_are_answered_uncounted(api: Api, settings: Any, valkey_away: None) -> None:
    settings.PAPERTRADE_RATE_LIMIT_MINUTE = 1
    for _ in range(3):
        response = api.get(PAPER)
        assert is_list(response) == []
        assert response.headers["X-RateLimit-Limit-Minute"] == "1"


def test_without_valkey_what_needs_quotes_may_be_retried(api: Api, valkey_away: None) -> None:
    account = api.open_account()
    for response in (api.order(account), api.get("/v1/market/quotes/", symbols="IBM")):
        is_error(response, 503, "unavailable")
        assert response.headers["Retry-After"] == "1"
    assert is_list(api.get(f"{account}/orders/")) == []


def test_the_status_says_which_part_is_away(valkey_away: None) -> None:
    response = Api(None).get("/v1/status/")
    assert response.status_code == 200
    assert response.json()["status"] == "degraded"
    assert response.json()["services"]["valkey"]["status"] == "down"
    assert response.json()["services"]["database"]["status"] == "ok"


@pytest.mark.parametrize("error", [OperationalError("the server closed the connection"), InterfaceError("closed")])
def test_without_the_database_every_call_may_be_retried(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse() -> None:
        raise error

    for path in (PAPER, "/v1/market/clock/"):
        with monkeypatch.context() as patch:  # not longer: the tear-down needs the database
            patch.setattr(connection, "ensure_connection", refuse)
            response = api.get(path)
        is_error(response, 503, "unavailable")
        assert response.headers["Retry-After"] == "1"


def test_what_an_agent_reads_first_is_there_without_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OperationalError("the server closed the connection")

    with monkeypatch.context() as patch:
        patch.setattr(connection, "ensure_connection", refuse)
        response = Api(None).get("/llms.txt")
    assert response.status_code == 200 and "Authorization: Bearer" in response.content.decode()


def test_a_host_that_is_not_served_gets_json_and_a_hint(api: Api) -> None:
    response = api.request("GET", PAPER, headers={"Host": "evil.example"})
    is_error(response, 400, "bad_request")
    assert "PAPERTRADE_ALLOWED_HOSTS" in response.json()["error"]["message"]
