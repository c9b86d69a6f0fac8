"""Trading-rules.md section 4: what is rejected and stored, what an open order holds, and when it lets go."""

from typing import Any

import pytest

from orders.models import Fill, Order
from papertrade.trading.accounts import archive_account
from tests.desk import Desk, dec
from tests.market_kit import CALL, MarketKit


class TestRow1SellLargerThanWhatIsThere:
    def test_stock_short_sell_not_allowed(self, desk: Desk) -> None:
        order = desk.sell("1")
        assert desk.state(order) == ("rejected", "short_sell_not_allowed")
        assert Order.objects.filter(pk=order.pk).exists(), "stored, so that it can be audited"

    def test_naked_option_sell_not_allowed(self, desk: Desk) -> None:
        assert desk.state(desk.sell("1", symbol=CALL)) == ("rejected", "naked_option_sell_not_allowed")

    def test_one_share_more_than_the_position(self, desk: Desk) -> None:
        desk.buy("10")
        assert desk.state(desk.sell("10.000001")) == ("rejected", "short_sell_not_allowed")
        assert desk.state(desk.sell("10")) == ("filled", "")

    def test_less_what_other_open_sells_hold(self, desk: Desk) -> None:
        desk.buy("10")
        desk.sell("6", limit="200")
        assert desk.state(desk.sell("5")) == ("rejected", "short_sell_not_allowed")
        assert desk.state(desk.sell("4")) == ("filled", "")

    def test_a_canceled_sell_holds_nothing(self, desk: Desk) -> None:
        desk.buy("10")
        desk.cancel(desk.sell("6", limit="200"))
        assert desk.state(desk.sell("10")) == ("filled", "")

    def test_while_the_market_is_closed_too(self, closed_market: MarketKit, trader: Any) -> None:
        desk = Desk(trader)
        assert desk.state(desk.sell("1")) == ("rejected", "short_sell_not_allowed")


class TestRow2BuyThatDoesNotFitBuyingPower:
    @pytest.mark.parametrize(("cash", "status"), [("500", "new"), ("499.9999", "rejected")])
    def test_limit_buy_costs_qty_times_limit(self, open_market: MarketKit, trader: Any, cash: str, status: str) -> None:
        desk = Desk(trader, cash)
        order = desk.buy("10", limit="50")
        assert desk.now(order).status == status
        if status == "rejected":
            assert desk.state(order)[1] == "insufficient_buying_power"

    @pytest.mark.parametrize(("cash", "status"), [("1001", "filled"), ("1000.9999", "rejected")])
    def test_market_buy_costs_the_ask(self, open_market: MarketKit, trader: Any, cash: str, status: str) -> None:
        desk = Desk(trader, cash)
        assert desk.now(desk.buy("10")).status == status

    @pytest.mark.parametrize(("cash", "status"), [("200", "new"), ("199.99", "rejected")])
    def test_option_costs_a_hundred_times_its_limit(
        self, open_market: MarketKit, trader: Any, cash: str, status: str
    ) -> None:
        desk = Desk(trader, cash)
        assert desk.now(desk.buy("1", limit="2.00", symbol=CALL)).status == status

    def test_other_open_buys_count(self, open_market: MarketKit, trader: Any) -> None:
        desk = Desk(trader, "1000")
        desk.buy("10", limit="60")
        assert desk.state(desk.buy("10", limit="50")) == ("rejected", "insufficient_buying_power")
        assert desk.buying_power == dec("400")

    def test_a_limit_buy_that_fills_below_its_limit_must_still_fit_at_its_limit(
        self, open_market: MarketKit, trader: Any
    ) -> None:
        desk = Desk(trader, "1001")
        assert desk.state(desk.buy("10", limit="100.11")) == ("rejected", "insufficient_buying_power")


