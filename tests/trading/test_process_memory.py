"""What a process remembers of its own past must not matter: others move the market too, and any of them may die anywhere."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError

from marketdata import quote_book
from marketdata.markets.base import MarketError
from marketdata.markets.current import current_market
from marketdata.sessions import calendar
from orders import working
from orders.models import Sweep
from papertrade.trading import mover
from papertrade.trading.clock import advance, leading, moving, start_market
from papertrade.trading.feed_process import FeedProcess
from papertrade.trading.mover import Mover
from portfolio.models import EquitySnapshot, LedgerTransaction
from portfolio.selectors import summary
from tests.desk import Desk, dec
from tests.factories import UserFactory
from tests.invariants import check_account
from tests.market_kit import DAY, MarketKit, at
from tests.trading.kit import run_of_many_chunks
from tests.trading.test_determinism import simulated

EXPIRES_TODAY = "O:IBM131007C00100000"
CLOSE = at("20:00:00")


class Crash(Exception):
    """The process ends here."""


def step(mover: Mover, to: str) -> None:
    with moving():
        mover.step(at(to))


def test_a_quote_that_another_process_applied_settles_an_option(market_kit: MarketKit, trader: Any) -> None:
    market_kit.play(
        "13:59:00 IBM 103.00 103.10",
        "14:30:00 IBM 105.50 105.60",
        f"14:59:55 {EXPIRES_TODAY} 5.40 5.60",
        start="13:00:00",
    )
    one, other = Mover(current_market()), Mover(current_market())
    step(one, "14:00:00")
    step(other, "15:00:00")
    desk = Desk(trader)
    assert desk.buy("1", symbol=EXPIRES_TODAY).status == "filled"
    step(one, "20:00:00")
    assert LedgerTransaction.objects.get(kind="settlement").price == dec("5.50")


def test_an_instant_that_was_half_done_is_done(market_kit: MarketKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two quotes of one instant on a whole minute; the process dies between two chunks, and the outcome is as if it had not."""
    monkeypatch.setattr(working, "CHUNK_ORDERS", 1)
    outcomes = []
    for dies in (False, True):
        market_kit.play(
            "14:00:00 BAC 100.00 100.10",
            "14:00:00 IBM 100.00 100.10",
            "14:01:00 BAC 97.90 98.00",
            "14:01:00 IBM 97.90 98.00",
            start="14:00:00",
        )
        desks = [Desk(UserFactory()) for _ in range(2)]
        orders = [(desk, desk.buy("1", limit="99", symbol=symbol)) for desk in desks for symbol in ("IBM", "BAC")]
        if dies:
            with patch.object(working, "put", dying_at_the_second()), pytest.raises(Crash):
                market_kit.advance("14:01:00")
            assert [desk.now(order).status for desk, order in orders] == ["filled", "filled", "new", "new"]
            mover._movers.clear()
        market_kit.advance("14:01:00")
        assert {desk.now(order).status for desk, order in orders} == {"filled"}
        outcomes.append(
            [
                list(EquitySnapshot.objects.filter(book=desk.book).order_by("pk").values_list("at", "equity"))
                for desk in desks
            ]
        )
        for desk in desks:
            check_account(desk.account)
    assert outcomes[0] == outcomes[1]


def dying_at_the_second() -> Callable[..., bool]:
    """`working.put` in a process that dies at the second quote."""
    put, quotes = working.put, []

    def dying(*arguments: Any, **named: Any) -> bool:
        quotes.append(arguments)
        if len(quotes) == 2:
            raise Crash
        return put(*arguments, **named)

    return dying


