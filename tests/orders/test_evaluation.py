"""Trading-rules.md section 5, below its table: when an order is put to a quote, supply, partial fills, events, policy."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from orders.matching import MAX_POSITION_QTY
from orders.models import Fill, Order
from orders.supplies import Supply, load_taken
from papertrade.lib.errors import BadRequest
from papertrade.lib.postgres import raw_cursor
from portfolio.models import Position
from portfolio.store import lock_books
from tests.desk import Desk, dec
from tests.market_kit import CALL, MarketKit, at


def last_ask(order: Order) -> Decimal | None:
    """The ask of the quote that the order's latest event shows."""
    quote = order.account.events.filter(order_id=order.id).latest("seq").quote
    return quote and quote.ask


@pytest.fixture
def play(market_kit: MarketKit, trader: Any) -> Any:
    """Starts a recording at 14:00:00 and returns a desk in it."""

    def start(*lines: str, cash: str = "100000", policy: dict[str, Any] | None = None, begin: str = "14:00:00") -> Desk:
        market_kit.play(*lines, start=begin)
        return Desk(trader, cash, policy)

    return start


class TestBadQuotesLeaveAnOrderOpen:
    """With that reason, at submission and while it works; the next good quote fills it."""

    @pytest.mark.parametrize(
        ("quote", "reason"),
        [
            ("13:59:59 OTHER 1.00 1.10", "quote_missing"),
            ("13:59:59 IBM - 100.10", "quote_invalid"),
            ("13:59:59 IBM 100.00 -", "quote_invalid"),
            ("13:59:59 IBM - -", "quote_invalid"),
            ("13:59:44.999 IBM 100.00 100.10", "quote_stale"),
            ("13:29:59 IBM 100.00 100.10", "quote_stale"),
            ("13:59:59 IBM 100.20 100.10", "quote_crossed"),
            ("13:59:59 IBM 100.00 100.10 500 0", "no_displayed_size"),
        ],
    )
    def test_at_submission(self, play: Any, market_kit: MarketKit, quote: str, reason: str) -> None:
        desk = play(quote, "14:00:05 IBM 100.00 100.12")
        order = desk.buy("10")
        assert desk.state(order) == ("new", reason)
        assert desk.now(order).no_fill_at == at("14:00:00")
        market_kit.advance("14:00:05")
        assert desk.fills(order) == [("10", "100.12")]
        assert desk.state(order) == ("filled", "")

    @pytest.mark.parametrize(
        ("quote", "reason"),
        [
            ("14:00:01 IBM - 99.00", "quote_invalid"),
            ("14:00:01 IBM 99.10 99.00", "quote_crossed"),
            ("14:00:01 IBM 98.90 99.00 500 0", "no_displayed_size"),
        ],
    )
    def test_while_working(self, play: Any, market_kit: MarketKit, quote: str, reason: str) -> None:
        desk = play("14:00:00 IBM 100.00 100.10", quote, "14:00:05 IBM 98.80 98.90")
        order = desk.buy("10", limit="99")
        market_kit.advance("14:00:01")
        assert desk.state(order) == ("new", reason)
        market_kit.advance("14:00:05")
        assert desk.fills(order) == [("10", "98.90")]

    def test_a_limit_that_is_not_marketable(self, play: Any) -> None:
        desk = play("14:00:00 IBM 100.00 100.10")
        assert desk.state(desk.buy("10", limit="100.09")) == ("new", "not_marketable")


