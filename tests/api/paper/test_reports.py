"""GET performance/, trades/, execution/ of an account, and /v1/paper/compare/."""

from typing import Any

import pytest

from portfolio.models import Book
from tests.api.contract import is_error, is_list
from tests.api_kit import Api
from tests.factories import TokenFactory
from tests.market_kit import CALL, MarketKit, steady

COMPARE = "/v1/paper/compare/"


@pytest.fixture
def account_id(api: Api, open_market: MarketKit) -> str:
    """100 bought and sold again at a loss of 10.00; a limit that waits; one too dear."""
    account = api.open_account(name="pairs")
    api.buy(account, qty="100", client_order_id="in")
    open_market.advance("14:01:00")
    api.sell(account, qty="100", client_order_id="out")
    api.buy(account, qty="5", type="limit", limit_price="95")
    api.buy(account, qty="900000")
    return account


class TestPerformance:
    def test_it_works(self, api: Api, account_id: str) -> None:
        found = api.get(f"{account_id}/performance/").json()
        summary = api.summary(account_id)
        assert {
            name: found[name] for name in ("equity", "initial_cash", "realized_pl", "drawdown", "max_drawdown")
        } == {name: summary[name] for name in ("equity", "initial_cash", "realized_pl", "drawdown", "max_drawdown")}
        assert (found["generation"], found["method"], found["days"]) == (1, "flat", 0)
        assert (found["total_return"], found["sharpe"], found["best_day"]) == ("-0.000100", None, None)
        assert (found["bought"], found["sold"], found["spread_paid"]) == ("10010.0000", "10000.0000", "10.0000")
        assert found["trades"]["closed"] == summary["closed_trades"] == 1
        assert (found["trades"]["expectancy"], found["trades"]["profit_factor"]) == ("-10.0000", "0.000000")
        assert found["trades"]["median_held_seconds"] == 60
        assert found["honesty"] == {"earlier_generations": 0, "resets_at_a_loss": 0, "days": 0, "trades": 1}
        assert [(row["symbol"], row["realized_pl"]) for row in found["by_symbol"]] == [("IBM", "-10.0000")]

    def test_a_day_that_ended(self, api: Api, account_id: str, open_market: MarketKit) -> None:
        open_market.advance("20:00:00")
        found = api.get(f"{account_id}/performance/").json()
        assert (
            found["daily"] == [{"date": "2013-10-07", "pl": "-10.0000", "share": "-0.000100"}] == [found["worst_day"]]
        )
        assert found["months"] == [{"month": "2013-10", "share": "-0.000100"}]
        assert found["drawdowns"][0]["recovered_at"] is None

    def test_an_earlier_run(self, api: Api, account_id: str) -> None:
        api.post(f"{account_id}/reset/", {"confirm": True})
        assert api.get(f"{account_id}/performance/").json()["trades"]["closed"] == 0
        earlier = api.get(f"{account_id}/performance/", generation=1, method="fifo").json()
        assert (earlier["trades"]["closed"], earlier["method"]) == (1, "fifo")
        latest = api.get(f"{account_id}/performance/").json()["honesty"]
        assert (latest["earlier_generations"], latest["resets_at_a_loss"]) == (1, 1)

    def test_an_unknown_method(self, api: Api, account_id: str) -> None:
        refused = api.get(f"{account_id}/performance/", method="lifo")
        is_error(refused, 400, "bad_request")
        assert refused.json()["error"]["details"] == {"method": "must be one of flat, fifo"}


class TestTrades:
    def test_it_works(self, api: Api, account_id: str) -> None:
        (trade,) = is_list(api.get(f"{account_id}/trades/"))
        fills = is_list(api.get(f"{account_id}/fills/"))
        assert (trade["symbol"], trade["qty"], trade["held_seconds"]) == ("IBM", "100.000000", 60)
        assert (trade["entry_price"], trade["exit_price"], trade["realized_pl"]) == ("100.10", "100.00", "-10.0000")
        assert trade["result_share"] == "-0.000999"
        assert [part["client_order_id"] for part in trade["entries"] + trade["exits"]] == ["in", "out"]
        assert {part["id"] for part in trade["entries"] + trade["exits"]} == {fill["id"] for fill in fills}
        assert trade["realized_pl"] == f"{Book.objects.get(account_id=account_id).realized_pl:.4f}"

    def test_pages_and_a_symbol(self, api: Api, open_market: MarketKit) -> None:
        times = [f"14:00:{second:02d}" for second in range(0, 60, 5)]
        open_market.play(*steady("IBM", "100.00", "100.10", times), start="14:00:00")
        account = api.open_account()
        for _ in range(3):
            api.buy(account, qty="1")
            api.sell(account, qty="1")
        assert [row["number"] for row in api.all(f"{account}/trades/", limit=2)] == [1, 2, 3]
        assert is_list(api.get(f"{account}/trades/", symbol="MSFT")) == []
        is_error(api.get(f"{account}/trades/", cursor="eA"), 400, "invalid_page_token")

    def test_lots(self, api: Api, account_id: str) -> None:
        (trade,) = is_list(api.get(f"{account_id}/trades/", method="fifo"))
        assert trade["realized_pl"] == "-10.0000"


