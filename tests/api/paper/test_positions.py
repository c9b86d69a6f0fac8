"""/v1/paper/accounts/{id}/positions/ and .../positions/{symbol}/, DELETE included."""

from typing import Any

import pytest

from tests.api.contract import ORDER, POSITION, is_error, is_list, is_object
from tests.api_kit import Api
from tests.market_kit import CALL, MarketKit

pytestmark = pytest.mark.usefixtures("open_market")


@pytest.fixture
def account_id(api: Api) -> str:
    return api.open_account()


class TestList:
    def test_it_works(self, api: Api, account_id: str) -> None:
        api.buy(account_id, qty="10")
        api.buy(account_id, symbol=CALL, qty="2")
        api.sell(account_id, qty="4", type="limit", limit_price="200")
        rows = {row["symbol"]: row for row in is_list(api.get(f"{account_id}/positions/"), POSITION)}
        stock, call = rows["IBM"], rows[CALL]
        assert (stock["qty"], stock["qty_available"], stock["asset_class"]) == ("10.000000", "6.000000", "us_equity")
        assert (stock["cost_basis"], stock["market_value"], stock["unrealized_pl"]) == (
            "1001.0000",
            "1000.0000",
            "-1.0000",
        )
        assert (float(stock["avg_entry_price"]), float(stock["market_price"])) == (100.10, 100.00)
        assert (stock["unrealized_plpc"], stock["realized_pl"]) == ("-0.000999", "0.0000")  # -1 / 1001
        # 2 contracts bought at 4.20, marked at the bid of 4.00, times 100
        assert (call["qty"], call["asset_class"]) == ("2.000000", "us_option")
        assert (call["cost_basis"], call["market_value"], call["unrealized_pl"]) == ("840.0000", "800.0000", "-40.0000")
        assert (float(call["avg_entry_price"]), float(call["market_price"])) == (4.20, 4.00)

    def test_empty(self, api: Api, account_id: str) -> None:
        assert is_list(api.get(f"{account_id}/positions/")) == []

    def test_a_flat_one_is_gone(self, api: Api, account_id: str) -> None:
        api.buy(account_id, qty="10")
        api.sell(account_id, qty="10")
        assert is_list(api.get(f"{account_id}/positions/")) == []

    def test_of_an_earlier_generation(self, api: Api, account_id: str) -> None:
        api.buy(account_id, qty="10")
        before = api.get(f"{account_id}/positions/").json()["results"]
        api.post(f"{account_id}/reset/", {"confirm": True})
        [row] = is_list(api.get(f"{account_id}/positions/", generation=1), POSITION)
        assert {**row, "updated_at": ""} == {**before[0], "updated_at": ""}


class TestOne:
    @pytest.mark.parametrize("symbol", ["IBM", CALL])
    def test_it_works(self, api: Api, account_id: str, symbol: str) -> None:
        api.buy(account_id, symbol=symbol)
        position = is_object(api.get(f"{account_id}/positions/{symbol}/"), POSITION)
        assert position == is_list(api.get(f"{account_id}/positions/"))[0]

    @pytest.mark.parametrize("symbol", ["AAPL", "ibm", "nonsense!", "%00"])
    def test_missing(self, api: Api, account_id: str, symbol: str) -> None:
        is_error(api.get(f"{account_id}/positions/{symbol}/"), 404, "not_found")


class TestClose:
    def test_it_works(self, api: Api, account_id: str) -> None:
        api.buy(account_id, qty="10")
        order = is_object(api.delete(f"{account_id}/positions/IBM/"), ORDER, 201)
        assert (order["side"], order["type"], order["qty"], order["status"]) == (
            "sell",
            "market",
            "10.000000",
            "filled",
        )
        assert order["time_in_force"] == "day"
        assert is_list(api.get(f"{account_id}/positions/")) == []
        # bought at 100.10, sold at 100.00
        assert api.summary(account_id)["realized_pl"] == "-1.0000"

    def test_an_option(self, api: Api, account_id: str) -> None:
        api.buy(account_id, symbol=CALL, qty="2")
        order = is_object(api.delete(f"{account_id}/positions/{CALL}/"), ORDER, 201)
        assert (order["status"], order["position_intent"], order["qty"]) == ("filled", "sell_to_close", "2.000000")

    def test_a_part(self, api: Api, account_id: str) -> None:
        api.buy(account_id, qty="10")
        order = is_object(api.delete(f"{account_id}/positions/IBM/", qty="2.5"), ORDER, 201)
        assert (order["qty"], order["status"]) == ("2.500000", "filled")
        assert api.get(f"{account_id}/positions/IBM/").json()["qty"] == "7.500000"

    def test_default_is_all_that_is_available(self, api: Api, account_id: str) -> None:
        api.buy(account_id, qty="10")
        api.sell(account_id, qty="4", type="limit", limit_price="200")
        assert is_object(api.delete(f"{account_id}/positions/IBM/"), ORDER, 201)["qty"] == "6.000000"

    def test_nothing_available(self, api: Api, account_id: str) -> None:
        api.buy(account_id, qty="10")
        api.sell(account_id, qty="10", type="limit", limit_price="200")
        is_error(api.delete(f"{account_id}/positions/IBM/"), 409, "nothing_to_close")

    def test_of_an_archived_account(self, api: Api, account_id: str) -> None:
        api.buy(account_id, qty="10")
        api.delete(f"{account_id}/")
        is_error(api.delete(f"{account_id}/positions/IBM/"), 409, "account_archived")

    def test_while_the_market_is_closed_it_waits(self, api: Api, account_id: str, open_market: MarketKit) -> None:
        api.buy(account_id, qty="10")
        open_market.advance("20:30:00")
        assert is_object(api.delete(f"{account_id}/positions/IBM/"), ORDER, 201)["status"] == "accepted"

    @pytest.mark.parametrize("qty", ["0", "-1", "x", "NaN", "1.0000001", ""])
    def test_a_quantity_that_cannot_be(self, api: Api, account_id: str, qty: str) -> None:
        api.buy(account_id, qty="10")
        is_error(api.delete(f"{account_id}/positions/IBM/", qty=qty), 400, "bad_request")

    def test_no_position(self, api: Api, account_id: str) -> None:
        response = api.delete(f"{account_id}/positions/IBM/")
        assert response.status_code in (404, 409)
        is_error(response, response.status_code, {404: "not_found", 409: "nothing_to_close"}[response.status_code])


def test_the_mark_follows_the_quotes(api: Api, market_kit: MarketKit) -> None:
    market_kit.play("14:00:00 IBM 100.00 100.10", "14:00:30 IBM 103.00 103.20", start="14:00:00")
    account_id: Any = api.open_account()
    api.buy(account_id, qty="10")
    market_kit.advance("14:00:30")
    position = api.get(f"{account_id}/positions/IBM/").json()
    assert (float(position["market_price"]), position["market_value"]) == (103.0, "1030.0000")
    assert (position["unrealized_pl"], position["unrealized_plpc"]) == ("29.0000", "0.028971")  # 29 / 1001