class TestOnlyRows7And9And10Reject:
    def test_7_at_submission_rejects(self, play: Any) -> None:
        desk = play(f"14:00:00 {CALL} 1.00 2.00")
        assert desk.state(desk.buy("1", symbol=CALL)) == ("rejected", "option_spread_too_wide")

    def test_7_while_working_leaves_it_open(self, play: Any, market_kit: MarketKit) -> None:
        desk = play(f"14:00:00 {CALL} 4.00 4.20", f"14:00:01 {CALL} 1.00 2.00", f"14:00:02 {CALL} 1.90 2.00")
        order = desk.buy("1", limit="3.00", symbol=CALL)
        market_kit.advance("14:00:01")
        assert desk.state(order) == ("new", "option_spread_too_wide")
        market_kit.advance("14:00:02")
        assert desk.fills(order) == [("1", "2.00")]

    def test_7_at_the_open_leaves_it_open(self, play: Any, market_kit: MarketKit) -> None:
        desk = play(f"13:30:00 {CALL} 1.00 2.00", f"13:30:05 {CALL} 1.90 2.00", begin="13:00:00")
        order = desk.buy("1", symbol=CALL)
        market_kit.advance("13:30:00")
        assert desk.state(order) == ("new", "option_spread_too_wide")
        market_kit.advance("13:30:05")
        assert desk.fills(order) == [("1", "2.00")]

    def test_9_rejects_an_order_that_was_not_filled_yet(self, play: Any, market_kit: MarketKit) -> None:
        desk = play("14:00:05 IBM 100.00 100.10", cash="1000")
        order = desk.buy("10")
        assert desk.state(order) == ("new", "quote_missing")
        market_kit.advance("14:00:05")
        assert desk.state(order) == ("rejected", "insufficient_buying_power")
        assert (desk.now(order).no_fill_reason, desk.now(order).no_fill_at) == ("", None)
        assert last_ask(order) == dec("100.10")

    def test_9_cancels_the_rest_of_a_partially_filled_order(self, play: Any, market_kit: MarketKit) -> None:
        desk = play("14:00:00 IBM 99.00 100.00 100 60", "14:00:01 IBM 109.90 110.00 100 500", cash="10000")
        order = desk.buy("100")
        assert desk.fills(order) == [("60", "100.00")]
        market_kit.advance("14:00:01")  # 40 x 110 = 4400, and 4000 are left
        assert desk.state(order) == ("canceled", "insufficient_buying_power")
        assert last_ask(order) == dec("110.00"), "the event shows the quote that was too dear"
        assert desk.fills(order) == [("60", "100.00")]
        assert (desk.book.cash, desk.book.held_cash) == (4000, 0)

    def test_10_rejects_what_no_column_could_hold(self, play: Any, market_kit: MarketKit) -> None:
        """In the step of a quote, which would fail again and again, and the market stand still for everybody."""
        desk = play("14:00:00 IBM 100.00 100.10", "14:00:05 IBM 98.90 99.00")
        desk.buy("10")
        order = desk.buy("10", limit="99")
        Position.objects.update(qty="999999999999")
        market_kit.advance("14:00:05")
        assert desk.state(order) == ("rejected", "position_limit_exceeded")
        assert desk.book.held_cash == 0

    def test_10_cancels_the_rest_of_a_partially_filled_order(self, play: Any, market_kit: MarketKit) -> None:
        desk = play("14:00:00 IBM 100.00 100.10 100 60", "14:00:05 IBM 98.90 99.00")
        order = desk.buy("100")
        Position.objects.update(qty=MAX_POSITION_QTY)
        market_kit.advance("14:00:05")
        assert desk.state(order) == ("canceled", "position_limit_exceeded")
        assert desk.fills(order) == [("60", "100.10")]


