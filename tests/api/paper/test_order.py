"""One order: GET, DELETE, look-up by client_order_id, its events, and the preview of one that was not sent."""

from typing import Any

import pytest

from tests.api.contract import EVIDENCE, ORDER, count, is_error, is_list, is_object, matches
from tests.api_kit import Api
from tests.factories import TokenFactory
from tests.market_kit import CALL, MarketKit

pytestmark = pytest.mark.usefixtures("open_market")
MISSING = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.fixture
def account_id(api: Api) -> str:
    return api.open_account()


class TestGet:
    def test_it_works(self, api: Api, account_id: str) -> None:
        order = api.buy(account_id)
        assert is_object(api.get(f"{account_id}/orders/{order['id']}/"), ORDER) == order

    @pytest.mark.parametrize("order_id", [MISSING, "x", "1", "null"])
    def test_missing(self, api: Api, account_id: str, order_id: str) -> None:
        is_error(api.get(f"{account_id}/orders/{order_id}/"), 404, "not_found")

    def test_of_another_account_of_mine(self, api: Api, account_id: str) -> None:
        order = api.buy(account_id)
        is_error(api.get(f"{api.open_account()}/orders/{order['id']}/"), 404, "not_found")

    def test_somebody_else_s(self, api: Api, account_id: str) -> None:
        order = api.buy(account_id)
        is_error(Api(TokenFactory()).get(f"{account_id}/orders/{order['id']}/"), 404, "not_found")


class TestCancel:
    def test_it_works(self, api: Api, account_id: str) -> None:
        order = api.buy(account_id, type="limit", limit_price="50")
        canceled = is_object(api.delete(f"{account_id}/orders/{order['id']}/"), ORDER)
        assert (canceled["id"], canceled["status"], canceled["cancel_reason"]) == (order["id"], "canceled", "requested")
        assert canceled["canceled_at"] == "2013-10-07T14:00:00.000000Z"
        assert canceled["no_fill_reason"] == "", "only an open order has one"
        assert is_object(api.get(f"{account_id}/orders/{order['id']}/"), ORDER) == canceled

    def test_accepted_while_the_market_is_closed(self, api: Api, open_market: MarketKit) -> None:
        open_market.advance("20:30:00")
        account_id = api.open_account()
        order = api.buy(account_id)
        assert order["status"] == "accepted"
        assert api.delete(f"{account_id}/orders/{order['id']}/").json()["status"] == "canceled"

    def test_partially_filled(self, api: Api, account_id: str) -> None:
        order = api.buy(account_id, qty="400")
        canceled = is_object(api.delete(f"{account_id}/orders/{order['id']}/"), ORDER)
        assert (canceled["status"], canceled["filled_qty"]) == ("canceled", "300.000000")

    def test_not_open(self, api: Api, account_id: str) -> None:
        order = api.buy(account_id)
        for _ in range(2):
            is_error(api.delete(f"{account_id}/orders/{order['id']}/"), 409, "order_not_cancelable")
        assert api.get(f"{account_id}/orders/{order['id']}/").json() == order

    def test_missing(self, api: Api, account_id: str) -> None:
        is_error(api.delete(f"{account_id}/orders/{MISSING}/"), 404, "not_found")


