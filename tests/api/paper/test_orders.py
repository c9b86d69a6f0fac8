"""/v1/paper/accounts/{id}/orders/: submit, list, cancel all; the refusals of section 3 over HTTP."""

import json
from typing import Any

import pytest

from marketdata.markets.current import current_market, drop_market
from tests.api.contract import EVIDENCE, ORDER, POLICY, is_error, is_list, is_object, listed, matches
from tests.api_kit import Api
from tests.market_kit import CALL, MarketKit

pytestmark = pytest.mark.usefixtures("open_market")


@pytest.fixture
def account_id(api: Api) -> str:
    return api.open_account()


class TestSubmit:
    def test_it_works(self, api: Api, account_id: str) -> None:
        response = api.order(account_id, qty="10", client_order_id="strategy-ibm-001")
        order = is_object(response, ORDER, 201)
        assert "Idempotency-Replayed" not in response.headers
        assert (order["status"], order["client_order_id"], order["account_id"]) == (
            "filled",
            "strategy-ibm-001",
            account_id,
        )
        assert (order["generation"], order["symbol"], order["asset_class"]) == (1, "IBM", "us_equity")
        assert (order["qty"], order["filled_qty"]) == ("10.000000", "10.000000")
        assert (order["side"], order["type"], order["time_in_force"], order["limit_price"]) == (
            "buy",
            "market",
            "day",
            None,
        )
        assert float(order["average_fill_price"]) == 100.10
        assert order["filled_avg_price"] == order["average_fill_price"]
        assert (order["position_intent"], order["order_class"], order["extended_hours"]) == ("", "simple", False)
        assert order["rejected_reason"] == order["cancel_reason"] == order["no_fill_reason"] == ""
        now = "2013-10-07T14:00:00.000000Z"
        assert order["submitted_at"] == order["accepted_at"] == order["updated_at"] == order["filled_at"] == now
        assert (order["canceled_at"], order["expired_at"], order["rejected_at"], order["no_fill_at"]) == (None,) * 4
        assert order["expires_at"] == "2013-10-07T20:00:00.000000Z"
        matches(order["evidence"], EVIDENCE)
        evidence = order["evidence"]
        assert [float(evidence[name]) for name in ("bid", "ask", "bid_size", "ask_size", "age_ms", "spread")] == [
            100.00,
            100.10,
            500,
            300,
            0,
            0.10,
        ]
        assert evidence["quoted_at"] == now
        matches(evidence["policy"], POLICY)

    def test_an_option(self, api: Api, account_id: str) -> None:
        order = api.buy(
            account_id,
            symbol=CALL,
            type="limit",
            limit_price="4.25",
            position_intent="buy_to_open",
            time_in_force="day",
        )
        matches(order, ORDER)
        assert (order["asset_class"], order["status"], order["position_intent"]) == (
            "us_option",
            "filled",
            "buy_to_open",
        )
        assert (float(order["limit_price"]), float(order["average_fill_price"])) == (4.25, 4.20)

    def test_an_option_without_an_intent_shows_the_one_of_its_side(self, api: Api, account_id: str) -> None:
        assert api.buy(account_id, symbol=CALL)["position_intent"] == "buy_to_open"
        assert api.sell(account_id, symbol=CALL)["position_intent"] == "sell_to_close"

    def test_a_limit_that_waits(self, api: Api, account_id: str) -> None:
        order = api.buy(account_id, type="limit", limit_price="99.5", time_in_force="gtc")
        matches(order, ORDER)
        assert (order["status"], order["no_fill_reason"]) == ("new", "not_marketable")
        assert order["no_fill_at"] == "2013-10-07T14:00:00.000000Z"
        assert (order["average_fill_price"], order["filled_avg_price"], order["filled_at"]) == (None, None, None)

    def test_a_rejected_order_is_stored_and_answered_201(self, api: Api, account_id: str) -> None:
        order = is_object(api.order(account_id, side="sell"), ORDER, 201)
        assert (order["status"], order["rejected_reason"]) == ("rejected", "short_sell_not_allowed")
        assert order["rejected_at"] == order["submitted_at"]
        assert is_object(api.get(f"{account_id}/orders/{order['id']}/"), ORDER) == order

    @pytest.mark.parametrize(
        ("order", "reason"),
        [
            ({"side": "sell"}, "short_sell_not_allowed"),
            ({"side": "sell", "symbol": CALL}, "naked_option_sell_not_allowed"),
            ({"qty": "1000"}, "insufficient_buying_power"),
            ({"qty": "3000", "type": "limit", "limit_price": "50"}, "insufficient_buying_power"),
        ],
    )
    def test_rejections(self, api: Api, account_id: str, order: dict[str, Any], reason: str) -> None:
        body = is_object(api.order(account_id, **order), ORDER, 201)
        assert (body["status"], body["rejected_reason"]) == ("rejected", reason)

    def test_a_partial_fill(self, api: Api, account_id: str) -> None:
        order = api.buy(account_id, qty="400")
        assert (order["status"], order["filled_qty"]) == ("partially_filled", "300.000000")

    def test_extended_hours_is_stored_and_echoed(self, api: Api, account_id: str) -> None:
        assert api.buy(account_id, type="limit", limit_price="50", extended_hours=True)["extended_hours"] is True

    @pytest.mark.parametrize("qty", ["10", 10, 10.0, "10.000000", "1e1"])
    def test_numbers_as_strings_or_numbers(self, api: Api, account_id: str, qty: Any) -> None:
        assert api.buy(account_id, qty=qty)["qty"] == "10.000000"

    def test_a_json_number_never_passes_through_float(self, api: Api, account_id: str) -> None:
        raw = '{"symbol":"IBM","qty":123456789.123457,"side":"sell","type":"market","time_in_force":"day"}'
        order = api.post(f"{account_id}/orders/", raw).json()
        assert order["qty"] == "123456789.123457"

    def test_a_client_order_id_is_made_where_none_is_sent(self, api: Api, account_id: str) -> None:
        assert len(api.buy(account_id)["client_order_id"]) == 36

    def test_average_price_of_two_fills(self, api: Api, account_id: str, market_kit: MarketKit) -> None:
        market_kit.play("14:00:00 IBM 100.00 100.10 9 1", "14:00:01 IBM 100.00 100.11 9 2", start="14:00:00")
        order = api.buy(api.open_account(), qty="3")
        market_kit.advance("14:00:01")
        after = api.get(f"{order['account_id']}/orders/{order['id']}/").json()
        assert after["average_fill_price"] == after["filled_avg_price"] == "100.106667"  # (100.10 + 2 x 100.11) / 3