class TestWhenAnOrderIsEvaluated:
    def test_an_unchanged_repeat_refreshes_the_age(self, play: Any, market_kit: MarketKit) -> None:
        desk = play("13:59:40 IBM 100.00 100.10", "14:00:05 IBM 100.00 100.10")
        order = desk.buy("10")
        assert desk.state(order) == ("new", "quote_stale")
        market_kit.advance("14:00:05")
        assert desk.fills(order) == [("10", "100.10")]

    def test_at_the_quote_s_own_time_however_far_the_step_goes(self, play: Any, market_kit: MarketKit) -> None:
        desk = play("14:00:00 IBM 100.00 100.10", "14:00:07.250 IBM 98.90 99.00", "14:00:30 IBM 100.00 100.10")
        order = desk.buy("10", limit="99")
        market_kit.advance("14:05:00")
        fill = Fill.objects.select_related("quote").get(order_id=order.pk)
        assert fill.created_at == fill.quote.quoted_at == desk.now(order).filled_at == at("14:00:07.250")

    def test_a_fill_at_submission_keeps_the_quote_s_time_and_its_own(self, play: Any, market_kit: MarketKit) -> None:
        desk = play("13:59:58 IBM 100.00 100.10")
        fill = Fill.objects.select_related("quote").get(order_id=desk.buy("10").pk)
        assert (fill.quote.quoted_at, fill.created_at) == (at("13:59:58"), at("14:00:00"))

    def test_a_quote_that_cannot_reach_the_limit_does_not_touch_it(self, play: Any, market_kit: MarketKit) -> None:
        # It would be quote_crossed if anyone looked.
        desk = play("14:00:00 IBM 100.00 100.10", "14:00:01 IBM 101.00 99.50", "14:00:02 IBM 100.00 100.10")
        order = desk.buy("10", limit="99")
        before = desk.events(order), desk.now(order).updated_at
        market_kit.advance("14:00:10")
        assert (desk.events(order), desk.now(order).updated_at) == before

    def test_a_raw_quote_that_reaches_the_limit_touches_it_though_it_is_crossed(
        self, play: Any, market_kit: MarketKit
    ) -> None:
        desk = play("14:00:00 IBM 100.00 100.10", "14:00:01 IBM 101.00 99.00")
        order = desk.buy("10", limit="99")
        market_kit.advance("14:00:01")
        assert desk.state(order) == ("new", "quote_crossed")

    def test_after_a_quotes_fault_the_first_usable_quote_gives_the_markets_reason(
        self, play: Any, market_kit: MarketKit
    ) -> None:
        """The quote on file is from before the open: stale for good, were it not looked at once more."""
        day = "2024-03-07T"  # opens at 14:30
        desk = play(
            f"{day}14:29:58Z IBM 99.00 99.01",
            f"{day}14:30:03Z IBM 100.00 100.10",
            f"{day}14:30:04Z IBM 100.00 100.11",
            begin=f"{day}14:29:00Z",
        )
        market_kit.advance(f"{day}14:30:01Z")
        order = desk.buy("10", limit="99.05")
        assert desk.state(order) == ("new", "quote_stale")
        market_kit.advance(f"{day}14:31:00Z")
        assert desk.state(order) == ("new", "not_marketable")
        evaluated = [event for event in desk.account.events.filter(order_id=order.pk) if event.reason]
        assert [(event.reason, event.at) for event in evaluated] == [
            ("quote_stale", at(f"{day}14:30:01Z")),
            ("not_marketable", at(f"{day}14:30:03Z")),
        ]

    def test_so_it_does_for_an_order_of_the_night(self, play: Any, market_kit: MarketKit) -> None:
        desk = play(
            "13:29:58 IBM 99.00 99.01",
            "13:30:02 IBM 100.20 100.10",
            "13:30:03 IBM - 100.10",
            "13:30:04 IBM 100.00 100.10",
            begin="13:00:00",
        )
        buy, other = desk.buy("10", limit="99.05"), desk.buy("10", limit="99.05", symbol="AAPL")
        market_kit.advance("13:30:00")
        assert desk.state(buy) == ("new", "quote_stale")
        market_kit.advance("13:30:03")
        assert desk.state(buy) == ("new", "quote_stale"), "these are no better"
        market_kit.advance("13:30:04")
        assert (desk.state(buy), desk.state(other)) == (("new", "not_marketable"), ("new", "quote_missing"))

    def test_a_quote_of_another_symbol_does_not_touch_it(self, play: Any, market_kit: MarketKit) -> None:
        desk = play("14:00:00 IBM 100.00 100.10", "14:00:01 AAPL 1.00 1.10")
        order = desk.buy("10", limit="99")
        market_kit.advance("14:00:10")
        assert desk.state(order) == ("new", "not_marketable")

    def test_quotes_between_submission_and_fill_are_each_seen_in_order(self, play: Any, market_kit: MarketKit) -> None:
        desk = play(
            "14:00:00 IBM 100.00 100.10",
            "14:00:01 IBM 98.90 99.00 9 3",
            "14:00:01 IBM 98.80 98.90 9 4",
            "14:00:02 IBM 98.70 98.80 9 5",
        )
        order = desk.buy("10", limit="99")
        market_kit.advance("14:01:00")
        assert desk.fills(order) == [("3", "99.00"), ("4", "98.90"), ("3", "98.80")]

    def test_competing_orders_go_by_number(self, play: Any, market_kit: MarketKit) -> None:
        desk = play("14:00:00 IBM 100.00 100.10", "14:00:01 IBM 98.90 99.00 500 15")
        first, second = desk.buy("10", limit="99"), desk.buy("10", limit="99.50")
        market_kit.advance("14:00:01")
        assert desk.fills(first) == [("10", "99.00")]
        assert desk.fills(second) == [("5", "99.00")]

    def test_times_in_one_book_never_go_back(self, play: Any, market_kit: MarketKit) -> None:
        desk = play(*(f"14:00:0{second} IBM 98.90 99.00 500 10" for second in range(5)))
        for _ in range(3):
            desk.buy("7")
            market_kit.advance(market_kit.now() + timedelta(seconds=1))
        times = list(desk.account.events.order_by("seq").values_list("at", flat=True))
        assert times == sorted(times)

    def test_time_cannot_be_moved_back(self, play: Any, market_kit: MarketKit) -> None:
        play("14:00:00 IBM 100.00 100.10")
        with pytest.raises(BadRequest):
            market_kit.advance("13:59:59")
        market_kit.advance("14:00:00")