class TestWhatAMarketBuyHolds:
    """For the ask of the latest quote that passes guards 2, 3 and 5, age and session ignored."""

    def held(self, kit: MarketKit, trader: Any, *lines: str) -> Any:
        kit.play(*lines, "13:30:05 IBM 100.00 100.10", start="13:00:00")
        desk = Desk(trader)
        order = desk.buy("10")
        assert desk.now(order).status == "accepted"
        return desk.book.held_cash

    def test_an_old_quote_of_before_the_session(self, market_kit: MarketKit, trader: Any) -> None:
        assert self.held(market_kit, trader, "09:00:00 IBM 99.00 99.50") == dec("995")

    def test_a_locked_quote(self, market_kit: MarketKit, trader: Any) -> None:
        assert self.held(market_kit, trader, "13:00:00 IBM 99.50 99.50") == dec("995")

    def test_without_a_quote_nothing(self, market_kit: MarketKit, trader: Any) -> None:
        assert self.held(market_kit, trader) == 0

    def test_with_a_one_sided_quote_nothing(self, market_kit: MarketKit, trader: Any) -> None:
        assert self.held(market_kit, trader, "13:00:00 IBM - 99.50") == 0

    def test_with_a_crossed_quote_nothing(self, market_kit: MarketKit, trader: Any) -> None:
        assert self.held(market_kit, trader, "13:00:00 IBM 99.60 99.50") == 0

    def test_without_a_hold_it_is_decided_at_the_fill(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play("13:30:05 IBM 100.00 100.10", start="13:00:00")
        desk = Desk(trader, "1000")
        order = desk.buy("10")
        assert desk.now(order).status == "accepted"
        market_kit.advance("13:30:05")
        assert desk.state(order) == ("rejected", "insufficient_buying_power")

    def test_after_a_partial_fill_it_holds_the_rest_at_that_ask(self, desk: Desk, open_market: MarketKit) -> None:
        order = desk.buy("400")  # 300 displayed at 100.10
        assert desk.now(order).status == "partially_filled"
        assert desk.book.held_cash == dec("10010.00")  # 100 x 100.10

    def test_at_most_what_buying_power_allows(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play("13:00:00 IBM 99.00 100.00", "13:30:05 IBM 109.90 110.00 100 60", start="13:00:00")
        desk = Desk(trader, "10000")
        order = desk.buy("100")
        assert desk.book.held_cash == dec("10000")
        market_kit.advance("13:30:05")
        # 60 x 110 = 6600 are spent; the rest would need 40 x 110 = 4400, and 3400 are left.
        assert desk.fills(order) == [("60", "110.00")]
        assert (desk.book.cash, desk.book.held_cash) == (dec("3400"), dec("3400"))


class TestHoldsAreReleasedOnce:
    def test_by_a_fill_in_parts(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play(
            "14:00:00 IBM 100.00 101.00",
            "14:00:01 IBM 99.90 100.00 100 30",
            "14:00:02 IBM 99.00 99.50 100 30",
            "14:00:03 IBM 99.00 99.60 100 500",
            start="14:00:00",
        )
        desk = Desk(trader)
        order = desk.buy("100", limit="100")
        assert desk.book.held_cash == dec("10000")
        market_kit.advance("14:00:01")
        assert (desk.book.cash, desk.book.held_cash) == (dec("97000"), dec("7000"))
        market_kit.advance("14:00:02")
        assert (desk.book.cash, desk.book.held_cash) == (dec("94015"), dec("4000"))
        market_kit.advance("14:00:03")
        assert (desk.book.cash, desk.book.held_cash) == (dec("90031"), 0)
        assert desk.state(order) == ("filled", "")

    def test_by_a_sell_in_parts(self, desk: Desk) -> None:
        desk.buy("300")
        order = desk.sell("200", limit="150")
        assert desk.position().held_qty == 200
        desk.cancel(order)
        assert desk.position().held_qty == 0

    def test_by_cancel(self, desk: Desk) -> None:
        order = desk.buy("10", limit="50")
        assert desk.book.held_cash == dec("500")
        desk.cancel(order)
        assert desk.book.held_cash == 0

    def test_by_expiry(self, desk: Desk, open_market: MarketKit) -> None:
        order = desk.buy("10", limit="50")
        open_market.advance("20:00:00")
        assert desk.now(order).status == "expired"
        assert desk.book.held_cash == 0

    def test_by_reset(self, desk: Desk) -> None:
        desk.buy("10")
        first = desk.book
        buy, sell = desk.buy("10", limit="50"), desk.sell("5", limit="200")
        desk.reset()
        first.refresh_from_db()
        assert first.held_cash == 0
        assert [desk.state(order) for order in (buy, sell)] == [("canceled", "reset")] * 2
        assert desk.book.held_cash == 0

    def test_by_archive(self, desk: Desk) -> None:
        order = desk.buy("10", limit="50")
        archive_account(account=desk.account)
        assert desk.state(order) == ("canceled", "archived")
        assert desk.book.held_cash == 0

    def test_by_rejection_at_submission(self, open_market: MarketKit, trader: Any) -> None:
        open_market.play(f"14:00:00 {CALL} 1.00 3.00", start="14:00:00")
        desk = Desk(trader)
        assert desk.state(desk.buy("1", symbol=CALL)) == ("rejected", "option_spread_too_wide")
        assert desk.book.held_cash == 0


class TestRoundingTelescopes:
    """Booked = round(exact cost so far) less what was booked; hold = round(exact so far + rest at limit) less booked."""

    def test_fills_of_half_a_share(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play(
            "14:00:00 PENNY 0.3000 0.4000",
            "14:00:01 PENNY 0.3000 0.3333 1 0.5",
            "14:00:02 PENNY 0.3000 0.3331 1 0.5",
            start="14:00:00",
        )
        desk = Desk(trader, "1")
        desk.buy("1", limit="0.3333", symbol="PENNY")
        assert desk.book.held_cash == dec("0.3333")
        market_kit.advance("14:00:01")
        # exact 0.5 x 0.3333 = 0.16665, half to even 0.1666; hold = round(0.16665 + 0.16665) - 0.1666
        assert (desk.book.cash, desk.book.held_cash) == (dec("0.8334"), dec("0.1667"))
        market_kit.advance("14:00:02")
        # exact so far 0.16665 + 0.16655 = 0.3332; booked 0.3332 - 0.1666 = 0.1666
        amounts = list(Fill.objects.order_by("seq").values_list("gross_amount", flat=True))
        assert amounts == [dec("0.1666"), dec("0.1666")]
        assert (desk.book.cash, desk.book.held_cash) == (dec("0.6668"), 0)

    def test_many_small_fills_cost_what_one_would(self, market_kit: MarketKit, trader: Any) -> None:
        # 0.3 x 0.3333 = 0.09999 a fill: rounded one by one ten of them would cost 1.0000, exactly they cost 0.9999.
        quotes = [
            f"14:00:{second:02d} PENNY {bid} {ask} 1 0.3"
            for second in range(1, 21)
            for bid, ask in [("0.3000", "0.3333") if second % 2 else ("0.3000", "0.3500")]
        ]
        market_kit.play("14:00:00 PENNY 0.3000 0.4000", *quotes, start="14:00:00")
        desk = Desk(trader, "1")
        order = desk.buy("3", limit="0.3333", symbol="PENNY")
        market_kit.advance("14:00:30")
        assert len(desk.fills(order)) == 10
        assert desk.book.cash == dec("0.0001")


class TestOrderNumbersAndTimes:
    def test_orders_of_an_account_are_numbered_as_they_come(self, desk: Desk) -> None:
        numbers = [desk.buy("1").number for _ in range(3)]
        assert numbers == [1, 2, 3]

    def test_rejected_orders_have_numbers_too(self, desk: Desk) -> None:
        assert [desk.sell("1").number, desk.buy("1").number] == [1, 2]

    def test_submission_time_is_exchange_time(self, desk: Desk, open_market: MarketKit) -> None:
        open_market.advance("14:00:07.500")
        assert desk.now(desk.buy("1")).submitted_at == open_market.now()

    def test_accepted_while_closed_else_evaluated_at_once(self, closed_market: MarketKit, trader: Any) -> None:
        desk = Desk(trader)
        order = desk.buy("10")
        assert desk.state(order) == ("accepted", "")
        assert desk.now(order).accepted_at == closed_market.now()
        closed_market.advance("13:30:05")
        assert desk.state(order) == ("filled", "")