class TestRefused:
    """HTTP error, nothing stored, no id used up."""

    @pytest.mark.parametrize(
        ("change", "status", "code"),
        [
            pytest.param({"quantity": "1"}, 400, "bad_request", id="unknown field"),
            pytest.param({"symbol": "I!M"}, 400, "bad_request", id="symbol not a ticker"),
            pytest.param({"qty": None}, 400, "bad_request", id="qty missing"),
            pytest.param({"qty": "0"}, 400, "bad_request", id="qty zero"),
            pytest.param({"qty": "-1"}, 400, "bad_request", id="qty negative"),
            pytest.param({"qty": "1.0000001"}, 400, "bad_request", id="qty of more than 6 decimals"),
            pytest.param({"qty": "1000000001"}, 400, "bad_request", id="qty over 1,000,000,000"),
            pytest.param({"type": "limit"}, 400, "bad_request", id="limit without limit_price"),
            pytest.param({"limit_price": "5"}, 400, "bad_request", id="market with limit_price"),
            pytest.param({"type": "limit", "limit_price": "0"}, 400, "bad_request", id="price not > 0"),
            pytest.param({"type": "limit", "limit_price": "1.001"}, 400, "bad_request", id="price decimals"),
            pytest.param({"client_order_id": "x" * 129}, 400, "bad_request", id="client_order_id over 128"),
            pytest.param({"type": "sometimes"}, 400, "bad_request", id="unknown type"),
            pytest.param({"notional": "100", "qty": None}, 422, "unsupported_order", id="notional"),
            pytest.param({"type": "stop", "stop_price": "90"}, 422, "unsupported_order", id="stop"),
            pytest.param({"type": "trailing_stop", "trail_percent": "5"}, 422, "unsupported_order", id="trailing_stop"),
            pytest.param({"order_class": "bracket"}, 422, "unsupported_order", id="order_class"),
            pytest.param({"legs": []}, 422, "unsupported_order", id="legs"),
            pytest.param({"time_in_force": "ioc"}, 422, "unsupported_order", id="stock time_in_force"),
            pytest.param({"position_intent": "sell_to_open"}, 422, "unsupported_order", id="intent"),
            pytest.param({"symbol": CALL, "qty": "0.5"}, 422, "unsupported_order", id="fractional option"),
            pytest.param({"symbol": CALL, "time_in_force": "gtc"}, 422, "unsupported_order", id="option gtc"),
            pytest.param({"symbol": "O:IBM1131019C00100000"}, 422, "unsupported_order", id="adjusted root"),
            pytest.param({"symbol": "O:IBM130920C00100000"}, 422, "contract_expired", id="contract expired"),
        ],
    )
    def test_row(self, api: Api, account_id: str, change: dict[str, Any], status: int, code: str) -> None:
        response = api.order(account_id, **{"client_order_id": "kept", **change})
        is_error(response, status, code)
        assert is_list(api.get(f"{account_id}/orders/")) == []
        assert api.order(account_id, client_order_id="kept").status_code == 201

    def test_details_name_each_field(self, api: Api, account_id: str) -> None:
        details = is_error(api.order(account_id, qty="-1", side="hold"), 400, "bad_request")
        assert {"qty", "side"} <= details.keys()

    def test_a_feature_is_named(self, api: Api, account_id: str) -> None:
        response = api.order(account_id, type="stop", stop_price="90")
        is_error(response, 422, "unsupported_order")
        assert "stop" in json.dumps(response.json()["error"])

    def test_same_client_order_id_same_order(self, api: Api, account_id: str) -> None:
        first = api.order(account_id, client_order_id="a")
        again = api.order(account_id, client_order_id="a")
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert is_object(again, ORDER) == first.json()

    def test_same_client_order_id_another_order(self, api: Api, account_id: str) -> None:
        first = api.buy(account_id, client_order_id="a")
        details = is_error(api.order(account_id, client_order_id="a", qty="2"), 409, "client_order_id_not_unique")
        assert first["id"] in details.values()

    def test_unknown_symbol(self, api: Api, settings: Any) -> None:
        from marketdata.models import MarketClock

        settings.PAPERTRADE_MARKET = "simulated"  # from the day on that the recording was of
        MarketClock.objects.all().delete()
        drop_market()
        current_market().start()
        is_error(api.order(api.open_account(), symbol="ZZZZZ"), 422, "unknown_symbol")


