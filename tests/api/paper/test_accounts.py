"""/v1/paper/accounts/ and /v1/paper/accounts/{id}/: list, open, look at, rename, archive."""

from typing import Any

import pytest

from tests.api.contract import ACCOUNT, POLICY, is_account_and_summary, is_error, is_list, matches
from tests.api_kit import PAPER, Api
from tests.factories import TokenFactory

pytestmark = pytest.mark.usefixtures("open_market")
MISSING = "01890a5d-ac96-774b-bcce-b302099a8057"


class TestOpen:
    def test_it_works(self, api: Api) -> None:
        response = api.post(PAPER, {"name": "ORB Sandbox", "initial_cash": "100000"})
        account, summary = is_account_and_summary(response, 201)
        assert (account["name"], account["status"], account["currency"]) == ("ORB Sandbox", "active", "USD")
        assert (account["initial_cash"], account["cash"], account["generation"]) == ("100000.0000", "100000.0000", 1)
        assert (account["reset_at"], account["archived_at"]) == (None, None)
        assert account["created_at"] == "2013-10-07T14:00:00.000000Z", "exchange time"
        assert summary == {
            "equity": "100000.0000", "cash": "100000.0000", "market_value": "0.0000", "initial_cash": "100000.0000",
            "realized_pl": "0.0000", "unrealized_pl": "0.0000", "drawdown": "0.000000", "closed_trades": 0,
            "winning_trades": 0, "win_rate": "0.000000", "buying_power": "100000.0000", "held_cash": "0.0000",
            "max_drawdown": "0.000000",
        }  # fmt: skip

    def test_everything_is_optional(self, api: Api) -> None:
        account, _ = is_account_and_summary(api.post(PAPER, {}), 201)
        assert (account["name"], account["initial_cash"]) == ("Paper Account", "100000.0000")
        matches(account["policy"], POLICY)

    @pytest.mark.parametrize("cash", ["0.0001", 1, "1000000000000", "50000.1234", "1e5", 100000.5])
    def test_initial_cash(self, api: Api, cash: Any) -> None:
        is_account_and_summary(api.post(PAPER, {"initial_cash": cash}), 201)

    @pytest.mark.parametrize(
        "cash", ["0", "-1", "1000000000000.0001", "1e13", "0.00001", "NaN", "abc", "", True, [], {}]
    )
    def test_initial_cash_that_cannot_be(self, api: Api, cash: Any) -> None:
        assert "initial_cash" in is_error(api.post(PAPER, {"initial_cash": cash}), 400, "bad_request")
        assert is_list(api.get(PAPER)) == []

    @pytest.mark.parametrize("name", ["", " ", 5, [], "x" * 10_000, "a\x00b", True])
    def test_name_that_cannot_be(self, api: Api, name: Any) -> None:
        assert "name" in is_error(api.post(PAPER, {"name": name}), 400, "bad_request")

    def test_its_own_policy(self, api: Api) -> None:
        account, _ = is_account_and_summary(api.post(PAPER, {"policy": {"stock_quote_max_age_seconds": 90}}), 201)
        assert int(account["policy"]["stock_quote_max_age_seconds"]) == 90

    def test_unknown_field(self, api: Api) -> None:
        assert "cash" in is_error(api.post(PAPER, {"cash": "5"}), 400, "bad_request")

    def test_the_21st_active_account(self, api: Api) -> None:
        ids = [api.open_account() for _ in range(20)]
        is_error(api.post(PAPER, {}), 409, "account_limit_reached")
        assert api.delete(f"{ids[0]}/").status_code == 204
        is_account_and_summary(api.post(PAPER, {}), 201)


class TestList:
    def test_it_works(self, api: Api) -> None:
        ids = [api.open_account(name=name) for name in ("a", "b")]
        rows = is_list(api.get(PAPER), ACCOUNT)
        assert {row["id"] for row in rows} == set(ids)

    def test_empty(self, api: Api) -> None:
        assert is_list(api.get(PAPER)) == []

    def test_archived_ones_are_hidden_unless_asked_for(self, api: Api) -> None:
        kept, gone = api.open_account(), api.open_account()
        api.delete(f"{gone}/")
        assert [row["id"] for row in is_list(api.get(PAPER))] == [kept]
        for word in ("true", "True", "TRUE", "1"):
            rows = is_list(api.get(PAPER, include_archived=word), ACCOUNT)
            assert {row["id"]: row["status"] for row in rows} == {kept: "active", gone: "archived"}
        for word in ("false", "False", "0"):
            assert len(is_list(api.get(PAPER, include_archived=word))) == 1

    def test_somebody_else_s_are_not_in_it(self, api: Api) -> None:
        api.open_account()
        assert is_list(Api(TokenFactory()).get(PAPER)) == []

    def test_pages(self, api: Api) -> None:
        ids = [api.open_account() for _ in range(5)]
        assert [row["id"] for row in api.all(PAPER, limit=2)] == ids


