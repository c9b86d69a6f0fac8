"""Closing positions: a part, a percentage, all of them; sent twice; and what the refusals say."""

from typing import Any

import pytest

from tests.api.contract import ORDER, is_error, is_list, is_object
from tests.api_kit import Api
from tests.market_kit import CALL

pytestmark = pytest.mark.usefixtures("open_market")


@pytest.fixture
def account_id(api: Api) -> str:
    """10 shares and 3 contracts."""
    account_id = api.open_account()
    api.buy(account_id, qty="10")
    api.buy(account_id, symbol=CALL, qty="3")
    return account_id


def held(api: Api, account_id: str) -> dict[str, str]:
    return {row["symbol"]: row["qty"] for row in is_list(api.get(f"{account_id}/positions/"))}


class TestPercentage:
    @pytest.mark.parametrize(
        ("symbol", "percentage", "sold"),
        [
            ("IBM", "50", "5.000000"),
            ("IBM", "100", "10.000000"),
            ("IBM", "25.5", "2.000000"),  # 2.55 of whole shares: no fraction that was not there
            (CALL, "50", "1.000000"),
            ("ibm", "10", "1.000000"),
        ],
    )
    def test_it_works(self, api: Api, account_id: str, symbol: str, percentage: str, sold: str) -> None:
        order = is_object(api.delete(f"{account_id}/positions/{symbol}/", percentage=percentage), ORDER, 201)
        assert (order["qty"], order["status"]) == (sold, "filled")

    def test_of_a_fraction(self, api: Api, account_id: str) -> None:
        api.sell(account_id, qty="0.5")
        assert api.delete(f"{account_id}/positions/IBM/", percentage="33").json()["qty"] == "3.135000"

    def test_of_what_is_available(self, api: Api, account_id: str) -> None:
        api.sell(account_id, qty="4", type="limit", limit_price="200")
        assert api.delete(f"{account_id}/positions/IBM/", percentage="50").json()["qty"] == "3.000000"

    @pytest.mark.parametrize("percentage", ["0", "-1", "100.1", "x", "NaN", ""])
    def test_values_that_cannot_be(self, api: Api, account_id: str, percentage: str) -> None:
        details = is_error(api.delete(f"{account_id}/positions/IBM/", percentage=percentage), 400, "bad_request")
        assert list(details) == ["percentage"]
        assert held(api, account_id)["IBM"] == "10.000000"

    def test_not_with_a_quantity(self, api: Api, account_id: str) -> None:
        is_error(api.delete(f"{account_id}/positions/IBM/", percentage="50", qty="1"), 400, "bad_request")

    def test_a_body_and_a_query_that_contradict_each_other_close_nothing(self, api: Api, account_id: str) -> None:
        path = f"{account_id}/positions/IBM/"
        refused = api.request("DELETE", path, {"qty": "5"}, query={"qty": "1"})
        assert list(is_error(refused, 400, "bad_request")) == ["qty"]
        refused = api.request("DELETE", f"{account_id}/positions/", {"note": "a"}, query={"note": "b"})
        assert list(is_error(refused, 400, "bad_request")) == ["note"]
        assert held(api, account_id)["IBM"] == "10.000000"
        assert api.request("DELETE", path, {"qty": 5}, query={"qty": "5"}).json()["qty"] == "5.000000"

    def test_too_little_to_be_one(self, api: Api, account_id: str) -> None:
        refused = api.delete(f"{account_id}/positions/{CALL}/", percentage="1")
        assert is_error(refused, 409, "nothing_to_close") == {"available": "3"}
        assert "rounds down to nothing" in refused.json()["error"]["message"]


