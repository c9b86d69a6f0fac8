"""Every endpoint, from the URL table, against every wrong hand: no key, a bad key, a revoked one, somebody else's, no scope.

401, 403 or 404 and never data; a new endpoint is in the matrix as soon as it is in the URL table. Those that need no key, or
any key, are named here and nowhere else.
"""

from typing import Any
from uuid import uuid4

import psycopg
import pytest

from accounts.models import ApiKey, User
from accounts.services import revoke_key
from papertrade.lib.batch import Batch
from tests.api.contract import is_error
from tests.api.standing import owner, trader
from tests.api.test_hostile import addresses, stored
from tests.api_kit import MARKET_PLACES, PAPER, Api
from tests.factories import TokenFactory, UserFactory

__all__ = ["owner", "trader"]

PUBLIC = {"/v1/", "/v1/status/", "/v1/openapi.json"}
ANY_KEY_READS = "/v1/market/", "/v1/stocks/", "/v1/options/", "/v1/tickers/", "/v1/<str:product>/"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
BODY = {
    "orders/": {"symbol": "IBM", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"},
    "preview/": {"symbol": "IBM", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"},
    "reset/": {"confirm": True},
    "advance/": {"seconds": 5},
    "quotes/": {"quotes": []},
    "symbols/": {"symbol": "IBM"},
    "generations/<str:generation>/": {"note": "taken over"},
    "/": {"name": "taken over"},
}
CODE = {401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}

pytestmark = [
    pytest.mark.usefixtures("db"),
    pytest.mark.parametrize("address", [address for address in addresses() if address not in PUBLIC]),
]


@pytest.fixture(scope="module")
def places(owner: User) -> dict[str, str]:
    """Real things of a real owner, by their place in an address."""
    api = Api(TokenFactory(user=owner))
    account_id = api.open_account(name="mine")
    api.buy(account_id, qty="10")
    order = api.buy(account_id, type="limit", limit_price="50")
    watchlist = api.post(f"{account_id}/watchlists/", {"name": "mine", "symbols": ["IBM"]}).json()
    return {
        **{f"<str:{place}>": value for place, value in MARKET_PLACES.items()},
        "<str:account_id>": account_id,
        "<str:order_id>": order["id"],
        "<str:generation>": "1",
        "<str:watchlist_id>": watchlist["id"],
    }


def call(token: str | None, method: str, address: str, places: dict[str, str]) -> Any:
    """A request that would do something in the right hands."""
    body = next((body for ending, body in BODY.items() if address.endswith(ending)), {})
    query = {"client_order_id": "x"} if "by_client_order_id" in address else {}
    if address.endswith("/compare/"):
        query = {"runs": places["<str:account_id>"]}
    for place, value in places.items():
        address = address.replace(place, value)
    return Api(token).request(method, address, body if method in ("POST", "PATCH", "PUT") else None, query=query)


def refused(
    token: str | None, address: str, places: dict[str, str], status: int, methods: tuple[str, ...] = METHODS
) -> None:
    """Each method answers an error envelope of this status, and nothing changes. 405 tells nobody anything."""
    before = stored()
    for method in methods:
        response = call(token, method, address, places)
        assert response.status_code in (status, 405), (method, response.status_code, response.content)
        is_error(response, response.status_code, CODE[response.status_code])
        if response.status_code == 401:
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert stored() == before


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the database is asked, without the values: what the time of a refusal is made of, and no stopwatch."""
    asked: list[str] = []

    def remembering(execute: Any) -> Any:
        def remember(to: Any, query: Any, *arguments: Any, **options: Any) -> Any:
            asked.append(str(query))
            return execute(to, query, *arguments, **options)

        return remember

    for kind in (psycopg.Cursor, Batch):
        monkeypatch.setattr(kind, "execute", remembering(kind.execute))
    return asked


def alike(asked: list[str], *requests: tuple[Any, ...]) -> None:
    """All requests ask the database the same, one for one, and something."""
    sent = []
    for request in requests:
        asked.clear()
        call(*request)
        sent.append(list(asked))
    assert [] != sent[0] == sent[1]


@pytest.mark.parametrize(
    "token", [None, "cm_" + "0" * 55, "nonsense", "cm_"], ids=["no key", "bad key", "no token", "half a key"]
)
def test_no_key_or_a_bad_one(places: dict[str, str], address: str, token: str | None) -> None:
    refused(token, address, places, 401)


def test_a_revoked_key(places: dict[str, str], trader: Any, address: str) -> None:
    token = TokenFactory(user=trader, scopes=["paper", "market"], name="gone")
    revoke_key(user=trader, key_id=ApiKey.objects.get(name="gone").pk)
    refused(token, address, places, 401)


def test_the_key_of_a_user_who_is_not_active_any_more(places: dict[str, str], trader: Any, address: str) -> None:
    token = TokenFactory(user=trader, scopes=["paper", "market"])
    trader.is_active = False
    trader.save()
    refused(token, address, places, 401)


def test_somebody_else_s_key(places: dict[str, str], address: str) -> None:
    if "<str:account_id>" in address:  # nothing else belongs to anybody
        refused(TokenFactory(user=UserFactory(), scopes=["paper", "market"]), address, places, 404)


def test_missing_and_somebody_else_s_take_the_same_time(
    places: dict[str, str], address: str, statements: list[str]
) -> None:
    if "<str:account_id>" in address:
        token = TokenFactory(user=UserFactory(), scopes=["paper", "market"])
        Api(token).get(PAPER)  # the first use of a key is noted
        missing = places | {"<str:account_id>": str(uuid4())}
        for method in METHODS:
            alike(statements, (token, method, address, missing), (token, method, address, places))


def test_a_bad_key_and_a_revoked_one_take_the_same_time(
    places: dict[str, str], trader: Any, address: str, statements: list[str]
) -> None:
    revoked = TokenFactory(user=trader, scopes=["paper", "market"], name="gone")
    revoke_key(user=trader, key_id=ApiKey.objects.get(name="gone").pk)
    for method in METHODS:
        alike(statements, (revoked, method, address, places), ("cm_" + "0" * 55, method, address, places))


def test_a_key_of_the_wrong_scope(places: dict[str, str], trader: Any, address: str) -> None:
    of_the_market = address.startswith(ANY_KEY_READS)
    token = TokenFactory(user=trader, scopes=["paper" if of_the_market else "market"])
    refused(token, address, places, 403, tuple(method for method in METHODS if not of_the_market or method != "GET"))


def test_any_valid_key_reads_the_market(places: dict[str, str], trader: Any, address: str) -> None:
    if address.startswith(ANY_KEY_READS) and not address.endswith("advance/"):
        for scope in ("paper", "market"):
            assert call(TokenFactory(user=trader, scopes=[scope]), "GET", address, places).status_code in (
                200,
                400,
                404,
            )