class TestSupplyBelongsToItsPrice:
    def test_it_is_taken_once(self, play: Any) -> None:
        desk = play("14:00:00 IBM 100.00 100.10 500 300")
        assert desk.fills(desk.buy("200")) == [("200", "100.10")]
        second, third = desk.buy("200"), desk.buy("1")
        assert desk.fills(second) == [("100", "100.10")]
        assert desk.state(third) == ("new", "no_displayed_size")

    def test_a_repeat_is_no_new_supply(self, play: Any, market_kit: MarketKit) -> None:
        desk = play("14:00:00 IBM 100.00 100.10 500 300", "14:00:01 IBM 100.00 100.10 500 300")
        order = desk.buy("400")
        market_kit.advance("14:00:01")
        assert desk.fills(order) == [("300", "100.10")]

    def test_a_row_repeated_because_the_other_side_moved_is_no_new_supply(
        self, play: Any, market_kit: MarketKit
    ) -> None:
        desk = play("14:00:00 IBM 100.00 100.10 500 300", "14:00:01 IBM 99.99 100.10 900 300")
        order = desk.buy("400")
        market_kit.advance("14:00:01")
        assert desk.fills(order) == [("300", "100.10")]

    def test_a_size_that_flickers_is_no_new_supply(self, play: Any, market_kit: MarketKit) -> None:
        desk = play(
            "14:00:00 IBM 100.00 100.10 500 300",
            "14:00:01 IBM 100.00 100.10 500 100",
            "14:00:02 IBM 100.00 100.10 500 300",
        )
        order = desk.buy("400")
        market_kit.advance("14:00:02")
        assert desk.fills(order) == [("300", "100.10")]

    def test_a_side_that_goes_missing_and_comes_back_at_its_price_is_no_new_supply(
        self, play: Any, market_kit: MarketKit
    ) -> None:
        flickering = [
            f"14:00:{second:02d} IBM 100.00 {'100.10 500 300' if second % 2 == 0 else '-'}" for second in range(18)
        ]
        desk = play(*flickering)
        order = desk.buy("900")
        market_kit.advance("14:00:18")
        assert desk.fills(order) == [("300", "100.10")]

    def test_a_side_that_goes_missing_and_comes_back_at_another_price_is_one(
        self, play: Any, market_kit: MarketKit
    ) -> None:
        desk = play("14:00:00 IBM 100.00 100.10 500 300", "14:00:01 IBM 100.00 -", "14:00:02 IBM 100.00 100.11 500 300")
        order = desk.buy("400")
        market_kit.advance("14:00:02")
        assert desk.fills(order) == [("300", "100.10"), ("100", "100.11")]

    def test_a_price_that_went_and_came_back_within_one_stamp_is_one_supply(
        self, play: Any, market_kit: MarketKit
    ) -> None:
        desk = play(
            "14:00:00 IBM 100.00 100.20 500 300",
            *(f"14:00:01 IBM 100.00 {ask} 500 300" for ask in ("100.10", "100.20", "100.10")),
        )
        order = desk.buy("900", limit="100.10")
        market_kit.advance("14:00:01")
        assert desk.fills(order) == [("300", "100.10")]

    def test_a_size_that_grows_adds_the_difference(self, play: Any, market_kit: MarketKit) -> None:
        desk = play("14:00:00 IBM 100.00 100.10 500 300", "14:00:01 IBM 100.00 100.10 500 350")
        order = desk.buy("400")
        market_kit.advance("14:00:01")
        assert desk.fills(order) == [("300", "100.10"), ("50", "100.10")]

    def test_a_price_change_starts_anew(self, play: Any, market_kit: MarketKit) -> None:
        desk = play("14:00:00 IBM 100.00 100.10 500 300", "14:00:01 IBM 100.00 100.11 500 60")
        order = desk.buy("400")
        market_kit.advance("14:00:01")
        assert desk.fills(order) == [("300", "100.10"), ("60", "100.11")]

    def test_so_does_a_price_that_went_and_came_back(self, play: Any, market_kit: MarketKit) -> None:
        desk = play(
            "14:00:00 IBM 100.00 100.10 500 300",
            "14:00:01 IBM 100.00 100.20 500 300",
            "14:00:02 IBM 100.00 100.10 500 300",
        )
        order = desk.buy("400", limit="100.10")
        market_kit.advance("14:00:02")
        assert desk.fills(order) == [("300", "100.10"), ("100", "100.10")]

    def test_the_same_price_spelled_differently_is_the_same_price(self, play: Any, market_kit: MarketKit) -> None:
        desk = play("14:00:00 IBM 100.00 100.10 500 300", "14:00:01 IBM 100.00 100.1 500 300")
        order = desk.buy("400")
        market_kit.advance("14:00:01")
        assert desk.fills(order) == [("300", "100.10")]

    def test_the_two_sides_are_two_supplies(self, play: Any) -> None:
        desk = play("14:00:00 IBM 100.00 100.10 300 300")
        assert desk.fills(desk.buy("300")) == [("300", "100.10")]
        assert desk.fills(desk.sell("300")) == [("300", "100.00")]

    def test_another_account_has_its_own(self, play: Any, trader: Any) -> None:
        desk = play("14:00:00 IBM 100.00 100.10 500 300")
        desk.buy("300")
        other = Desk(trader)
        assert other.fills(other.buy("300")) == [("300", "100.10")]

    def test_a_new_generation_has_its_own(self, play: Any) -> None:
        desk = play("14:00:00 IBM 100.00 100.10 500 300")
        desk.buy("300")
        desk.reset()
        assert desk.fills(desk.buy("300")) == [("300", "100.10")]

    def test_it_is_remembered_from_before_the_start_of_the_clock(self, play: Any, market_kit: MarketKit) -> None:
        desk = play(
            "13:50:00 IBM 100.00 100.10 500 300",
            "13:59:59 IBM 100.00 100.10 500 300",
            "14:00:09 IBM 100.00 100.10 500 300",
        )
        order = desk.buy("400")
        market_kit.advance("14:00:10")
        assert desk.fills(order) == [("300", "100.10")]
        assert Fill.objects.get().price_since == at("13:50:00")


