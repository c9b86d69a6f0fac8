"""POST /v1/paper/accounts/{id}/reset/, GET .../account/ and GET .../generations/."""

from typing import Any

import pytest

from tests.api.contract import (
    GENERATION,
    POLICY,
    SUMMARY,
    is_account_and_summary,
    is_error,
    is_list,
    is_object,
    matches,
)
from tests.api_kit import Api

pytestmark = pytest.mark.usefixtures("open_market")


class TestReset:
    def test_it_works(self, api: Api) -> None:
        account_id = api.open_account()
        api.buy(account_id, qty="10")
        response = api.post(
            f"{account_id}/reset/", {"confirm": True, "initial_cash": "50000", "reason": "new strategy run"}
        )
        account, summary = is_account_and_summary(response)
        assert "Idempotency-Replayed" not in response.headers
        assert (account["generation"], account["cash"], account["initial_cash"]) == (2, "50000.0000", "50000.0000")
        assert account["reset_at"] == "2013-10-07T14:00:00.000000Z"
        assert (summary["equity"], summary["market_value"]) == ("50000.0000", "0.0000")

    @pytest.mark.parametrize("body", [{}, {"confirm": False}, {"confirm": None}, {"confirm": "true"}, {"confirm": 1}])
    def test_without_confirm(self, api: Api, body: dict[str, Any]) -> None:
        account_id = api.open_account()
        api.buy(account_id)
        is_error(api.post(f"{account_id}/reset/", body), 400, "bad_request")
        assert api.get(f"{account_id}/").json()["account"]["generation"] == 1

    @pytest.mark.parametrize(
        "more",
        [
            {"initial_cash": "0"},
            {"initial_cash": "x"},
            {"reason": 5},
            {"reason": "x" * 10_000},
            {"policy": 5},
            {"generation": 3},
        ],
        ids=str,
    )
    def test_bad_values(self, api: Api, more: dict[str, Any]) -> None:
        account_id = api.open_account()
        api.buy(account_id)
        is_error(api.post(f"{account_id}/reset/", {"confirm": True, **more}), 400, "bad_request")
        assert api.get(f"{account_id}/").json()["account"]["generation"] == 1

    def test_the_key_survives_and_everything_before_it_is_readable(self, api: Api) -> None:
        account_id = api.open_account()
        order = api.buy(account_id, qty="10")
        api.post(f"{account_id}/reset/", {"confirm": True})
        assert is_list(api.get(f"{account_id}/orders/")) == []
        assert is_list(api.get(f"{account_id}/positions/")) == []
        assert [row["id"] for row in is_list(api.get(f"{account_id}/orders/", generation=1))] == [order["id"]]
        for path in ("positions/", "fills/", "ledger/", "portfolio/history/"):
            assert is_list(api.get(f"{account_id}/{path}", generation=1)), path
        assert api.summary(account_id, generation=1)["cash"] == "98999.0000"
        assert api.get(f"{account_id}/orders/{order['id']}/").json()["generation"] == 1

    def test_sent_twice_it_is_replayed(self, api: Api) -> None:
        account_id = api.open_account()
        api.buy(account_id)
        body = {"confirm": True, "initial_cash": "5000"}
        first, again = api.post(f"{account_id}/reset/", body), api.post(f"{account_id}/reset/", body)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.status_code == 200
        assert again.json() == first.json()

    def test_after_an_order_it_is_a_new_one(self, api: Api) -> None:
        account_id = api.open_account()
        for generation in (2, 3):
            api.order(account_id, side="sell")  # rejected, and an order all the same
            response = api.post(f"{account_id}/reset/", {"confirm": True})
            assert is_account_and_summary(response)[0]["generation"] == generation

    def test_it_cancels_open_orders(self, api: Api) -> None:
        account_id = api.open_account()
        order = api.buy(account_id, type="limit", limit_price="50")
        api.post(f"{account_id}/reset/", {"confirm": True})
        after = api.get(f"{account_id}/orders/{order['id']}/").json()
        assert (after["status"], after["cancel_reason"]) == ("canceled", "reset")


class TestSummary:
    def test_it_works(self, api: Api) -> None:
        account_id = api.open_account()
        api.buy(account_id, qty="10")
        api.buy(account_id, qty="10", type="limit", limit_price="50")
        summary = is_object(api.get(f"{account_id}/account/"), SUMMARY)
        assert summary["cash"] == "98999.0000"  # 100,000 - 10 x 100.10
        assert summary["held_cash"] == "500.0000"
        assert summary["buying_power"] == "98499.0000"
        assert summary["market_value"] == "1000.0000"  # at the bid
        assert summary["unrealized_pl"] == "-1.0000"
        assert summary["equity"] == "99999.0000"
        assert summary["drawdown"] == summary["max_drawdown"] == "0.000010"  # 1 / 100,000

    def test_of_an_earlier_generation(self, api: Api) -> None:
        account_id = api.open_account()
        api.buy(account_id, qty="10")
        before = api.summary(account_id)
        api.post(f"{account_id}/reset/", {"confirm": True})
        assert api.summary(account_id, generation=1) == before

    @pytest.mark.parametrize(
        ("generation", "status", "code"),
        [
            ("2", 404, "not_found"),
            ("0", 404, "not_found"),
            ("99999999999999999999", 400, "bad_request"),
            ("-1", 400, "bad_request"),
            ("x", 400, "bad_request"),
            ("1.0", 400, "bad_request"),
            ("", 400, "bad_request"),
        ],
    )
    def test_a_generation_that_is_not_there(self, api: Api, generation: str, status: int, code: str) -> None:
        account_id = api.open_account()
        response = api.get(f"{account_id}/account/", generation=generation)
        is_error(response, status, code)


class TestGenerations:
    def test_it_works(self, api: Api) -> None:
        account_id = api.open_account()
        api.buy(account_id, qty="10")
        api.post(f"{account_id}/reset/", {"confirm": True, "initial_cash": "5000", "reason": "again"})
        rows = is_list(api.get(f"{account_id}/generations/"), GENERATION)
        assert [row["number"] for row in rows] == [2, 1]
        for row in rows:
            matches(row["summary"], SUMMARY)
            matches(row["policy"], POLICY)
        second, first = rows
        assert (second["initial_cash"], second["closed_at"]) == ("5000.0000", None)
        assert first["closed_at"] == second["opened_at"] == "2013-10-07T14:00:00.000000Z"
        assert first["summary"]["cash"] == "98999.0000"
        assert "again" in (first["reason"], second["reason"])

    def test_it_shows_feed_and_engine_version(self, api: Api) -> None:
        [row] = is_list(api.get(f"{api.open_account()}/generations/"), GENERATION)
        assert row["feed"] and row["engine_version"]

    def test_archiving_closes_the_last_one(self, api: Api) -> None:
        account_id = api.open_account()
        api.delete(f"{account_id}/")
        [row] = is_list(api.get(f"{account_id}/generations/"), GENERATION)
        assert row["closed_at"] is not None
        matches(row["summary"], SUMMARY)