def test_orders_that_a_dead_process_s_run_does_not_know_are_evaluated_too(
    market_kit: MarketKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_of_many_chunks(market_kit, monkeypatch, books=2, orders_a_book=1)
    late = Desk(UserFactory())
    order = late.buy("1")
    market_kit.advance("13:31:00")
    assert late.now(order).filled_at == at("13:30:00")
    assert list(Sweep.objects.filter(kind="open").values_list("round", flat=True).order_by("round")) == [1, 2]


def test_an_order_that_has_expired_is_not_filled_the_next_day(market_kit: MarketKit, trader: Any) -> None:
    """Should its close ever be missed, no quote after it may reach it."""
    market_kit.play(
        "14:00:00 IBM 100.00 100.10",
        "19:59:00 IBM 100.00 100.10",
        "2013-10-08T14:00:00Z IBM 90.00 90.10",
        start="14:00:00",
    )
    desk = Desk(trader)
    order = desk.buy("1", limit="95")
    with patch.object(Mover, "_sweep"):
        market_kit.advance("2013-10-08T14:00:00Z")
    assert desk.now(order).status == "new"


class TestTheQuoteBook:
    @pytest.fixture(autouse=True)
    def quotes(self, market_kit: MarketKit) -> None:
        market_kit.play("14:00:00 IBM 100.00 100.10", "14:00:10 IBM 100.00 100.20", start="14:00:00")

    def test_an_advance_that_cannot_publish_has_moved_the_clock_and_says_so(self, market_kit: MarketKit) -> None:
        with patch.object(quote_book, "publish", side_effect=quote_book.BookUnavailable("gone")):
            market_kit.advance("14:00:10")
        assert market_kit.now() == at("14:00:10")

    def test_no_order_is_decided_on_one_behind_the_clock(self, market_kit: MarketKit, trader: Any) -> None:
        desk = Desk(trader)
        with patch.object(quote_book, "publish"):  # killed before it
            market_kit.advance("14:00:10")
        with pytest.raises(quote_book.BookUnavailable, match="being filled"):
            desk.buy("1", client_order_id="sent again")
        with leading():
            FeedProcess().beat()
        order = desk.buy("1", client_order_id="sent again")
        assert (order.number, order.status, order.quote.ask) == (1, "filled", dec("100.20"))

    @pytest.mark.parametrize("lost", [True, False], ids=["lost", "behind the clock"])
    def test_the_feed_fills_it(self, market_kit: MarketKit, lost: bool) -> None:
        with patch.object(quote_book, "publish"):  # killed before it
            market_kit.advance("14:00:10")
        if lost:
            quote_book.clear()
        with leading():
            FeedProcess().beat()
        assert quote_book.latest(["IBM"])["IBM"].ask == dec("100.20")


def test_a_snapshot_at_a_fill_values_everything_at_that_instant(market_kit: MarketKit) -> None:
    """BAC falls between two minutes, then IBM fills: the drawdown does not depend on the steps."""
    found = []
    for seconds in (60, 10):
        market_kit.play(
            "14:00:00 IBM 100.00 100.10",
            "14:00:00 BAC 50.00 50.10",
            "14:00:10 BAC 40.00 40.10",
            "14:00:50 IBM 97.90 98.00",
            "14:00:55 BAC 50.00 50.10",
            start="14:00:00",
        )
        desk = Desk(UserFactory())
        desk.buy("100", symbol="BAC")
        desk.buy("1", limit="99")
        for number in range(1, 60 // seconds + 1):
            market_kit.advance(at("14:00:00") + timedelta(seconds=number * seconds))
        found.append(list(EquitySnapshot.objects.filter(book=desk.book).order_by("pk").values_list("at", "equity")))
    assert found[0] == found[1]
    # 100 shares of BAC that fell by 10.10 from the ask, and a share of IBM bought at 98.00 with a bid of 97.90.
    assert (at("14:00:50"), dec("98989.9000")) in found[0]


@pytest.mark.parametrize("pieces", [1, 40], ids=["in one step", "in many"])
@pytest.mark.parametrize("stock", ["MSFT", "TSLA", "META", "AAPL"])
def test_a_simulated_option_bought_just_before_the_close_settles(
    market_kit: MarketKit, settings: Any, stock: str, pieces: int
) -> None:
    """Also where its stock does not tick any more: the last quote of the session is the one before."""
    simulated(market_kit, settings)
    bought = CLOSE - timedelta(seconds=2)
    advance(to=bought)
    spot = current_market().latest([stock], at=bought)[stock].bid
    strike = int(spot) - 20
    desk = Desk(UserFactory(), policy={"option_max_spread_ratio": "1"})
    order = desk.buy("1", symbol=f"O:{stock}131007C{strike * 1000:08d}")
    assert order.status == "filled", order.no_fill_reason
    for number in range(1, pieces + 1):
        advance(to=bought + (CLOSE - bought) * number / pieces)
    last = current_market().latest([stock], at=CLOSE)[stock]
    assert calendar().on(at(f"{DAY}T12:00:00Z").date()).contains(last.quoted_at)
    settled = LedgerTransaction.objects.get(kind="settlement")
    assert settled.price == last.bid - strike


def test_an_advance_that_failed_marks_nothing_with_its_future(market_kit: MarketKit, settings: Any) -> None:
    """The minutes of an hour wait in memory when the database goes; the process lives on, and is asked for a moment only."""
    simulated(market_kit, settings)
    advance(to=at("14:00:00"))
    desk = Desk(UserFactory())
    desk.buy("10", symbol="AAPL")
    desk.buy("1", symbol="AAPL", limit="1")
    with patch.object(mover, "snapshot", side_effect=OperationalError), pytest.raises(OperationalError):
        advance(to=at("15:00:00"))
    assert market_kit.now() == at("14:00:00")
    advance(to=at("14:00:00.001"))
    held = current_market().latest(["AAPL"], at=at("14:00:00.001"))["AAPL"]
    assert summary(book=desk.book).market_value == 10 * held.bid


def test_a_market_that_begins_before_the_accounts_stand_is_refused(market_kit: MarketKit, trader: Any) -> None:
    market_kit.play("2013-10-08T14:00:00Z IBM 100.00 100.10", start="2013-10-08T14:00:00Z")
    Desk(trader).buy("1")
    folder = market_kit.write("14:00:00 IBM 100.00 100.10")
    market_kit.choose(folder, start="14:00:00")
    with pytest.raises(MarketError, match="time never goes back"):
        start_market()
