"""Trading-rules.md section 6 and the instants of section 2: states, the open, the close, expiry, settlement."""

from typing import Any

import pytest

from marketdata.models import TradingSession
from marketdata.sessions import drop_calendar
from orders.audit import audit_books
from orders.models import Order
from orders.services import cancel
from orders.states import TRANSITIONS, CancelReason, IllegalTransition, Status, move
from papertrade.lib.errors import Conflict, NotFound
from portfolio.models import LedgerTransaction
from tests.desk import Desk, dec
from tests.market_kit import CLOSE, DAY, MarketKit, at

FRIDAY_CALL = "O:IBM131011C00100000"  # expires on a Friday
TODAY_CALL, TODAY_PUT = "O:IBM131007C00100000", "O:IBM131007P00100000"
OPEN_STATES, ENDS = ("accepted", "new", "partially_filled"), ("filled", "canceled", "expired", "rejected", "replaced")


class TestTheTableOfTransitions:
    LEGAL = {
        "": {"accepted", "rejected"},
        "accepted": {"new", "partially_filled", "filled", "canceled", "expired", "rejected", "replaced"},
        "new": {"partially_filled", "filled", "canceled", "expired", "rejected", "replaced"},
        "partially_filled": {"partially_filled", "filled", "canceled", "expired", "replaced"},
    }

    @pytest.mark.parametrize("current", ["", *OPEN_STATES, *ENDS])
    @pytest.mark.parametrize("target", [*OPEN_STATES, *ENDS])
    def test_transition(self, current: str, target: str) -> None:
        if target in self.LEGAL.get(current, set()):
            assert move(current, Status(target)) == target
        else:
            with pytest.raises(IllegalTransition):
                move(current, Status(target))

    def test_it_names_every_state(self) -> None:
        assert set(TRANSITIONS) - {""} == set(Status) == {*OPEN_STATES, *ENDS}


class TestCancel:
    @pytest.fixture
    def orders(self, desk: Desk) -> dict[str, Order]:
        return {
            "new": desk.buy("10", limit="50"),
            "partially_filled": desk.buy("400", limit="100.10"),
            "filled": desk.sell("10"),
            "rejected": desk.sell("9999"),
        }

    @pytest.mark.parametrize("state", ["new", "partially_filled"])
    def test_an_open_order(self, desk: Desk, orders: dict[str, Order], state: str) -> None:
        assert desk.now(orders[state]).status == state
        desk.cancel(orders[state])
        assert desk.state(orders[state]) == ("canceled", "requested")
        assert desk.now(orders[state]).canceled_at is not None

    def test_an_accepted_one(self, closed_market: MarketKit, trader: Any) -> None:
        desk = Desk(trader)
        order = desk.buy("10")
        desk.cancel(order)
        closed_market.advance("13:31:00")
        assert desk.state(order) == ("canceled", "requested")

    @pytest.mark.parametrize("state", ["filled", "rejected"])
    def test_a_closed_order_stays_as_it_is(self, desk: Desk, orders: dict[str, Order], state: str) -> None:
        with pytest.raises(Conflict) as refusal:
            desk.cancel(orders[state])
        assert refusal.value.code == "order_not_cancelable"
        assert desk.now(orders[state]).status == state

    def test_twice(self, desk: Desk, orders: dict[str, Order]) -> None:
        desk.cancel(orders["new"])
        with pytest.raises(Conflict):
            desk.cancel(orders["new"])

    def test_somebody_else_s(self, desk: Desk, orders: dict[str, Order], trader: Any) -> None:
        with pytest.raises(NotFound):
            Desk(trader).cancel(orders["new"])

    @pytest.mark.parametrize("note", ["stuck for hours", *CancelReason])
    def test_with_an_operator_s_note(self, desk: Desk, note: str) -> None:
        """Also with one that is the word of another reason: the books stay what they are."""
        order = cancel(account=desk.account, order_id=desk.buy(limit="50").id, note=note)
        assert order.cancel_reason == "requested"
        assert desk.events(order)[-1][1].endswith(note)
        assert list(audit_books()) == []

    def test_a_partially_filled_one_keeps_what_it_filled(self, desk: Desk, orders: dict[str, Order]) -> None:
        desk.cancel(orders["partially_filled"])
        assert desk.now(orders["partially_filled"]).filled_qty == 300