class TestReplace:
    """What a replacement does is in tests/orders/test_replace.py; here its way over HTTP."""

    @pytest.fixture
    def order(self, api: Api, account_id: str) -> dict[str, Any]:
        return api.buy(account_id, qty="10", type="limit", limit_price="90")

    def test_it_works(self, api: Api, account_id: str, order: dict[str, Any]) -> None:
        answer = api.patch(f"{account_id}/orders/{order['id']}/", {"qty": "4", "limit_price": 91.5})
        new = is_object(answer, ORDER)
        assert (answer.status_code, answer.headers.get("Idempotency-Replayed")) == (200, None)
        assert (new["qty"], float(new["limit_price"]), new["status"]) == ("4.000000", 91.5, "new")
        old = is_object(api.get(f"{account_id}/orders/{order['id']}/"), ORDER)
        assert (old["status"], old["replaced_by"], new["replaces"]) == ("replaced", new["id"], old["id"])
        assert (old["replaced_at"], new["replaced_at"], new["replaced_by"]) == (
            "2013-10-07T14:00:00.000000Z",
            None,
            None,
        )
        for group, ids in (("open", [new["id"]]), ("closed", [old["id"]]), ("replaced", [old["id"]])):
            assert [row["id"] for row in is_list(api.get(f"{account_id}/orders/", status=group))] == ids

    def test_sent_again(self, api: Api, account_id: str, order: dict[str, Any]) -> None:
        changes = {"qty": "4", "client_order_id": "smaller"}
        first, again = (api.patch(f"{account_id}/orders/{order['id']}/", changes) for _ in range(2))
        assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")
        assert is_object(again, ORDER) == is_object(first, ORDER)
        is_error(api.patch(f"{account_id}/orders/{order['id']}/", {"qty": "4"}), 409, "order_not_replaceable")

    @pytest.mark.parametrize(
        ("changes", "status", "code"),
        [
            ({}, 400, "bad_request"),
            ([], 400, "bad_request"),
            ({"side": "sell"}, 400, "bad_request"),
            ({"qty": "0"}, 400, "bad_request"),
            ({"trail": "1"}, 422, "unsupported_order"),
            ({"qty": "10.0"}, 422, "replacement_changes_nothing"),
            ({"qty": "100000"}, 422, "replacement_refused"),
        ],
    )
    def test_refused(
        self, api: Api, account_id: str, order: dict[str, Any], changes: Any, status: int, code: str
    ) -> None:
        is_error(api.patch(f"{account_id}/orders/{order['id']}/", changes), status, code)
        assert api.get(f"{account_id}/orders/{order['id']}/").json() == order

    def test_missing_and_somebody_else_s(self, api: Api, account_id: str, order: dict[str, Any]) -> None:
        is_error(api.patch(f"{account_id}/orders/{MISSING}/", {"qty": "1"}), 404, "not_found")
        other = Api(TokenFactory())
        is_error(other.patch(f"{account_id}/orders/{order['id']}/", {"qty": "1"}), 404, "not_found")


class TestByClientOrderId:
    @pytest.mark.parametrize("slash", ["", "/"])
    def test_it_works(self, api: Api, account_id: str, slash: str) -> None:
        order = api.buy(account_id, client_order_id="strategy-ibm-001")
        response = api.get(f"{account_id}/orders:by_client_order_id{slash}", client_order_id="strategy-ibm-001")
        assert is_object(response, ORDER) == order

    @pytest.mark.parametrize("client_order_id", ["a b", "a/b?c=d&e", "ünï", "'; DROP TABLE orders_order; --", "%2e%2e"])
    def test_any_printable_id(self, api: Api, account_id: str, client_order_id: str) -> None:
        order = api.buy(account_id, client_order_id=client_order_id)
        response = api.get(f"{account_id}/orders:by_client_order_id", client_order_id=client_order_id)
        assert is_object(response, ORDER)["id"] == order["id"]

    def test_generation(self, api: Api, account_id: str) -> None:
        first = api.buy(account_id, client_order_id="a")
        api.post(f"{account_id}/reset/", {"confirm": True})
        is_error(api.get(f"{account_id}/orders:by_client_order_id", client_order_id="a"), 404, "not_found")
        second = api.buy(account_id, client_order_id="a")
        for generation, order in (("1", first), ("2", second)):
            found = api.get(f"{account_id}/orders:by_client_order_id", client_order_id="a", generation=generation)
            assert found.json()["id"] == order["id"]

    def test_without_the_id(self, api: Api, account_id: str) -> None:
        is_error(api.get(f"{account_id}/orders:by_client_order_id"), 400, "bad_request")

    def test_missing(self, api: Api, account_id: str) -> None:
        is_error(api.get(f"{account_id}/orders:by_client_order_id", client_order_id="nobody"), 404, "not_found")


EVENT_FIELDS = {"seq", "type", "at", "order_id", "reason", "evidence"}


