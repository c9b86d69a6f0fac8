"""Notes and tags of runs and orders: sent along, changed afterwards, found again, and nothing of the books with them."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from accounts.models import Generation
from accounts.services import label_generation
from orders import labelling
from orders.models import Order
from orders.selectors import get_order
from portfolio.audit import verify_ledger
from portfolio.models import Book
from tests.api.contract import is_error, is_list
from tests.api_kit import Api

pytestmark = pytest.mark.usefixtures("open_market")
V1, V2 = {"note": "first try", "tags": ["v1", "a1b2c3d"]}, {"note": "wider stop", "tags": ["v2"]}
NONE = {"note": "", "tags": []}
BAD = [{"tags": "v1"}, {"tags": ["a,b"]}, {"tags": [f"v{n}" for n in range(11)]}, {"note": 5}, {"note": "x" * 501}]


def labels(shown: dict[str, Any]) -> dict[str, Any]:
    return {"note": shown["note"], "tags": shown["tags"]}


class TestOfARun:
    def test_it_works(self, api: Api) -> None:
        """Sent when the account is opened and when it is reset; each run keeps its own, and a new one begins without."""
        account_id = api.open_account(**V1)
        assert labels(api.get(f"{account_id}/").json()["account"]) == V1
        api.buy(account_id)
        reset = api.post(f"{account_id}/reset/", {"confirm": True, **V2})
        assert labels(reset.json()["account"]) == V2
        api.buy(account_id)
        api.post(f"{account_id}/reset/", {"confirm": True})
        assert [labels(run) for run in is_list(api.get(f"{account_id}/generations/"))] == [NONE, V2, V1]

    def test_changed_also_when_the_run_is_over(self, api: Api) -> None:
        account_id = api.open_account(**V1)
        api.buy(account_id)
        api.post(f"{account_id}/reset/", {"confirm": True})
        before = Generation.objects.filter(number=1).values().get()
        changed = api.patch(f"{account_id}/generations/1/", {"tags": ["v1.1"]})
        assert (changed.status_code, labels(changed.json())) == (200, {"note": "first try", "tags": ["v1.1"]})
        assert labels(api.get(f"{account_id}/generations/1/").json()) == {"note": "first try", "tags": ["v1.1"]}
        assert Generation.objects.filter(number=1).values().get() == {**before, "tags": ["v1.1"]}
        assert labels(api.patch(f"{account_id}/generations/1/", NONE).json()) == NONE

    def test_of_two_changes_at_once_neither_is_lost(self, api: Api) -> None:
        api.open_account(**V1)
        read_before = Generation.objects.get()
        label_generation(generation=Generation.objects.get(), payload={"note": V2["note"]})
        label_generation(generation=read_before, payload={"tags": V2["tags"]})
        assert Generation.objects.values("note", "tags").get() == V2

    def test_found_by_tag(self, api: Api) -> None:
        account_id = api.open_account(**V1)
        api.buy(account_id)
        api.post(f"{account_id}/reset/", {"confirm": True, **V2})
        assert [run["number"] for run in api.all(f"{account_id}/generations/", tag="a1b2c3d")] == [1]
        assert [run["number"] for run in api.all(f"{account_id}/generations/", tag="v2")] == [2]
        assert api.all(f"{account_id}/generations/", tag="v") == []

    def test_a_retried_reset_has_the_labels_that_it_was_sent_with(self, api: Api) -> None:
        account_id = api.open_account()
        first, again = (api.post(f"{account_id}/reset/", {"confirm": True, **sent}) for sent in (V1, V2))
        assert again.headers["Idempotency-Replayed"] == "true"
        assert (labels(first.json()["account"]), labels(again.json()["account"])) == (V1, V2)
        assert again.json()["account"]["generation"] == 1

    @pytest.mark.parametrize("body", [*BAD, {"reason": "another"}, {"summary": {}}])
    def test_what_cannot_be(self, api: Api, body: dict[str, Any]) -> None:
        account_id = api.open_account(**V1)
        is_error(api.patch(f"{account_id}/generations/1/", body), 400, "bad_request")
        assert labels(api.get(f"{account_id}/generations/1/").json()) == V1

    @pytest.mark.parametrize("number", ["2", "0", "x", "1" * 40, "\N{ARABIC-INDIC DIGIT ONE}"])
    def test_a_run_that_is_not_there(self, api: Api, number: str) -> None:
        account_id = api.open_account()
        is_error(api.patch(f"{account_id}/generations/{number}/", V1), 404, "not_found")


class TestOfAnOrder:
    def test_it_works(self, api: Api) -> None:
        """Sent with the order; one order, the list and the order's preview show them."""
        account_id = api.open_account()
        order = api.buy(account_id, **V1)
        assert labels(order) == V1
        assert labels(api.get(f"{account_id}/orders/{order['id']}/").json()) == V1
        assert [labels(row) for row in is_list(api.get(f"{account_id}/orders/"))] == [V1]
        assert labels(api.buy(account_id)) == NONE
        preview = {"symbol": "IBM", "qty": "1", "side": "buy", "type": "market", **V2}
        assert labels(api.post(f"{account_id}/orders/preview/", preview).json()["order"]) == V2

    def test_a_retry_is_the_same_order_whatever_its_labels(self, api: Api) -> None:
        """They may have been changed since it was sent, so they are no part of what a retry must match."""
        account_id = api.open_account()
        order = api.buy(account_id, client_order_id="one", **V1)
        again = api.order(account_id, client_order_id="one", **V2)
        assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")
        assert (again.json()["id"], labels(again.json())) == (order["id"], V1)

    def test_changed_also_when_it_is_filled(self, api: Api) -> None:
        """No other order takes its place, and nothing but the labels is another."""
        account_id = api.open_account()
        order = api.buy(account_id, **V1)
        changed = api.patch(f"{account_id}/orders/{order['id']}/", {"note": "late"})
        assert changed.json() == {**order, "note": "late"}
        assert Order.objects.count() == 1
        assert verify_ledger(book=Book.objects.get()).ok

    def test_of_two_changes_at_once_neither_is_lost(self, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
        account_id = api.open_account()
        order = api.buy(account_id, **V1)

        def read_before_another_changes_it(**which: Any) -> Order:
            read_before = get_order(**which)
            Order.objects.update(note=V2["note"])
            return read_before

        monkeypatch.setattr(labelling, "get_order", read_before_another_changes_it)
        api.patch(f"{account_id}/orders/{order['id']}/", {"tags": V2["tags"]})
        assert Order.objects.values("note", "tags").get() == V2

    def test_replacing_an_order_passes_them_on(self, api: Api) -> None:
        account_id = api.open_account()
        order = api.buy(account_id, type="limit", limit_price="50", **V1)
        kept = api.patch(f"{account_id}/orders/{order['id']}/", {"limit_price": "51"}).json()
        assert (labels(kept), kept["replaces"]) == (V1, order["id"])
        changed = api.patch(f"{account_id}/orders/{kept['id']}/", {"limit_price": "52", **V2}).json()
        assert (labels(changed), changed["replaces"]) == (V2, kept["id"])
        assert labels(api.get(f"{account_id}/orders/{order['id']}/").json()) == V1

    def test_found_by_tag(self, api: Api) -> None:
        account_id = api.open_account()
        first, second, _ = api.buy(account_id, **V1), api.buy(account_id, **V2), api.buy(account_id)
        assert [row["id"] for row in api.all(f"{account_id}/orders/", tag="v1")] == [first["id"]]
        assert [row["id"] for row in api.all(f"{account_id}/orders/", tag="v2", status="closed")] == [second["id"]]
        assert api.all(f"{account_id}/orders/", tag="V1") == []
        for wrong in ("a,b", "x" * 65):
            is_error(api.get(f"{account_id}/orders/", tag=wrong), 400, "bad_request")

    def test_of_orders_that_close(self, api: Api) -> None:
        """Of one position by the query or the body, of all of them, and through Alpaca's address; a retry changes none."""
        account_id, sent = api.open_account(), {"note": "stop", "tags": "v1,exit"}
        position = f"{account_id}/positions/IBM/"
        api.buy(account_id, qty="10", **V1)
        closed = api.delete(position, qty="1", client_order_id="out", **sent)
        assert (closed.status_code, labels(closed.json())) == (201, {"note": "stop", "tags": ["v1", "exit"]})
        again = api.delete(position, qty="1", client_order_id="out", tags="v9")
        assert (again.headers["Idempotency-Replayed"], labels(again.json())) == ("true", labels(closed.json()))
        assert labels(api.request("DELETE", position, {"qty": "1", **V2}).json()) == V2
        assert labels(api.delete(position, qty="1").json()) == NONE
        pair = {"APCA-API-KEY-ID": account_id, "APCA-API-SECRET-KEY": api.token}
        closed = Api(None).request("DELETE", "/v2/positions/IBM", headers=pair, query={"qty": "1", **sent})
        assert labels(api.get(f"{account_id}/orders/{closed.json()['id']}/").json()) == {
            "note": "stop",
            "tags": ["v1", "exit"],
        }
        (row,) = api.request("DELETE", f"{account_id}/positions/", V2, query={"percentage": "50"}).json()["results"]
        assert labels(row["order"]) == V2
        (row,) = api.delete(f"{account_id}/positions/", tags="v3").json()["results"]
        assert labels(row["order"]) == {"note": "", "tags": ["v3"]}

    @pytest.mark.parametrize("where", ["positions/", "positions/IBM/"])
    @pytest.mark.parametrize("query", [{"tags": ","}, {"tags": "x" * 65}, {"tags": " v1"}, {"note": "x" * 501}])
    def test_what_a_closing_order_cannot_have(self, api: Api, where: str, query: dict[str, str]) -> None:
        account_id = api.open_account()
        api.buy(account_id)
        refused = api.delete(f"{account_id}/{where}", **query)
        is_error(refused, 400, "bad_request")
        assert refused.json()["error"]["details"].keys() == query.keys()
        is_error(api.request("DELETE", f"{account_id}/{where}", BAD[0]), 400, "bad_request")
        assert Order.objects.count() == 1
        resting = api.buy(account_id, type="limit", limit_price="50")
        pair = {"APCA-API-KEY-ID": account_id, "APCA-API-SECRET-KEY": api.token}
        too_long = {"tags": "x" * 65, "cancel_orders": "true"}
        refused = Api(None).request("DELETE", f"/v2/{where.rstrip('/')}", headers=pair, query=too_long)
        assert refused.status_code == 422, "and nothing was canceled on the way"
        assert api.get(f"{account_id}/orders/{resting['id']}/").json()["status"] == "new"

    def test_of_round_trips(self, api: Api) -> None:
        """A trade has the tags of the orders that bought it, as they are now; what sold it says how it ended."""
        account_id = api.open_account()
        first = api.buy(account_id, **V1)
        api.buy(account_id, tags=["v1", "more"])
        api.delete(f"{account_id}/positions/IBM/", tags="exit")
        api.buy(account_id, **V2)
        trades = is_list(api.get(f"{account_id}/trades/"))
        assert [trade["tags"] for trade in trades] == [["v1", "a1b2c3d", "more"], ["v2"]]
        assert [part["tags"] for part in trades[0]["exits"]] == [["exit"]]
        assert [row["number"] for row in api.all(f"{account_id}/trades/", tag="v2")] == [2]
        assert [row["number"] for row in api.all(f"{account_id}/trades/", tag="more", method="fifo")] == [2]
        assert api.all(f"{account_id}/trades/", tag="exit") == []
        for method in ("flat", "fifo"):
            results = api.get(f"{account_id}/performance/", method=method).json()["by_tag"]
            closed = {row["tag"]: (row["closed"], row["realized_pl"]) for row in results}
            assert closed["v2"] == (0, "0.0000") and closed["a1b2c3d"] == (
                1,
                "-0.2000" if method == "flat" else "-0.1000",
            )
            assert closed["v1"] == (1 if method == "flat" else 2, "-0.2000")
        api.patch(f"{account_id}/orders/{first['id']}/", {"tags": []})
        assert api.get(f"{account_id}/trades/").json()["results"][0]["tags"] == ["v1", "more"]
        is_error(api.get(f"{account_id}/trades/", tag="a,b"), 400, "bad_request")

    @pytest.mark.parametrize("body", BAD)
    def test_what_cannot_be(self, api: Api, body: dict[str, Any]) -> None:
        account_id = api.open_account()
        is_error(api.order(account_id, **body), 400, "bad_request")
        order = api.buy(account_id, **V1)
        is_error(api.patch(f"{account_id}/orders/{order['id']}/", body), 400, "bad_request")
        assert labels(api.get(f"{account_id}/orders/{order['id']}/").json()) == V1


@pytest.mark.parametrize("table", ["orders_order", "accounts_generation"])
@pytest.mark.parametrize("tags", ["array_fill('x'::varchar, ARRAY[11])", "ARRAY['v1', '']::varchar[]"])
def test_the_database_keeps_the_bounds(api: Api, table: str, tags: str) -> None:
    api.buy(api.open_account())
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET tags = {tags}")