class TestPartialFills:
    def test_the_rest_waits_for_the_next_quote(self, play: Any, market_kit: MarketKit) -> None:
        desk = play("14:00:00 IBM 100.00 100.10 500 300", "14:00:05 IBM 100.00 100.05 500 80")
        order = desk.buy("350")
        assert desk.now(order).status == "partially_filled"
        assert desk.now(order).filled_qty == 300
        market_kit.advance("14:00:05")
        assert desk.state(order) == ("filled", "")
        assert desk.fills(order) == [("300", "100.10"), ("50", "100.05")]
        # (300 x 100.10 + 50 x 100.05) / 350
        assert round(desk.now(order).average_fill_price, 6) == round(
            (30030 + desk.now(order).exact_cost - 30030) / 350, 6
        )

    def test_option_contracts_are_whole(self, play: Any) -> None:
        desk = play(f"14:00:00 {CALL} 4.00 4.20 10 2.5")
        assert desk.fills(desk.buy("5", symbol=CALL)) == [("2", "4.20")]


class TestEvents:
    def test_an_event_only_when_the_reason_differs(self, play: Any, market_kit: MarketKit) -> None:
        desk = play(
            "14:00:00 IBM 100.00 100.10",
            "14:00:01 IBM 99.10 99.00",
            "14:00:02 IBM 99.11 99.00",
            "14:00:03 IBM - 99.00",
            "14:00:04 IBM 99.20 99.00",
            "14:00:05 IBM 98.90 99.00",
        )
        order = desk.buy("10", limit="99")
        market_kit.advance("14:01:00")
        assert [reason for kind, reason in desk.events(order) if kind == "order_evaluated"] == [
            "not_marketable",
            "quote_crossed",
            "quote_invalid",
            "quote_crossed",
        ]
        assert desk.events(order)[-1][0] == "order_filled"

    def test_each_evaluation_keeps_the_quote_it_saw(self, play: Any, market_kit: MarketKit) -> None:
        desk = play("13:59:58 IBM 100.00 100.10 500 300", "14:00:01 IBM 99.10 99.00 7 8")
        order = desk.buy("10", limit="99")
        market_kit.advance("14:00:01")
        event = desk.account.events.select_related("quote").filter(order_id=order.pk).latest("seq")
        seen = event.quote
        assert (event.reason, event.at) == ("quote_crossed", at("14:00:01"))
        assert (str(seen.bid), str(seen.ask)) == ("99.100000", "99.000000")
        assert (seen.bid_size, seen.ask_size, seen.quoted_at, seen.feed) == (7, 8, at("14:00:01"), "test")

    def test_a_fills_event_says_what_was_done_and_what_is_left(self, play: Any, market_kit: MarketKit) -> None:
        desk = play("14:00:00 IBM 100.00 100.10 500 300", "14:00:05 IBM 100.00 100.05 500 80")
        desk.buy("5")
        order = desk.buy("350")
        market_kit.advance("14:00:05")
        names = ("qty", "price", "amount", "filled_qty", "remaining_qty", "position_qty")
        told = desk.account.events.filter(order_id=order.pk, type="order_filled").order_by("seq").values_list(*names)
        assert [tuple(map(float, row)) for row in told] == [
            (295, 100.10, 29529.5, 295, 55, 300),
            (55, 100.05, 5502.75, 350, 0, 355),
        ]
        others = desk.account.events.exclude(type="order_filled").values_list(*names)
        assert set(others) == {(None,) * 6}

    def test_events_are_numbered_without_gaps_through_resets(self, desk: Desk) -> None:
        desk.buy("10")
        desk.sell("100")
        desk.reset()
        desk.buy("1", limit="1")
        desk.reset(reason="again")
        seqs = list(desk.account.events.order_by("seq").values_list("seq", flat=True))
        assert seqs == list(range(1, len(seqs) + 1))


