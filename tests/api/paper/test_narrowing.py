"""Calls that cancel or list some orders and not others; the cap on those that wait; orders meant for one generation."""

import itertools
from typing import Any

import pytest

from marketdata.clock import MarketIsBehind
from orders import services
from tests.api.contract import ORDER, is_error, is_list
from tests.api_kit import Api
from tests.market_kit import CALL, MarketKit

pytestmark = pytest.mark.usefixtures("open_market")
LIMIT = {"type": "limit", "limit_price": "50"}


@pytest.fixture
def account_id(api: Api) -> str:
    return api.open_account()


@pytest.fixture
def waiting(api: Api, account_id: str) -> dict[str, str]:
    """Open orders by a name: three buys of three symbols, a sell."""
    api.buy(account_id, qty="10")
    return {
        "ibm": api.buy(account_id, **LIMIT)["id"],
        "msft": api.buy(account_id, symbol="MSFT", **LIMIT)["id"],
        "call": api.buy(account_id, symbol=CALL, type="limit", limit_price="1")["id"],
        "sell": api.sell(account_id, type="limit", limit_price="200")["id"],
    }


class TestCancelSome:
    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ({}, {"ibm", "msft", "call", "sell"}),
            ({"symbol": "IBM"}, {"ibm", "sell"}),
            ({"symbol": "ibm"}, {"ibm", "sell"}),
            ({"symbols": f"IBM,{CALL}"}, {"ibm", "call", "sell"}),
            ({"side": "sell"}, {"sell"}),
            ({"symbol": "IBM", "side": "buy"}, {"ibm"}),
            ({"symbol": "AAPL"}, set()),
            ({"symbol": "IBM", "symbols": "MSFT"}, set()),
        ],
        ids=lambda value: str(sorted(value) if isinstance(value, set) else value),  # the same in every process
    )
    def test_it_works(self, api: Api, account_id: str, waiting: dict, query: dict[str, str], names: set[str]) -> None:
        canceled = {row["id"] for row in is_list(api.delete(f"{account_id}/orders/", **query), ORDER)}
        assert canceled == {waiting[name] for name in names}
        left = {row["id"] for row in is_list(api.get(f"{account_id}/orders/", status="open"))}
        assert left == set(waiting.values()) - canceled

    @pytest.mark.parametrize(
        "query", [{"sybmol": "IBM"}, {"status": "open"}, {"symbol": ""}, {"symbol": "!"}, {"side": "short"}], ids=str
    )
    def test_what_is_not_known_cancels_nothing(self, api: Api, account_id: str, waiting: dict, query: dict) -> None:
        details = is_error(api.delete(f"{account_id}/orders/", **query), 400, "bad_request")
        assert list(details) == list(query)
        assert len(is_list(api.get(f"{account_id}/orders/", status="open"))) == len(waiting)

    def test_in_chunks(self, api: Api, account_id: str, waiting: dict, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(services, "CANCEL_CHUNK", 3)
        assert len(is_list(api.delete(f"{account_id}/orders/"))) == len(waiting)
        assert is_list(api.get(f"{account_id}/orders/", status="open")) == []

    def test_that_gets_no_further_it_says_how_far_it_got(
        self, api: Api, account_id: str, waiting: dict, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(services, "CANCEL_CHUNK", 3)
        with_book, calls = services.with_book, itertools.count()

        def busy_then(*arguments: Any) -> Any:
            if next(calls) == 1:
                raise MarketIsBehind("An open is about to be done; nothing was stored.")
            return with_book(*arguments)

        monkeypatch.setattr(services, "with_book", busy_then)
        response = api.delete(f"{account_id}/orders/")
        is_error(response, 503, "unavailable")
        assert response.json()["error"]["message"].startswith("3 orders were canceled; ")
        assert len(is_list(api.delete(f"{account_id}/orders/"))) == len(waiting) - 3


class TestListSome:
    @pytest.mark.parametrize("symbols", ["IBM,MSFT", "ibm,msft", "IBM, MSFT", "MSFT,IBM,IBM"])
    def test_several_symbols_in_any_case(self, api: Api, account_id: str, waiting: dict, symbols: str) -> None:
        rows = is_list(api.get(f"{account_id}/orders/", status="open", symbols=symbols))
        assert [row["symbol"] for row in rows] == ["IBM", "MSFT", "IBM"]

    def test_oldest_first(self, api: Api, account_id: str, waiting: dict) -> None:
        newest = api.all(f"{account_id}/orders/")
        assert api.all(f"{account_id}/orders/", direction="asc", limit=2) == list(reversed(newest))

    def test_what_changed_since(self, api: Api, account_id: str, waiting: dict, open_market: MarketKit) -> None:
        open_market.advance("14:00:10")
        api.delete(f"{account_id}/orders/{waiting['msft']}/")
        rows = is_list(api.get(f"{account_id}/orders/", updated_after="2013-10-07T14:00:05Z"))
        assert [row["id"] for row in rows] == [waiting["msft"]]

    @pytest.mark.parametrize(
        ("query", "number"),
        [
            ({"after": "2013-10-07", "until": "2013-10-07"}, 5),
            ({"until": "2013-10-07"}, 5),
            ({"until": "2013-10-06"}, 0),
            ({"after": "2013-10-08"}, 0),
            ({"after": "2013-10-07T14:00:00Z"}, 0),
        ],
        ids=str,
    )
    def test_a_date_is_a_whole_day_in_new_york(
        self, api: Api, account_id: str, waiting: dict, query: dict[str, str], number: int
    ) -> None:
        assert len(is_list(api.get(f"{account_id}/orders/", **query))) == number

    def test_a_time_without_a_zone_is_refused_with_the_zone(self, api: Api, account_id: str) -> None:
        response = api.get(f"{account_id}/orders/", after="2013-10-07T14:00:00")
        is_error(response, 400, "bad_request")
        assert "2013-10-07T14:00:00Z" in response.json()["error"]["message"]


class TestOpenOrdersCap:
    @pytest.fixture(autouse=True)
    def two_may_wait(self, settings: Any) -> None:
        settings.PAPERTRADE_MAX_OPEN_ORDERS = 2

    def test_one_more_that_would_wait_is_refused(self, api: Api, account_id: str) -> None:
        first = api.buy(account_id, **LIMIT)
        api.buy(account_id, **LIMIT)
        before = api.summary(account_id)
        details = is_error(api.order(account_id, **LIMIT), 422, "too_many_open_orders")
        assert details == {"limit": 2}
        preview = api.post(f"{account_id}/orders/preview/", {"symbol": "IBM", "qty": "1", "side": "buy", **LIMIT})
        is_error(preview, 422, "too_many_open_orders")
        assert api.summary(account_id) == before, "nothing was held"
        assert api.buy(account_id)["status"] == "filled", "what fills at once waits for nothing"
        api.delete(f"{account_id}/orders/{first['id']}/")
        api.buy(account_id, **LIMIT)

    def test_an_account_s_own(self, api: Api, account_id: str) -> None:
        for _ in range(2):
            api.buy(account_id, **LIMIT)
        api.buy(api.open_account(), **LIMIT)

    def test_everybody_may_know_it(self) -> None:
        assert Api(None).get("/v1/status/").json()["limits"]["open_orders"] == 2


class TestGeneration:
    def test_a_late_retry_after_a_reset_buys_nothing(self, api: Api, account_id: str) -> None:
        order = {"client_order_id": "once", "generation": 1}
        first = api.buy(account_id, **order)
        assert api.order(account_id, **order).json()["id"] == first["id"]
        api.post(f"{account_id}/reset/", {"confirm": True})
        response = api.order(account_id, **order)
        assert is_error(response, 409, "generation_not_current") == {"generation": 2}
        assert is_list(api.get(f"{account_id}/orders/")) == []
        assert api.buy(account_id, client_order_id="once", generation=2)["generation"] == 2

    @pytest.mark.parametrize("generation", ["1", 0, -1, 1.5, True, [], 2**40])
    def test_values_that_cannot_be(self, api: Api, account_id: str, generation: Any) -> None:
        assert "generation" in is_error(api.order(account_id, generation=generation), 400, "bad_request")


class TestDefaultsAndSpelling:
    def test_time_in_force_is_day_where_it_is_left_out(self, api: Api, account_id: str) -> None:
        assert api.buy(account_id, time_in_force=None)["time_in_force"] == "day"

    @pytest.mark.parametrize("symbol", ["ibm", "Ibm", CALL.lower()])
    def test_symbols_in_any_case(self, api: Api, account_id: str, symbol: str) -> None:
        assert api.buy(account_id, symbol=symbol)["symbol"] == symbol.upper()

    @pytest.mark.parametrize(
        ("symbol", "meant"),
        [
            ("IBM131019C00100000", CALL),
            ("IBM   131019C00100000", CALL),
            ("O:IBM  131019C00100000", CALL),
            ("BRK/B", "BRK.B"),
            ("BRK-B", "BRK.B"),
            ("O:BRK.B131019C00100000", "O:BRKB131019C00100000"),
            ("ibm131019c00100000", CALL),
        ],
    )
    def test_the_spelling_that_was_meant(self, api: Api, account_id: str, symbol: str, meant: str) -> None:
        response = api.order(account_id, symbol=symbol)
        is_error(response, 400, "bad_request")
        assert response.json()["error"]["message"].endswith(f"write {meant}.")

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"qty": "-1", "side": "hold"}, ["qty: must be greater than 0", "side: must be one of buy, sell"]),
            ({"type": "sometimes"}, ["type: must be one of limit, market."]),
            ({"time_in_force": "x"}, ["time_in_force: must be one of day, gtc."]),
            ({"quantity": "1"}, ["quantity: unknown field"]),
        ],
    )
    def test_the_message_names_field_and_problem(
        self, api: Api, account_id: str, change: dict, said: list[str]
    ) -> None:
        message = api.order(account_id, **change).json()["error"]["message"]
        assert all(part in message for part in said), message

    def test_of_a_policy_too(self, api: Api) -> None:
        response = api.post("/v1/paper/accounts/", {"policy": {"size_cap": 5}})
        assert "policy.size_cap: must be true or false" in response.json()["error"]["message"]

    @pytest.mark.parametrize(
        ("path", "meant"),
        [
            ("/v1/paper/accounts", "/v1/paper/accounts/"),
            ("/v1/v1/market/clock/", "/v1/market/clock/"),
            ("/v1/v1/paper/accounts", "/v1/paper/accounts/"),
            ("/v1/nowhere/", None),
        ],
    )
    def test_the_address_that_was_meant(self, api: Api, path: str, meant: str | None) -> None:
        error = api.get(path).json()["error"]
        assert error["message"].startswith("There is nothing at this address")
        assert error["details"].get("did_you_mean") == meant
        assert meant is None or error["message"].endswith(meant)