class TestEvents:
    def test_it_works(self, api: Api, account_id: str, open_market: MarketKit) -> None:
        open_market.play(
            "14:00:00 IBM 100.00 100.10", "14:00:01 IBM 99.10 99.00", "14:00:02 IBM 98.90 99.00", start="14:00:00"
        )
        account_id = api.open_account()
        order = api.buy(account_id, qty="10", type="limit", limit_price="99")
        open_market.advance("14:00:05")
        rows = is_list(api.get(f"{account_id}/orders/{order['id']}/events/"))
        assert [row["reason"] for row in rows] == ["", "not_marketable", "quote_crossed", ""]
        for row in rows:
            assert row.keys() >= EVENT_FIELDS
            assert row["order_id"] == order["id"] and count(row["seq"])
            matches(row["evidence"], EVIDENCE)
        assert [row["seq"] for row in rows] == sorted(row["seq"] for row in rows)
        assert rows[-1]["fill_id"] == is_list(api.get(f"{account_id}/fills/"))[0]["id"]
        assert rows[-1]["at"] == "2013-10-07T14:00:02.000000Z"
        crossed = rows[2]["evidence"]
        assert (float(crossed["bid"]), float(crossed["ask"]), float(crossed["spread"])) == (99.10, 99.00, -0.10)

    def test_the_status_after_each(self, api: Api, account_id: str) -> None:
        order = api.buy(account_id, qty="400")
        api.delete(f"{account_id}/orders/{order['id']}/")
        rows = is_list(api.get(f"{account_id}/orders/{order['id']}/events/"))
        assert [row["status"] for row in rows] == ["accepted", "partially_filled", "canceled"]

    def test_missing(self, api: Api, account_id: str) -> None:
        is_error(api.get(f"{account_id}/orders/{MISSING}/events/"), 404, "not_found")


class TestPreview:
    def preview(self, api: Api, account_id: str, **fields: Any) -> Any:
        order = {"symbol": "IBM", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day", **fields}
        return api.post(f"{account_id}/orders/preview/", order)

    def stored(self, api: Api, account_id: str) -> list[Any]:
        paths = ("orders/", "fills/", "events/", "ledger/", "positions/", "account/")
        answers = [api.get(f"{account_id}/{path}").json() for path in paths]
        return [answer.get("results", answer) for answer in answers]

    def test_it_works(self, api: Api, account_id: str) -> None:
        before = self.stored(api, account_id)
        response = self.preview(api, account_id)
        assert response.status_code == 200
        body = response.json()
        assert self.stored(api, account_id) == before, "nothing stored"
        assert float(body["estimated_cost"]) == 1001.0
        assert body["buying_power_after"] == "98999.0000"
        assert float(body["evidence"]["ask"]) == 100.10

    def test_what_it_says_is_what_happens(self, api: Api, account_id: str) -> None:
        said = self.preview(api, account_id, qty="400").json()
        api.buy(account_id, qty="400")
        summary = api.summary(account_id)
        assert (said["hold"], said["buying_power_after"]) == (summary["held_cash"], summary["buying_power"])

    def test_a_hold(self, api: Api, account_id: str) -> None:
        body = self.preview(api, account_id, type="limit", limit_price="50").json()
        assert (body["hold"], body["buying_power_after"]) == ("500.0000", "99500.0000")
        assert "not_marketable" in str(body)

    def test_a_rejection(self, api: Api, account_id: str) -> None:
        before = self.stored(api, account_id)
        body = self.preview(api, account_id, side="sell").json()
        assert "short_sell_not_allowed" in str(body)
        assert self.stored(api, account_id) == before

    def test_market_closed(self, api: Api, account_id: str, open_market: MarketKit) -> None:
        open_market.advance("20:30:00")
        assert "market_closed" in str(self.preview(api, account_id).json())

    def test_refusals_are_those_of_a_submit(self, api: Api, account_id: str) -> None:
        is_error(self.preview(api, account_id, qty="0"), 400, "bad_request")
        is_error(self.preview(api, account_id, type="stop"), 422, "unsupported_order")
        is_error(self.preview(api, account_id, symbol="O:IBM130920C00100000"), 422, "contract_expired")
        api.delete(f"{account_id}/")
        is_error(self.preview(api, account_id), 409, "account_archived")

    def test_its_client_order_id_is_not_used_up(self, api: Api, account_id: str) -> None:
        self.preview(api, account_id, client_order_id="a")
        assert api.order(account_id, client_order_id="a").status_code == 201

    def test_a_client_order_id_that_an_order_has_already(self, api: Api, account_id: str) -> None:
        order = api.buy(account_id, qty="10", client_order_id="a")
        before = self.stored(api, account_id)
        response = self.preview(api, account_id, client_order_id="a")
        assert response.status_code == 200, response.content
        assert response["Idempotency-Replayed"] == "true"
        body = response.json()
        assert (body["order"]["id"], body["would_fill_qty"]) == (order["id"], "0.000000")
        assert body["buying_power_after"] == body["buying_power"]
        is_error(self.preview(api, account_id, client_order_id="a", qty="11"), 409, "client_order_id_not_unique")
        assert self.stored(api, account_id) == before

    def test_an_option(self, api: Api, account_id: str) -> None:
        assert float(self.preview(api, account_id, symbol=CALL, qty="2").json()["estimated_cost"]) == 840.0