class TestList:
    @pytest.fixture
    def orders(self, api: Api, account_id: str, open_market: MarketKit) -> dict[str, dict[str, Any]]:
        orders = {"filled": api.buy(account_id, qty="10")}
        open_market.advance("14:00:01")
        orders["open"] = api.buy(account_id, type="limit", limit_price="50")
        open_market.advance("14:00:02")
        orders["option"] = api.buy(account_id, symbol=CALL)
        open_market.advance("14:00:03")
        orders["sell"] = api.sell(account_id, qty="5")
        orders["rejected"] = api.sell(account_id, qty="500")
        return orders

    def ids(self, response: Any) -> list[str]:
        return [row["id"] for row in is_list(response, ORDER)]

    def test_it_works(self, api: Api, account_id: str, orders: dict) -> None:
        rows = is_list(api.get(f"{account_id}/orders/"), ORDER)
        assert rows == [listed(order) for order in reversed(orders.values())], "newest first, each as it was answered"

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ({"status": "open"}, ["open"]),
            ({"status": "closed"}, ["rejected", "sell", "option", "filled"]),
            ({"status": "all"}, ["rejected", "sell", "option", "open", "filled"]),
            ({"status": "rejected"}, ["rejected"]),
            ({"status": "new"}, ["open"]),
            ({"status": "accepted"}, []),
            ({"symbol": CALL}, ["option"]),
            ({"symbol": "AAPL"}, []),
            ({"side": "sell"}, ["rejected", "sell"]),
            ({"asset_class": "us_option"}, ["option"]),
            ({"asset_class": "us_equity", "side": "buy"}, ["open", "filled"]),
            ({"after": "2013-10-07T14:00:01Z"}, ["rejected", "sell", "option"]),
            ({"until": "2013-10-07T14:00:01Z"}, ["open", "filled"]),
            ({"after": "2013-10-07T14:00:00.000000Z", "until": "2013-10-07T10:00:02-04:00"}, ["option", "open"]),
            ({"generation": "1"}, ["rejected", "sell", "option", "open", "filled"]),
            ({"limit": "2"}, ["rejected", "sell"]),
        ],
        ids=str,
    )
    def test_filter(self, api: Api, account_id: str, orders: dict, query: dict, names: list[str]) -> None:
        assert self.ids(api.get(f"{account_id}/orders/", **query)) == [orders[name]["id"] for name in names]

    @pytest.mark.parametrize(
        "query",
        [
            {"status": "sometimes"},
            {"side": "hold"},
            {"asset_class": "bond"},
            {"after": "yesterday"},
            {"until": "x"},
            {"limit": "0"},
            {"limit": "-1"},
            {"limit": "x"},
            {"generation": "x"},
            {"limit": "1001"},
        ],
        ids=str,
    )
    def test_values_that_cannot_be(self, api: Api, account_id: str, query: dict[str, str]) -> None:
        details = is_error(api.get(f"{account_id}/orders/", **query), 400, "bad_request")
        assert set(query) <= details.keys()

    def test_a_generation_that_is_not_there(self, api: Api, account_id: str) -> None:
        is_error(api.get(f"{account_id}/orders/", generation="7"), 404, "not_found")