def test_execution(api: Api, account_id: str) -> None:
    """Half a spread of 0.10 on 200 shares; one order rejected, one that waits for its limit."""
    found = api.get(f"{account_id}/execution/").json()
    assert (found["orders"], found["filled"], found["rejected"]) == (4, 2, 1)
    assert (found["half_spread"], found["traded"], found["shortfall"]) == ("10.0000", "20010.0000", "10.0000")
    assert found["half_spread_bp"] == "4.997501"
    assert found["rejects"] == [{"reason": "insufficient_buying_power", "count": 1}]
    assert found["no_fills"] == [{"reason": "not_marketable", "count": 1}]
    assert found["no_fills_by_day"] == [{"date": "2013-10-07", "reasons": [{"reason": "not_marketable", "count": 1}]}]
    assert found["median_time_to_fill_seconds"] == 0


def test_what_a_replace_passed_on_was_ordered_once(api: Api, open_market: MarketKit) -> None:
    """100 shares, edited twice and filled, are all that was decided on; 5 that still wait are not; contracts are 100 shares."""
    account = api.open_account()
    api.buy(account, qty="5", type="limit", limit_price="90")
    order = api.buy(account, qty="100", type="limit", limit_price="95")
    for limit in ("96", "100.10"):
        order = api.patch(f"{account}/orders/{order['id']}/", {"limit_price": limit}).json()
    assert (order["status"], api.get(f"{account}/execution/").json()["fill_ratio"]) == ("filled", "1.000000")
    contract = api.buy(account, qty="1", symbol=CALL, type="limit", limit_price="1")
    api.delete(f"{account}/orders/{contract['id']}/")
    assert api.get(f"{account}/execution/").json()["fill_ratio"] == "0.500000"


class TestCompare:
    def test_it_works(self, api: Api, account_id: str) -> None:
        other = api.open_account(name="still", initial_cash="5000")
        api.post(f"{account_id}/reset/", {"confirm": True})
        found = api.get(COMPARE, runs=f"{account_id}:1,{account_id},{other}").json()
        assert [(run["run"], run["name"]) for run in found["runs"]] == [
            (f"{account_id}:1", "pairs #1"),
            (f"{account_id}:2", "pairs #2"),
            (f"{other}:1", "still #1"),
        ]
        assert [(run["curve"][0]["value"], run["curve"][-1]["value"]) for run in found["runs"]] == [
            ("100.0000", "99.9900"),
            ("100.0000", "100.0000"),
            ("100.0000", "100.0000"),
        ]
        assert len(found["alike"]) == 3 and {pair["correlation"] for pair in found["alike"]} == {None}
        assert found["runs"][0]["performance"] == api.get(f"{account_id}/performance/", generation=1).json()

    @pytest.mark.parametrize("runs", ["", ",", "x:y", "x:1:2", ",".join(f"a{n}" for n in range(11)), "x" * 600])
    def test_what_cannot_be_read(self, api: Api, runs: str) -> None:
        is_error(api.get(COMPARE, runs=runs), 400, "bad_request")

    @pytest.mark.parametrize("runs", ["x", "01a213c3-6138-7187-bd31-c34d8bbd48d4:1"])
    def test_what_is_not_there(self, api: Api, runs: str) -> None:
        is_error(api.get(COMPARE, runs=runs), 404, "not_found")

    def test_somebody_elses_looks_the_same(self, api: Api, account_id: str) -> Any:
        is_error(Api(TokenFactory()).get(COMPARE, runs=account_id), 404, "not_found")
