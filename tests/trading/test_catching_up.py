"""A server that was away from Wednesday evening over Thanksgiving, the half day after it and a weekend: all of it is caught
up in order and once, also where the one who catches up crashes at any of its steps.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest

from orders.models import Sweep
from papertrade.trading import mover
from papertrade.trading.clock import moving
from portfolio.models import Book, EquitySnapshot, LedgerTransaction
from tests.desk import Desk, dec
from tests.invariants import check_account
from tests.market_kit import MarketKit, at

WEDNESDAY_EVENING = "2013-11-27T22:00:00Z"
HALF_DAY_OPEN, HALF_DAY_CLOSE = "2013-11-29T14:30:00Z", "2013-11-29T18:00:00Z"
MONDAY_OPEN, MONDAY_FALL, MONDAY_CLOSE = "2013-12-02T14:30:00Z", "2013-12-02T15:00:00Z", "2013-12-02T21:00:00Z"
CALL = "O:IBM131129C00100000"  # expires on the half day
QUOTES = [
    f"2013-11-27T20:59:00Z {CALL} 4.00 4.20 50 50",
    "2013-11-27T20:59:00Z IBM 103.00 103.10",
    "2013-11-28T16:00:00Z IBM 50.00 50.10",  # Thanksgiving: nothing trades
    f"{HALF_DAY_OPEN} IBM 104.00 104.10",
    "2013-11-29T17:59:00Z IBM 105.50 105.60",
    "2013-11-29T18:00:00Z IBM 200.00 200.10",  # stamped at the early close: fills, marks and settles nothing
    f"{MONDAY_OPEN} IBM 96.00 96.10",
    f"{MONDAY_FALL} IBM 94.00 94.10",
]


class Absence:
    """An account with a call, a day order and a gtc order, left alone on Wednesday evening."""

    def __init__(self, kit: MarketKit, trader: Any) -> None:
        kit.play(*QUOTES, start="2013-11-27T20:59:00Z")
        self.desk = Desk(trader)
        self.desk.buy("2", symbol=CALL)
        kit.advance(WEDNESDAY_EVENING)
        self.filled = self.desk.buy("10")
        self.unreached = self.desk.buy("10", limit="90")
        self.lasting = self.desk.buy("10", limit="95", time_in_force="gtc")


@pytest.fixture
def absence(market_kit: MarketKit, trader: Any) -> Absence:
    return Absence(market_kit, trader)


def test_all_of_it_in_order_and_once(absence: Absence, market_kit: MarketKit) -> None:
    market_kit.advance(MONDAY_CLOSE)
    desk = absence.desk
    assert [(run.kind, run.at) for run in Sweep.objects.order_by("pk")] == [
        ("open", at(HALF_DAY_OPEN)),
        ("close", at(HALF_DAY_CLOSE)),
        ("open", at(MONDAY_OPEN)),
    ]
    assert desk.now(absence.filled).filled_at == at(HALF_DAY_OPEN)
    assert desk.fills(absence.filled) == [("10", "104.10")]
    assert desk.now(absence.unreached).expired_at == at(HALF_DAY_CLOSE)
    assert desk.now(absence.lasting).filled_at == at(MONDAY_FALL)
    settled = LedgerTransaction.objects.get(kind="settlement")
    assert (settled.at, settled.price) == (at(HALF_DAY_CLOSE), dec("5.50"))
    # 100,000 - 2 x 420 - 1,041 + 2 x 550 - 941
    assert desk.book.cash == dec("98278")
    check_account(desk.account)


def test_snapshots_follow_the_sessions(absence: Absence, market_kit: MarketKit) -> None:
    market_kit.advance(MONDAY_CLOSE)
    taken = EquitySnapshot.objects.filter(book=absence.desk.book, at__gt=at(WEDNESDAY_EVENING)).order_by("at")
    minutes = sorted(set(taken.values_list("at", flat=True)))
    friday, monday = (
        [at(open) + timedelta(minutes=number) for number in range((at(close) - at(open)) // timedelta(minutes=1) + 1)]
        for open, close in ((HALF_DAY_OPEN, HALF_DAY_CLOSE), (MONDAY_OPEN, MONDAY_CLOSE))
    )
    assert minutes == friday + monday
    # 10 shares at the bid stamped before the early close, whatever was stamped at it.
    assert taken.get(at=at(HALF_DAY_CLOSE), equity__gt=0).market_value == dec("1055")


class Crash(Exception):
    """The process ends here."""


STEPS = ["clock.commit_position", "snapshot_books", "keep_marks", "sweeping.begin", "sweeping.finish", "working.put"]


def outcome(desk: Desk) -> tuple[object, ...]:
    """What must be the same however it came about."""
    book = Book.objects.get(pk=desk.book.pk)
    events = desk.account.events.order_by("seq").values_list("seq", "type", "at", "reason")
    snapshots = EquitySnapshot.objects.filter(book=book).order_by("at", "pk").values_list("at", "equity", "drawdown")
    return book.ledger_head, list(events), list(snapshots)


def crashing(times: int, step: Callable[..., Any]) -> Callable[..., Any]:
    """The step, which ends the process after it has been done once, and before it is done at its second time, and so on."""
    calls = 0

    def crash(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls <= 2 * times and calls % 2 == 0:
            raise Crash
        done = step(*arguments, **named)
        if calls <= 2 * times:
            raise Crash
        return done

    return crash


@pytest.mark.parametrize("step", STEPS)
def test_a_crash_before_or_after_any_step_changes_nothing(market_kit: MarketKit, trader: Any, step: str) -> None:
    calm = Absence(market_kit, trader)
    market_kit.advance(MONDAY_CLOSE)

    shaken = Absence(market_kit, trader)
    crashes = 0
    *place, name = step.split(".")
    owner = getattr(mover, place[0]) if place else mover
    with patch.object(owner, name, crashing(3, getattr(owner, name))):
        while market_kit.now() < at(MONDAY_CLOSE):
            try:
                market_kit.advance(MONDAY_CLOSE)
            except Crash:
                crashes += 1
                mover._movers.clear()  # a new process knows nothing
    assert crashes > 0
    assert outcome(shaken.desk) == outcome(calm.desk)
    check_account(shaken.desk.account)


def test_a_request_after_a_crash_on_a_minute_comes_after_its_snapshot(market_kit: MarketKit, trader: Any) -> None:
    """A quote stamped on it was put to another's order, then nobody kept its mark and took the snapshots; nor the mark of an
    option that nobody bids for any more.
    """
    minutes = [f"14:0{minute}:00 IBM {100 - minute}.00 {100 - minute}.10" for minute in range(5)]
    options = [f"14:00:00 {CALL} 4.00 4.20 50 50", f"14:02:00 {CALL} - 0.05 - 50"]
    do_due = mover.Mover._do_due

    def die_at_two(self: mover.Mover, instant: datetime, deadline: mover.Deadline) -> bool:
        if instant == at("14:02:00"):
            raise Crash
        return do_due(self, instant, deadline)

    def trade(*, crashes: bool) -> tuple[object, ...]:
        market_kit.play(*minutes, *options, start="14:00:00")
        desk, another = Desk(trader), Desk(trader)
        desk.buy("5")
        desk.buy("1", symbol=CALL)
        waiting = another.buy("1", limit="98.50")
        if crashes:
            with patch.object(mover.Mover, "_do_due", die_at_two), pytest.raises(Crash):
                market_kit.advance("14:02:00")
            mover._movers.clear()
            with moving():
                mover.the_mover().publish()
        else:
            market_kit.advance("14:02:00")
        assert (another.now(waiting).status, market_kit.now()) == ("filled", at("14:02:00"))
        assert desk.buy("1").status == "filled"
        market_kit.advance("14:04:30")
        check_account(desk.account)
        return outcome(desk)

    assert trade(crashes=True) == trade(crashes=False)


@pytest.mark.parametrize("step", ["clock.commit_position", "clock.ask_to_commit_position", "snapshot", "keep_marks"])
def test_a_request_after_a_crash_comes_after_all_that_is_there(market_kit: MarketKit, trader: Any, step: str) -> None:
    """Not between the time up to which the market is done and a snapshot of a later minute."""
    quotes = [f"14:0{minute}:55 IBM 100.00 100.1{minute}" for minute in range(5)]
    market_kit.play("14:00:00 IBM 100.00 100.10", *quotes, start="14:00:00")
    desk = Desk(trader)
    desk.buy("1")
    crashes = 0
    *place, name = step.split(".")
    owner = getattr(mover, place[0]) if place else mover
    with patch.object(owner, name, crashing(3, getattr(owner, name))):
        while market_kit.now() < at("14:05:02"):
            try:
                market_kit.advance("14:05:02")
            except Crash:
                crashes += 1
                mover._movers.clear()
                with moving():
                    mover.the_mover().publish()
                assert desk.buy("1").status == "filled"
    assert crashes > 0
    check_account(desk.account)