class TestPolicy:
    def test_defaults(self, desk: Desk) -> None:
        policy = desk.account.generations.get().policy
        assert policy["stock_quote_max_age_seconds"] == 15
        assert policy["option_quote_max_age_seconds"] == 60
        assert float(policy["option_max_spread_ratio"]) == 0.25
        assert float(policy["option_spread_floor"]) == 0.10
        assert policy["size_cap"] is True

    def test_an_account_may_have_its_own(self, play: Any) -> None:
        desk = play("13:59:00 IBM 100.00 100.10 5 5", policy={"stock_quote_max_age_seconds": 60, "size_cap": False})
        assert desk.fills(desk.buy("100")) == [("100", "100.10")]

    @pytest.mark.parametrize("size_cap", [True, False])
    def test_what_was_taken_is_asked_only_where_sizes_cap(self, play: Any, size_cap: bool) -> None:
        desk = play("13:59:59 IBM 100.00 100.10 5 5", policy={"size_cap": size_cap})
        fill = desk.buy("3").fills.get()
        supply = Supply(desk.book.pk, "IBM", "buy", fill.price_since, fill.price)
        with raw_cursor() as cursor:
            books = {book.id: book for book in lock_books(cursor, [desk.book.pk])}
            assert load_taken(cursor, books, [supply]) == ({supply: dec(3)} if size_cap else {})

    def test_a_reset_may_change_it_and_the_old_generation_keeps_its_own(self, play: Any) -> None:
        desk = play("13:59:00 IBM 100.00 100.10 5 5")
        desk.reset(policy={"stock_quote_max_age_seconds": 60})
        ages = [g.policy["stock_quote_max_age_seconds"] for g in desk.account.generations.order_by("number")]
        assert ages == [15, 60]
        assert desk.fills(desk.buy("5")) == [("5", "100.10")]

    def test_a_change_of_settings_does_not_touch_a_generation_that_runs(
        self, play: Any, settings: Any, trader: Any
    ) -> None:
        desk = play("13:59:00 IBM 100.00 100.10 500 500")
        settings.PAPERTRADE_STOCK_QUOTE_MAX_AGE_SECONDS = 60
        assert desk.state(desk.buy("5")) == ("new", "quote_stale")
        other = Desk(trader)
        assert other.fills(other.buy("5")) == [("5", "100.10")]

    def test_a_generation_shows_feed_and_engine_version(self, desk: Desk) -> None:
        generation = desk.account.generations.get()
        assert generation.feed and generation.engine_version

    @pytest.mark.parametrize(
        "policy",
        [
            {"unknown": 1}, {"stock_quote_max_age_seconds": 0}, {"stock_quote_max_age_seconds": "soon"},
            {"stock_quote_max_age_seconds": 1.5}, {"option_max_spread_ratio": "-0.1"}, {"option_spread_floor": "NaN"},
            {"option_quote_max_age_seconds": "１２"}, {"option_spread_floor": "1_0"},
            {"size_cap": "true"}, {"size_cap": 1}, [], "strict", 5,
        ],
        ids=str,
    )  # fmt: skip
    def test_a_policy_that_cannot_be_used(self, open_market: MarketKit, trader: Any, policy: Any) -> None:
        with pytest.raises(BadRequest) as refusal:
            Desk(trader, policy=policy)
        assert "policy" in refusal.value.details
