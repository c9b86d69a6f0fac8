"""/v1/paper/accounts/{id}/watchlists/: named lists of symbols, kept with an account."""

from typing import Any

import pytest

from accounts import watchlists
from accounts.models import Watchlist
from accounts.watchlists import MAX_SYMBOLS
from marketdata.markets.current import current_market, drop_market
from marketdata.models import MarketClock
from papertrade.lib.errors import NotFound
from tests.api.contract import is_error, is_list, is_object, string, uuid7
from tests.api_kit import Api
from tests.market_kit import CALL, at

pytestmark = pytest.mark.usefixtures("open_market")
LIST = {"id": uuid7, "name": string, "symbols": lambda value: isinstance(value, list)}


@pytest.fixture
def lists(api: Api) -> str:
    """Where the lists of a new account are."""
    return f"{api.open_account()}/watchlists/"


def make(api: Api, lists: str, name: str = "Tech", *symbols: str) -> str:
    """Where a new list is."""
    return f"{lists}{is_object(api.post(lists, {'name': name, 'symbols': list(symbols)}), LIST, 201)['id']}/"


def test_it_works(api: Api, lists: str) -> None:
    assert is_list(api.get(lists)) == []
    one = make(api, lists, "Tech", "ibm", CALL, "IBM")
    assert is_object(api.get(one), LIST)["symbols"] == ["IBM", CALL]
    assert [row["name"] for row in is_list(api.get(lists), LIST)] == ["Tech"]
    assert is_object(api.patch(one, {"name": "Old tech"}), LIST)["symbols"] == ["IBM", CALL]
    assert is_object(api.patch(one, {"symbols": [CALL]}), LIST)["name"] == "Old tech"
    assert api.delete(one).status_code == 204
    assert is_list(api.get(lists)) == []


def test_what_comes_after_many_repetitions_is_on_the_list_too(api: Api, lists: str) -> None:
    one = make(api, lists, "Tech", *["IBM"] * (MAX_SYMBOLS + 1), CALL)
    assert is_object(api.get(one), LIST)["symbols"] == ["IBM", CALL]


def test_one_symbol_more_and_one_less(api: Api, lists: str) -> None:
    """Either way again changes nothing, so that both may be sent twice."""
    one = make(api, lists)
    for _ in range(2):
        assert is_object(api.post(f"{one}symbols/", {"symbol": "ibm"}), LIST)["symbols"] == ["IBM"]
    for _ in range(2):
        assert is_object(api.delete(f"{one}symbols/ibm/"), LIST)["symbols"] == []
    assert is_object(api.delete(f"{one}symbols/NO-SUCH/"), LIST)["symbols"] == []


def test_pages(api: Api, lists: str) -> None:
    for name in ("a", "b", "c"):
        make(api, lists, name)
    assert [row["name"] for row in api.all(lists, limit=2)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"), ({"name": ""}, "name"), ({"name": 5}, "name"), ({"name": "x" * 101}, "name"),
        ({"name": "a", "symbols": "IBM"}, "symbols"), ({"name": "a", "symbols": [5]}, "symbols"),
        ({"name": "a", "symbols": ["not a symbol"]}, "symbols"),
        ({"name": "a", "symbols": ["IBM"] * (MAX_SYMBOLS + 1) }, ""), ({"name": "a", "colour": "red"}, "colour"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_list(api: Api, lists: str, body: dict[str, Any], field: str) -> None:
    if not field:  # each symbol counts once
        assert is_object(api.post(lists, body), LIST, 201)["symbols"] == ["IBM"]
        return
    assert field in is_error(api.post(lists, body), 400, "bad_request")
    assert is_list(api.get(lists)) == []


def test_a_symbol_that_the_market_does_not_have(api: Api, lists: str, settings: Any) -> None:
    one = make(api, lists)
    settings.PAPERTRADE_MARKET, settings.PAPERTRADE_START = "simulated", at("2026-05-15T13:00:00Z")
    MarketClock.objects.all().delete()
    drop_market()
    current_market().start()
    for refused in (
        api.post(lists, {"name": "b", "symbols": ["ZZZZ"]}),
        api.patch(one, {"symbols": ["ZZZZ"]}),
        api.post(f"{one}symbols/", {"symbol": "ZZZZ"}),
    ):
        assert is_error(refused, 422, "unknown_symbol") == {"symbol": "ZZZZ"}
    for body in ({}, {"symbol": None}, {"symbol": ["IBM"]}, {"symbol": "not a symbol"}):
        assert "symbol" in is_error(api.post(f"{one}symbols/", body), 400, "bad_request")
    assert api.get(one).json()["symbols"] == []


def test_a_name_is_there_once(api: Api, lists: str) -> None:
    one, two = make(api, lists, "a"), make(api, lists, "b")
    assert is_error(api.post(lists, {"name": "a"}), 409, "conflict") == {"watchlist_id": one.split("/")[-2]}
    is_error(api.patch(two, {"name": "a"}), 409, "conflict")
    assert [row["name"] for row in is_list(api.get(lists))] == ["a", "b"]


def test_a_list_that_is_not_there(api: Api, lists: str) -> None:
    one = make(api, lists)
    api.delete(one)
    for response in (
        api.get(one),
        api.patch(one, {"name": "x"}),
        api.delete(one),
        api.post(f"{one}symbols/", {"symbol": "IBM"}),
    ):
        is_error(response, 404, "not_found")
    is_error(api.get(f"{lists}x/"), 404, "not_found")


def test_of_two_changes_at_once_neither_is_lost(api: Api, lists: str) -> None:
    make(api, lists, "a")
    read_before = Watchlist.objects.get()
    watchlists.add(Watchlist.objects.get(), ["IBM"])
    assert watchlists.change(read_before, name="b").symbols == ["IBM"]


def test_a_list_that_was_deleted_meanwhile_does_not_come_back(api: Api, lists: str) -> None:
    one = make(api, lists, "a")
    read_before = Watchlist.objects.get()
    api.delete(one)
    with pytest.raises(NotFound):
        watchlists.change(read_before, name="b")
    assert is_list(api.get(lists)) == []
