"""Every guard of trading-rules.md section 5, named after its row; pure. What they do to a stored order: test_evaluation.py.

The quote of every test is 100.00 x 100.10, 500 x 300 displayed, a second old, in a session that opened an hour ago; each
row says what differs.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.policy import Policy
from marketdata.quotes import Quote
from orders.matching import MAX_POSITION_QTY, Circumstances, Fill, Reject, WorkingOrder, evaluate
from orders.terms import Side

NOW = datetime(2013, 10, 7, 14, 30, tzinfo=UTC)
SESSION_OPEN = datetime(2013, 10, 7, 13, 30, tzinfo=UTC)
A_SECOND_AGO = NOW - timedelta(seconds=1)
D = Decimal
QUOTE = Quote("IBM", D("100.00"), D("100.10"), D(500), D(300), A_SECOND_AGO, "test", SESSION_OPEN, SESSION_OPEN)
WORLD = Circumstances(at=NOW, session_open=SESSION_OPEN, policy=Policy(), buying_power=D(1_000_000))


def order(
    side: str = "buy", qty: str = "100", limit: str | None = None, multiplier: int = 1, **more: Any
) -> WorkingOrder:
    return WorkingOrder(
        side=Side(side),
        multiplier=multiplier,
        remaining=D(qty),
        limit_price=None if limit is None else D(limit),
        **more,
    )


def option(side: str = "buy", qty: str = "1", limit: str | None = None) -> WorkingOrder:
    return order(side, qty, limit, multiplier=100)


def outcome(
    order: WorkingOrder, quote: Quote | None = QUOTE, world: Circumstances = WORLD, **changes: Any
) -> tuple[str, str | tuple[str, str]]:
    """("no fill", reason), ("reject", reason) or ("fill", (qty, price)); `changes` are of the quote."""
    decision = evaluate(order, replace(quote, **changes) if quote and changes else quote, world)
    if isinstance(decision, Fill):
        return ("fill", (f"{decision.qty.normalize():f}", f"{decision.price:f}"))
    return ("reject" if isinstance(decision, Reject) else "no fill", str(decision.reason))


def seconds_old(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


class TestGuard1SessionNotOpen:
    def test_market_closed(self) -> None:
        assert outcome(order(), world=replace(WORLD, session_open=None)) == ("no fill", "market_closed")


class TestGuard2NoQuote:
    def test_quote_missing(self) -> None:
        assert outcome(order(), None) == ("no fill", "quote_missing")


class TestGuard3QuoteInvalid:
    @pytest.mark.parametrize("side", ["buy", "sell"])
    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({"bid": None, "bid_size": D(0)}, id="bid absent"),
            pytest.param({"ask": None, "ask_size": D(0)}, id="ask absent"),
            pytest.param({"bid": None, "ask": None}, id="both absent"),
            pytest.param({"bid": D(0)}, id="bid zero"),
            pytest.param({"ask": D(0)}, id="ask zero"),
            pytest.param({"bid": D(-1)}, id="bid negative"),
            pytest.param({"ask": D(-1)}, id="ask negative"),
            pytest.param({"bid_size": D(-1)}, id="bid size negative"),
            pytest.param({"ask_size": D(-1)}, id="ask size negative"),
            pytest.param({"quoted_at": NOW + timedelta(microseconds=1)}, id="quoted in the future"),
        ],
    )
    def test_quote_invalid(self, side: str, changes: dict[str, Any]) -> None:
        assert outcome(order(side), **changes) == ("no fill", "quote_invalid")

    def test_quoted_at_this_instant_is_not_the_future(self) -> None:
        assert outcome(order(), quoted_at=NOW)[0] == "fill"

    @pytest.mark.parametrize(("seconds", "expected"), [(1, "fill"), (1.001, "no fill")])
    def test_the_live_market_tolerates_a_second(self, seconds: float, expected: str) -> None:
        assert outcome(order(), quoted_at=seconds_old(-seconds), taken_at=NOW)[0] == expected


class TestGuard4QuoteStale:
    @pytest.mark.parametrize(("age", "expected"), [(15, "fill"), (15.000001, "no fill"), (600, "no fill")])
    def test_stock_quote_older_than_15_seconds(self, age: float, expected: str) -> None:
        found = outcome(order(), quoted_at=seconds_old(age))
        assert found[0] == expected and (expected == "fill" or found[1] == "quote_stale")

    @pytest.mark.parametrize(("age", "expected"), [(60, "fill"), (60.000001, "no fill")])
    def test_option_quote_older_than_60_seconds(self, age: float, expected: str) -> None:
        assert outcome(option(), quoted_at=seconds_old(age))[0] == expected

    def test_the_age_is_the_policy_s(self) -> None:
        patient = replace(WORLD, policy=Policy(stock_quote_max_age_seconds=600))
        assert outcome(order(), world=patient, quoted_at=seconds_old(600))[0] == "fill"

    def test_from_before_this_session_s_open(self) -> None:
        opening = replace(WORLD, at=SESSION_OPEN + timedelta(seconds=1))
        before, then = SESSION_OPEN - timedelta(microseconds=1), SESSION_OPEN
        assert outcome(order(), world=opening, quoted_at=before) == ("no fill", "quote_stale")
        assert outcome(order(), world=opening, quoted_at=then)[0] == "fill"


class TestGuard5QuoteCrossed:
    def test_bid_above_ask(self) -> None:
        assert outcome(order(), bid=D("100.11")) == ("no fill", "quote_crossed")

    @pytest.mark.parametrize("side", ["buy", "sell"])
    def test_locked_fills(self, side: str) -> None:
        assert outcome(order(side), bid=D("100.10")) == ("fill", ("100", "100.10"))


class TestGuard6NotMarketable:
    @pytest.mark.parametrize(
        ("side", "limit", "expected"),
        [
            ("buy", "100.09", ("no fill", "not_marketable")),
            ("buy", "100.10", ("fill", ("100", "100.10"))),
            ("buy", "100.11", ("fill", ("100", "100.10"))),
            ("sell", "100.01", ("no fill", "not_marketable")),
            ("sell", "100.00", ("fill", ("100", "100.00"))),
            ("sell", "99.99", ("fill", ("100", "100.00"))),
        ],
    )
    def test_limit(self, side: str, limit: str, expected: tuple) -> None:
        assert outcome(order(side, limit=limit)) == expected


class TestGuard7OptionSpreadTooWide:
    # spread > max(0.25 x mid, 0.10)
    @pytest.mark.parametrize(
        ("bid", "ask", "fills"),
        [
            pytest.param("1.75", "2.25", True, id="0.50 = 0.25 x 2.00"),
            pytest.param("1.74", "2.26", False, id="0.52 > 0.25 x 2.00"),
            pytest.param("0.05", "0.15", True, id="0.10 = floor, though 1.00 of mid"),
            pytest.param("0.05", "0.16", False, id="0.11 > floor"),
            pytest.param("4.00", "4.20", True, id="0.20 < 0.25 x 4.10"),
        ],
    )
    def test_working_or_at_the_open_it_stays_open(self, bid: str, ask: str, fills: bool) -> None:
        found = outcome(option(), bid=D(bid), ask=D(ask))
        assert found == (("fill", ("1", ask)) if fills else ("no fill", "option_spread_too_wide"))

    def test_at_submission_it_is_rejected(self) -> None:
        submitted = replace(WORLD, at_submission=True)
        assert outcome(option(), world=submitted, bid=D("1.74"), ask=D("2.26")) == ("reject", "option_spread_too_wide")

    @pytest.mark.parametrize("at_submission", [True, False])
    def test_a_stock_may_be_as_wide_as_it_likes(self, at_submission: bool) -> None:
        assert outcome(order(), world=replace(WORLD, at_submission=at_submission), bid=D("50"))[0] == "fill"

    def test_ratio_and_floor_are_the_policy_s(self) -> None:
        strict = replace(WORLD, policy=Policy(option_max_spread_ratio=D("0.01"), option_spread_floor=D("0.01")))
        assert outcome(option(), world=strict, bid=D("4.00"), ask=D("4.20"))[0] == "no fill"


class TestGuard8NoDisplayedSize:
    @pytest.mark.parametrize(("side", "displayed"), [("buy", 300), ("sell", 500)])
    def test_displayed_less_taken_is_zero(self, side: str, displayed: int) -> None:
        for taken in (displayed, displayed + 1):
            assert outcome(order(side), world=replace(WORLD, taken=D(taken))) == ("no fill", "no_displayed_size")

    @pytest.mark.parametrize(("side", "changes"), [("buy", {"ask_size": D(0)}), ("sell", {"bid_size": D(0)})])
    def test_displayed_size_zero(self, side: str, changes: dict[str, Any]) -> None:
        assert outcome(order(side), **changes) == ("no fill", "no_displayed_size")

    @pytest.mark.parametrize(("side", "changes"), [("sell", {"ask_size": D(0)}), ("buy", {"bid_size": D(0)})])
    def test_the_other_side_s_size_does_not_matter(self, side: str, changes: dict[str, Any]) -> None:
        assert outcome(order(side), **changes)[0] == "fill"

    def test_a_feed_without_sizes_does_not_cap(self) -> None:
        assert outcome(order(qty="5000"), ask_size=None, bid_size=None) == ("fill", ("5000", "100.10"))

    def test_a_policy_without_size_cap_does_not_cap(self) -> None:
        assert outcome(order(qty="5000"), world=replace(WORLD, policy=Policy(size_cap=False)))[1] == ("5000", "100.10")


class TestGuard9InsufficientBuyingPower:
    def test_a_buy_that_does_not_fit(self) -> None:
        poor = replace(WORLD, buying_power=D("10009.9999"))  # 100 x 100.10 = 10010
        assert outcome(order(), world=poor) == ("reject", "insufficient_buying_power")

    def test_a_buy_that_fits_exactly(self) -> None:
        assert outcome(order(), world=replace(WORLD, buying_power=D("10010")))[0] == "fill"

    def test_its_own_hold_counts(self) -> None:
        assert outcome(order(held_cash=D("10010")), world=replace(WORLD, buying_power=D(0)))[0] == "fill"

    def test_only_the_quantity_about_to_be_filled_counts(self) -> None:
        # 300 of 1000 are displayed: 300 x 100.10 = 30030
        assert outcome(order(qty="1000"), world=replace(WORLD, buying_power=D("30030")))[1] == ("300", "100.10")

    def test_an_option_costs_a_hundred_times_its_price(self) -> None:
        quote = {"bid": D("4.00"), "ask": D("4.20")}
        assert outcome(option(), world=replace(WORLD, buying_power=D("420")), **quote)[0] == "fill"
        assert outcome(option(), world=replace(WORLD, buying_power=D("419.99")), **quote)[0] == "reject"

    def test_a_sell_needs_no_cash(self) -> None:
        assert outcome(order("sell"), world=replace(WORLD, buying_power=D(0)))[0] == "fill"


class TestGuard10PositionLimitExceeded:
    ALMOST = replace(WORLD, position_qty=MAX_POSITION_QTY - 100)

    @pytest.mark.parametrize("qty", ["100.000001", "101"])
    def test_a_buy_beyond_it(self, qty: str) -> None:
        assert outcome(order(qty=qty), world=self.ALMOST) == ("reject", "position_limit_exceeded")

    def test_a_buy_up_to_it(self) -> None:
        assert outcome(order(qty="100"), world=self.ALMOST)[0] == "fill"

    def test_only_the_quantity_about_to_be_filled_counts(self) -> None:
        assert outcome(order(qty="1000"), world=self.ALMOST, ask_size=D(100))[1] == ("100", "100.10")

    def test_a_sell_makes_it_smaller(self) -> None:
        assert outcome(order("sell"), world=replace(WORLD, position_qty=MAX_POSITION_QTY + 1))[0] == "fill"


class TestOtherwise:
    def test_a_buy_fills_at_the_ask(self) -> None:
        assert outcome(order("buy")) == ("fill", ("100", "100.10"))

    def test_a_sell_fills_at_the_bid(self) -> None:
        assert outcome(order("sell")) == ("fill", ("100", "100.00"))

    def test_no_more_than_the_displayed_size(self) -> None:
        assert outcome(order("buy", qty="1000")) == ("fill", ("300", "100.10"))
        assert outcome(order("sell", qty="1000")) == ("fill", ("500", "100.00"))

    def test_what_was_taken_of_the_price_is_gone(self) -> None:
        assert outcome(order("buy", qty="1000"), world=replace(WORLD, taken=D(120)))[1] == ("180", "100.10")

    def test_a_fraction_of_a_share(self) -> None:
        assert outcome(order("buy", qty="0.5")) == ("fill", ("0.5", "100.10"))


class TestTheOrderOfTheGuards:
    """Each row fails its guard and every later one; the earlier one answers."""

    LATER = {"bid": D("4.00"), "ask": D("3.00"), "ask_size": D(0), "quoted_at": seconds_old(9999)}
    POOR = replace(WORLD, buying_power=D(0), at_submission=True)

    def test_1_before_2(self) -> None:
        assert outcome(option(), None, replace(self.POOR, session_open=None))[1] == "market_closed"

    def test_1_before_the_rest(self) -> None:
        assert outcome(option(), world=replace(self.POOR, session_open=None), **self.LATER)[1] == "market_closed"

    def test_3_before_4(self) -> None:
        changes = {**self.LATER, "bid": None}
        assert outcome(option(limit="0.01"), world=self.POOR, **changes)[1] == "quote_invalid"

    def test_4_before_5(self) -> None:
        assert outcome(option(limit="0.01"), world=self.POOR, **self.LATER)[1] == "quote_stale"

    def test_5_before_6(self) -> None:
        changes = {**self.LATER, "quoted_at": A_SECOND_AGO}
        assert outcome(option(limit="0.01"), world=self.POOR, **changes)[1] == "quote_crossed"

    def test_6_before_7(self) -> None:
        changes = {"bid": D("1.00"), "ask": D("9.00"), "ask_size": D(0)}
        assert outcome(option(limit="0.01"), world=self.POOR, **changes) == ("no fill", "not_marketable")

    def test_7_before_8(self) -> None:
        changes = {"bid": D("1.00"), "ask": D("9.00"), "ask_size": D(0)}
        assert outcome(option(), world=self.POOR, **changes) == ("reject", "option_spread_too_wide")

    def test_8_before_9(self) -> None:
        assert outcome(option(), world=self.POOR, ask_size=D(0)) == ("no fill", "no_displayed_size")

    def test_9_before_10(self) -> None:
        both = replace(self.POOR, position_qty=MAX_POSITION_QTY)
        assert outcome(order(), world=both) == ("reject", "insufficient_buying_power")