class TestTwice:
    def test_all_of_it(self, api: Api, account_id: str) -> None:
        first = api.delete(f"{account_id}/positions/IBM/", client_order_id="flat")
        again = api.delete(f"{account_id}/positions/IBM/", client_order_id="flat")
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert is_object(again, ORDER) == first.json()

    def test_a_late_retry_when_the_account_is_archived(self, api: Api, account_id: str) -> None:
        first = api.delete(f"{account_id}/positions/IBM/", client_order_id="flat")
        api.delete(f"{account_id}/")
        again = api.delete(f"{account_id}/positions/IBM/", client_order_id="flat")
        assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])

    def test_a_part(self, api: Api, account_id: str) -> None:
        for _ in range(3):
            api.request("DELETE", f"{account_id}/positions/IBM/", {"qty": "2", "client_order_id": "part"})
        assert held(api, account_id)["IBM"] == "8.000000"

    def test_another_order_under_the_id(self, api: Api, account_id: str) -> None:
        api.delete(f"{account_id}/positions/IBM/", qty="2", client_order_id="part")
        for path, query in ((CALL, {}), ("IBM", {"qty": "3"})):
            response = api.delete(f"{account_id}/positions/{path}/", client_order_id="part", **query)
            is_error(response, 409, "client_order_id_not_unique")
        assert held(api, account_id) == {"IBM": "8.000000", CALL: "3.000000"}


class TestAll:
    def closed(self, api: Api, account_id: str, **query: Any) -> dict[str, Any]:
        return {row["symbol"]: row for row in is_list(api.delete(f"{account_id}/positions/", **query))}

    def test_it_works(self, api: Api, account_id: str) -> None:
        closed = self.closed(api, account_id)
        assert list(closed) == ["IBM", CALL]
        assert {symbol: (row["order"]["status"], row["error"]) for symbol, row in closed.items()} == {
            "IBM": ("filled", None),
            CALL: ("filled", None),
        }
        assert held(api, account_id) == {}

    def test_some_symbols(self, api: Api, account_id: str) -> None:
        assert list(self.closed(api, account_id, symbols=f"msft,{CALL}")) == [CALL]
        assert list(held(api, account_id)) == ["IBM"]

    def test_a_percentage(self, api: Api, account_id: str) -> None:
        self.closed(api, account_id, percentage="50")
        assert held(api, account_id) == {"IBM": "5.000000", CALL: "2.000000"}

    def test_one_that_cannot_be_closed_stops_no_other(self, api: Api, account_id: str) -> None:
        api.sell(account_id, qty="10", type="limit", limit_price="200")
        closed = self.closed(api, account_id)
        assert (closed["IBM"]["order"], closed["IBM"]["error"]["code"]) == (None, "nothing_to_close")
        assert closed[CALL]["order"]["status"] == "filled"

    def test_twice(self, api: Api, account_id: str) -> None:
        first = self.closed(api, account_id, client_order_id="end of day")
        again = self.closed(api, account_id, client_order_id="end of day")
        assert {symbol: row["order"]["id"] for symbol, row in again.items()} == {
            symbol: row["order"]["id"] for symbol, row in first.items()
        }
        assert [row["replayed"] for row in (*first.values(), *again.values())] == [False, False, True, True]
        assert first["IBM"]["order"]["client_order_id"] == "end of day:IBM"

    def test_nothing_held(self, api: Api) -> None:
        assert is_list(api.delete(f"{api.open_account()}/positions/")) == []

    def test_of_an_archived_account(self, api: Api, account_id: str) -> None:
        api.delete(f"{account_id}/")
        is_error(api.delete(f"{account_id}/positions/"), 409, "account_archived")


def test_what_holds_the_rest_is_said_only_where_something_does(api: Api, account_id: str) -> None:
    def message(**query: Any) -> str:
        return api.delete(f"{account_id}/positions/IBM/", **query).json()["error"]["message"]

    assert message(qty="11") == "10 of the position in IBM is available."
    api.sell(account_id, qty="4", type="limit", limit_price="200")
    assert message(qty="7") == "6 of the position in IBM is available; open sell orders hold the rest."