class TestGet:
    def test_it_works(self, api: Api) -> None:
        account_id = api.open_account(name="one")
        account, _ = is_account_and_summary(api.get(f"{account_id}/"))
        assert (account["id"], account["name"]) == (account_id, "one")

    def test_cash_and_equity_follow_the_fills(self, api: Api) -> None:
        account_id = api.open_account()
        api.buy(account_id, qty="10")
        account, summary = is_account_and_summary(api.get(f"{account_id}/"))
        assert (account["cash"], account["initial_cash"]) == ("98999.0000", "100000.0000")  # 10 x 100.10
        assert (summary["market_value"], summary["equity"]) == ("1000.0000", "99999.0000")  # at the bid

    @pytest.mark.parametrize("account_id", [MISSING, "not-a-uuid", "0", MISSING.upper(), "%00", "a" * 3000])
    def test_missing(self, api: Api, account_id: str) -> None:
        is_error(api.get(f"{account_id}/"), 404, "not_found")

    def test_somebody_else_s_looks_like_a_missing_one(self, api: Api) -> None:
        theirs = api.open_account()
        stranger = Api(TokenFactory())
        missing, other = stranger.get(f"{MISSING}/").json(), stranger.get(f"{theirs}/").json()
        assert missing["error"] == other["error"]


class TestRename:
    def test_it_works(self, api: Api) -> None:
        account_id = api.open_account()
        account, _ = is_account_and_summary(api.patch(f"{account_id}/", {"name": "agent-run-2026-05-16"}))
        assert account["name"] == "agent-run-2026-05-16"
        assert is_account_and_summary(api.get(f"{account_id}/"))[0]["name"] == "agent-run-2026-05-16"

    @pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": None}, {"name": 5}, {"initial_cash": "5"}, [], "x"])
    def test_bad_bodies(self, api: Api, body: Any) -> None:
        account_id = api.open_account(name="kept")
        is_error(api.patch(f"{account_id}/", body), 400, "bad_request")
        assert api.get(f"{account_id}/").json()["account"]["name"] == "kept"


class TestArchive:
    def test_it_works(self, api: Api) -> None:
        account_id = api.open_account()
        response = api.delete(f"{account_id}/")
        assert (response.status_code, response.content) == (204, b"")
        account, _ = is_account_and_summary(api.get(f"{account_id}/"))
        assert account["status"] == "archived"
        assert account["archived_at"] is not None

    def test_again_is_harmless(self, api: Api) -> None:
        account_id = api.open_account()
        api.delete(f"{account_id}/")
        before = api.get(f"{account_id}/").json()["account"]
        assert api.delete(f"{account_id}/").status_code == 204
        assert api.get(f"{account_id}/").json()["account"] == before

    def test_it_cancels_open_orders(self, api: Api) -> None:
        account_id = api.open_account()
        order = api.buy(account_id, type="limit", limit_price="50")
        api.delete(f"{account_id}/")
        after = api.get(f"{account_id}/orders/{order['id']}/").json()
        assert (after["status"], after["cancel_reason"]) == ("canceled", "archived")

    def test_it_takes_no_orders_any_more(self, api: Api) -> None:
        account_id = api.open_account()
        api.delete(f"{account_id}/")
        is_error(api.order(account_id), 409, "account_archived")
        is_error(api.post(f"{account_id}/reset/", {"confirm": True}), 409, "account_archived")

    def test_its_history_stays_readable(self, api: Api) -> None:
        account_id = api.open_account()
        api.buy(account_id, qty="10")
        before = {
            path: api.get(f"{account_id}/{path}").json()
            for path in ("account/", "orders/", "positions/", "fills/", "ledger/")
        }
        api.delete(f"{account_id}/")
        for path, body in before.items():
            after = api.get(f"{account_id}/{path}").json()
            assert after.get("results", after) == body.get("results", body), path