class TestTheOpen:
    def test_each_waiting_order_is_evaluated_once_against_the_latest_quote(
        self, market_kit: MarketKit, trader: Any
    ) -> None:
        market_kit.play("13:29:59 IBM 100.00 100.10", "13:30:00 IBM 100.20 100.30", start="13:00:00")
        desk = Desk(trader)
        order = desk.buy("10")
        market_kit.advance("13:30:00")
        assert desk.fills(order) == [("10", "100.30")]

    def test_a_quote_stamped_before_the_open_is_stale(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play("13:29:59 IBM 100.00 100.10", "13:30:02 IBM 100.20 100.30", start="13:00:00")
        desk = Desk(trader)
        order = desk.buy("10")
        market_kit.advance("13:30:00")
        assert desk.state(order) == ("new", "quote_stale")
        market_kit.advance("13:30:02")
        assert desk.fills(order) == [("10", "100.30")]

    def test_quotes_stamped_at_the_open_only_update_the_book_until_it_has_run(
        self, market_kit: MarketKit, trader: Any
    ) -> None:
        """The last of them decides: had each been judged, the first would have filled."""
        market_kit.play("13:30:00 IBM 99.90 100.00 500 4", "13:30:00 IBM 101.00 101.10 500 500", start="13:00:00")
        desk = Desk(trader)
        order = desk.buy("10")
        market_kit.advance("13:30:00")
        assert desk.fills(order) == [("10", "101.10")]

    def test_by_order_number(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play("13:30:00 IBM 100.00 100.10 500 15", start="13:00:00")
        desk = Desk(trader)
        first, second = desk.buy("10"), desk.buy("10")
        market_kit.advance("13:30:00")
        assert (desk.fills(first), desk.fills(second)) == ([("10", "100.10")], [("5", "100.10")])

    def test_no_fill_before_it(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play(*(f"13:{minute}:00 IBM 100.00 100.10" for minute in range(10, 30)), start="13:00:00")
        desk = Desk(trader)
        order = desk.buy("10")
        market_kit.advance("13:29:59")
        assert desk.state(order) == ("accepted", "")
        assert [kind for kind, _ in desk.events(order)] == ["order_submitted"]

    def test_an_order_sent_at_the_instant_of_the_open_is_evaluated_at_once(
        self, market_kit: MarketKit, trader: Any
    ) -> None:
        market_kit.play("13:30:00 IBM 100.00 100.10", start="13:00:00")
        market_kit.advance("13:30:00")
        desk = Desk(trader)
        assert desk.fills(desk.buy("10")) == [("10", "100.10")]

    def test_gtc_that_was_new_stays_new_overnight_and_is_evaluated_again(
        self, market_kit: MarketKit, trader: Any
    ) -> None:
        market_kit.play("14:00:00 IBM 100.00 100.10", "2013-10-08T13:30:00Z IBM 90.00 90.10", start="14:00:00")
        desk = Desk(trader)
        order = desk.buy("10", limit="95", time_in_force="gtc")
        market_kit.advance(CLOSE)
        assert desk.now(order).status == "new"
        market_kit.advance("2013-10-08T13:29:59Z")
        assert desk.now(order).status == "new"
        market_kit.advance("2013-10-08T13:30:00Z")
        assert desk.fills(order) == [("10", "90.10")]

    def test_a_reason_that_repeats_at_the_open_is_no_new_event(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play("14:00:00 IBM 100.00 100.10", "2013-10-08T13:30:00Z IBM 100.00 100.10", start="14:00:00")
        desk = Desk(trader)
        order = desk.buy("10", limit="95", time_in_force="gtc")
        before = desk.events(order)
        market_kit.advance("2013-10-08T13:31:00Z")
        assert desk.events(order) == before


class TestTheClose:
    def test_a_day_order_sent_in_the_session_expires_at_its_close(self, desk: Desk, open_market: MarketKit) -> None:
        order = desk.buy("10", limit="50")
        assert desk.now(order).expires_at == at(CLOSE)
        open_market.advance("19:59:59.999")
        assert desk.now(order).status == "new"
        open_market.advance(CLOSE)
        assert desk.now(order).status == "expired"
        assert desk.now(order).expired_at == at(CLOSE)

    def test_a_day_order_sent_before_the_session_belongs_to_it(self, closed_market: MarketKit, trader: Any) -> None:
        assert Desk(trader).buy("10", limit="50").expires_at == at(CLOSE)

    @pytest.mark.parametrize("sent", ["20:00:00", "23:59:59"])
    def test_a_day_order_sent_at_or_after_the_close_belongs_to_the_next(
        self, market_kit: MarketKit, trader: Any, sent: str
    ) -> None:
        market_kit.play("19:59:59 IBM 100.00 100.10", "2013-10-08T13:30:01Z IBM 100.00 100.20", start=sent)
        desk = Desk(trader)
        order = desk.buy("10")
        assert desk.state(order) == ("accepted", "")
        assert order.expires_at == at("2013-10-08T20:00:00Z")
        market_kit.advance("2013-10-08T13:30:01Z")
        assert desk.fills(order) == [("10", "100.20")]

    def test_over_a_weekend(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play(start="2013-10-11T21:00:00Z")
        assert Desk(trader).buy("10").expires_at == at("2013-10-14T20:00:00Z")

    def test_an_early_close(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play(start="2013-11-29T15:00:00Z")  # the Friday after Thanksgiving ends at 13:00 New York
        desk = Desk(trader)
        order = desk.buy("10", limit="50")
        assert order.expires_at == at("2013-11-29T18:00:00Z")
        market_kit.advance("2013-11-29T18:00:00Z")
        assert desk.now(order).status == "expired"

    def test_gtc_lives_to_the_close_of_the_last_session_within_90_days(self, desk: Desk) -> None:
        # 7 October + 90 days is Sunday 5 January 2014; the session before it is Friday the 3rd.
        assert desk.buy("10", limit="50", time_in_force="gtc").expires_at == at("2014-01-03T21:00:00Z")

    def test_gtc_counts_from_the_date_in_new_york(self, market_kit: MarketKit, trader: Any) -> None:
        # 00:30 UTC on the 8th is still the 7th in New York.
        market_kit.play(start="2013-10-08T00:30:00Z")
        assert Desk(trader).buy("10", limit="50", time_in_force="gtc").expires_at == at("2014-01-03T21:00:00Z")

    def test_gtc_expires_then(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play(start="2013-10-04T14:00:00Z")
        desk = Desk(trader)
        order = desk.buy("10", limit="50", time_in_force="gtc")
        Order.objects.filter(pk=order.pk).update(expires_at=at("2013-10-04T20:00:00Z"))
        market_kit.advance("2013-10-04T20:00:00Z")
        assert desk.now(order).status == "expired"

    def test_a_quote_stamped_at_the_close_fills_nothing(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play("14:00:00 IBM 100.00 100.10", "20:00:00 IBM 40.00 40.10", start="14:00:00")
        desk = Desk(trader)
        order = desk.buy("10", limit="50")
        market_kit.advance("20:30:00")
        assert (desk.now(order).status, desk.fills(order)) == ("expired", [])

    def test_a_quote_just_before_the_close_still_does(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play("14:00:00 IBM 100.00 100.10", "19:59:59.999 IBM 40.00 40.10", start="14:00:00")
        desk = Desk(trader)
        order = desk.buy("10", limit="50")
        market_kit.advance("20:30:00")
        assert desk.fills(order) == [("10", "40.10")]

    def test_open_and_close_in_one_step(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play("13:30:00 IBM 100.00 100.10", start="13:00:00")
        desk = Desk(trader)
        filled, expired = desk.buy("10"), desk.buy("10", limit="50")
        market_kit.advance("2013-10-08T10:00:00Z")
        assert [desk.now(order).status for order in (filled, expired)] == ["filled", "expired"]

    def test_expiry_keeps_a_partial_fill(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play("14:00:00 IBM 100.00 100.10 500 300", start="14:00:00")
        desk = Desk(trader)
        order = desk.buy("400")
        market_kit.advance(CLOSE)
        assert (desk.now(order).status, desk.now(order).filled_qty) == ("expired", 300)
        assert desk.position().qty == 300


class TestWhenARecordingStarts:
    def test_rows_up_to_the_start_fill_the_book_and_match_nothing(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play("13:59:59 IBM 90.00 90.10", "14:00:00 IBM 100.00 100.10", start="14:00:00")
        desk = Desk(trader)
        assert desk.fills(desk.buy("10")) == [("10", "100.10")]

    def test_without_a_start_it_begins_with_the_first_session(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play("13:00:00 IBM 100.00 100.10", "14:00:00 IBM 100.00 100.10")
        assert market_kit.now() == at("13:30:00")


class TestOptionExpiry:
    """In cash at intrinsic value x 100 x qty, from the stock's last quote of the session that passes guards 3 and 5."""

    def settle(self, kit: MarketKit, trader: Any, symbol: str, *stock: str) -> Desk:
        kit.play(f"19:00:00 {symbol} 4.00 4.20 50 50", *stock, start="19:00:00")
        desk = Desk(trader)
        desk.buy("2", symbol=symbol)
        kit.advance("20:00:00")
        return desk

    def test_a_call_is_worth_bid_less_strike(self, market_kit: MarketKit, trader: Any) -> None:
        desk = self.settle(market_kit, trader, TODAY_CALL, "19:30:00 IBM 105.50 105.60")
        # 100,000 - 2 x 420 + 2 x 100 x 5.50
        assert desk.book.cash == dec("100260")
        assert desk.position(TODAY_CALL).qty == 0
        settled = LedgerTransaction.objects.select_related("quote").get(kind="settlement")
        assert (settled.at, settled.quote.symbol, settled.quote.bid) == (at(CLOSE), "IBM", dec("105.5"))
        assert desk.book.realized_pl == dec("260")

    def test_a_put_is_worth_strike_less_ask(self, market_kit: MarketKit, trader: Any) -> None:
        desk = self.settle(market_kit, trader, TODAY_PUT, "19:30:00 IBM 95.30 95.50")
        assert desk.book.cash == dec("100060")  # 100,000 - 840 + 2 x 100 x 4.50

    def test_out_of_the_money_it_is_worth_nothing(self, market_kit: MarketKit, trader: Any) -> None:
        desk = self.settle(market_kit, trader, TODAY_CALL, "19:30:00 IBM 95.30 95.50")
        assert desk.book.cash == dec("99160")
        assert desk.position(TODAY_CALL).qty == 0
        assert (desk.book.closed_trades, desk.book.winning_trades) == (1, 0)

    def test_the_last_good_quote_of_the_session_counts_whatever_its_age(
        self, market_kit: MarketKit, trader: Any
    ) -> None:
        desk = self.settle(
            market_kit,
            trader,
            TODAY_CALL,
            "19:10:00 IBM 105.50 105.60",
            "19:50:00 IBM 200.00 150.00",
            "19:55:00 IBM - 300.00",
            "20:00:00 IBM 400.00 400.10",
        )
        assert desk.book.cash == dec("100260")

    def test_without_such_a_quote_the_position_stays_unsettled(self, market_kit: MarketKit, trader: Any) -> None:
        desk = self.settle(market_kit, trader, TODAY_CALL, "19:50:00 IBM 200.00 150.00")
        position = desk.position(TODAY_CALL)
        assert (position.qty, position.unsettled) == (2, True)
        assert desk.book.cash == dec("99160")

    def test_an_open_order_expires_before_the_settlement(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play(f"19:00:00 {TODAY_CALL} 4.00 4.20 50 50", "19:30:00 IBM 105.50 105.60", start="19:00:00")
        desk = Desk(trader)
        desk.buy("2", symbol=TODAY_CALL)
        order = desk.sell("2", limit="9.00", symbol=TODAY_CALL)
        market_kit.advance("20:00:00")
        assert desk.now(order).status == "expired"
        assert (desk.position(TODAY_CALL).qty, desk.position(TODAY_CALL).held_qty) == (0, 0)

    def test_an_open_order_expires_before_the_settlement_at_a_close_that_was_moved(
        self, own_calendar: None, market_kit: MarketKit, trader: Any
    ) -> None:
        """The order was sent before anybody knew; the books would refuse to sell what it still holds, again and again."""
        market_kit.play(f"17:00:00 {TODAY_CALL} 4.00 4.20 50 50", "17:30:00 IBM 105.50 105.60", start="17:00:00")
        desk = Desk(trader)
        desk.buy("2", symbol=TODAY_CALL)
        order = desk.sell("2", limit="9.00", symbol=TODAY_CALL)
        TradingSession.objects.filter(date=DAY).update(close=at("18:00:00"))
        drop_calendar()
        market_kit.advance("18:00:00")
        assert desk.now(order).status == "expired"
        assert (desk.position(TODAY_CALL).qty, desk.position(TODAY_CALL).held_qty) == (0, 0)
        assert list(audit_books()) == []

    def test_a_contract_that_lives_on_is_not_settled(self, market_kit: MarketKit, trader: Any) -> None:
        desk = self.settle(market_kit, trader, FRIDAY_CALL, "19:30:00 IBM 105.50 105.60")
        assert desk.position(FRIDAY_CALL).qty == 2


class TestReset:
    def test_everything_before_it_stays(self, desk: Desk) -> None:
        order = desk.buy("10")
        desk.reset(initial_cash="5000", reason="new run")
        assert desk.now(order).status == "filled"
        assert (desk.book.generation_number, desk.book.cash) == (2, dec("5000"))
        first, second = desk.account.generations.order_by("number")
        assert (first.closed_at is not None, second.closed_at, second.reason) == (True, None, "new run")
        assert first.summary["cash"] == "98999.0000"

    def test_default_cash_is_the_previous_generation_s(self, desk: Desk) -> None:
        desk.buy("10")
        desk.reset(initial_cash="5000")
        desk.buy("10")
        desk.reset()
        assert desk.book.cash == dec("5000")
        assert desk.book.generation_number == 3

    def test_the_same_reset_of_a_fresh_generation_changes_nothing(self, desk: Desk) -> None:
        desk.buy("10")
        desk.reset(initial_cash="5000")
        desk.reset(initial_cash="5000.00")
        assert desk.book.generation_number == 2

    def test_with_another_value_it_is_another_reset(self, desk: Desk) -> None:
        desk.reset(initial_cash="5000")
        desk.reset(initial_cash="6000")
        assert (desk.book.generation_number, desk.book.cash) == (3, dec("6000"))