class TestPages:
    def test_next_url_is_absolute_and_requested_as_it_is(self, api: Api, account_id: str) -> None:
        ids = [
            api.buy(account_id, type="limit", limit_price="50", symbol=symbol)["id"] for symbol in ("IBM", "AAPL") * 3
        ]
        first = api.get(f"{account_id}/orders/", limit=2, symbol="IBM")
        following = first.json()["next_url"]
        assert following.startswith(f"http://testserver/v1/paper/accounts/{account_id}/orders/?")
        second = api.request("GET", following.removeprefix("http://testserver"))
        pages = [row["id"] for response in (first, second) for row in response.json()["results"]]
        assert pages == [ids[4], ids[2], ids[0]], "the filter goes with the cursor"
        assert second.json()["next_url"] is None

    def test_a_page_that_is_just_full_is_the_last(self, api: Api, account_id: str) -> None:
        api.buy(account_id), api.buy(account_id)
        assert api.get(f"{account_id}/orders/", limit=2).json()["next_url"] is None

    def test_new_orders_do_not_disturb_the_pages(self, api: Api, account_id: str) -> None:
        ids = [api.buy(account_id, type="limit", limit_price="50")["id"] for _ in range(4)]
        first = api.get(f"{account_id}/orders/", limit=2).json()
        api.buy(account_id)
        second = api.request("GET", first["next_url"].removeprefix("http://testserver")).json()
        assert [row["id"] for row in first["results"] + second["results"]] == ids[::-1]

    @pytest.mark.parametrize(
        "cursor", ["", "x", "!!!!", "AAAA", "bnVsbA", "e30", "\x00", "MTIz" * 1000, "ImFiYyI", "Ii0xIg"]
    )
    def test_a_bad_cursor(self, api: Api, account_id: str, cursor: str) -> None:
        response = api.get(f"{account_id}/orders/", cursor=cursor)
        if cursor == "Ii0xIg":  # "-1", as well formed as a number can be
            assert response.status_code in (200, 400)
        else:
            is_error(response, 400, "invalid_page_token")

    def test_default_100_at_most_1000(self, api: Api, account_id: str) -> None:
        for _ in range(101):
            api.order(account_id, side="sell")
        assert len(api.get(f"{account_id}/orders/").json()["results"]) == 100
        assert len(api.get(f"{account_id}/orders/", limit=1000).json()["results"]) == 101


class TestCancelAll:
    def test_it_works(self, api: Api, account_id: str) -> None:
        filled = api.buy(account_id)
        waiting = [api.buy(account_id, type="limit", limit_price="50")["id"] for _ in range(3)]
        rows = is_list(api.delete(f"{account_id}/orders/"), ORDER)
        assert {row["id"] for row in rows} == set(waiting)
        assert {(row["status"], row["cancel_reason"]) for row in rows} == {("canceled", "requested")}
        assert api.summary(account_id)["held_cash"] == "0.0000"
        assert api.get(f"{account_id}/orders/{filled['id']}/").json()["status"] == "filled"

    def test_with_nothing_open(self, api: Api, account_id: str) -> None:
        assert is_list(api.delete(f"{account_id}/orders/")) == []
