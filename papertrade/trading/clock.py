"""Moving the clock: the market's start, an advance, the lock of whoever moves it, and finishing what a crash left behind."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from marketdata import clock, gate, leases, quote_book
from marketdata.markets.base import MarketError
from marketdata.markets.current import current_market
from marketdata.sessions import calendar
from orders.models import Sweep
from orders.sweeps import sweeping
from papertrade.lib.errors import BadRequest, Conflict
from papertrade.lib.postgres import try_lock, unlock
from papertrade.trading.mover import drop_movers, the_mover
from portfolio.marks import delete_marks
from portfolio.selectors import latest_book_time

log = structlog.get_logger(__name__)

FEED_IS_GONE_AFTER = timedelta(seconds=15)
GATE_SECONDS = (
    0.15  # after this long a step begins no more chunks of work: requests pass the gate, then the next goes on
)
PASSING_SECONDS = 0.02  # the gate then stays open for at least this long


def start_market() -> None:
    """Start the current market, or let it go on. Marks and quotes that another recording left behind are dropped.

    Raises MarketError where accounts have traded later than this market begins: their time never goes back.
    """
    current = current_market()
    with transaction.atomic():
        if current.start():
            begins, latest = clock.read().through, latest_book_time()
            if latest is not None and latest > begins:
                raise MarketError(
                    f"The accounts of this server have traded until {latest.isoformat()} in another market, and this one "
                    f"begins at {begins.isoformat()}: time never goes back. Use another PAPERTRADE_VAR, archive the "
                    "accounts first, or set PAPERTRADE_START to later."
                )
            delete_marks()
            if current.has_book:
                quote_book.clear()


def advance(*, to: datetime) -> None:
    """Move the clock of a market at speed 0; when this returns, everything due by `to` is done.

    Raises Conflict `clock_not_movable` and `clock_busy`, BadRequest where `to` lies in the past or beyond the calendar.
    """
    if not current_market().manual:
        raise Conflict("The clock of this market runs by itself.", code="clock_not_movable")
    with moving():
        mover = the_mover()
        now = clock.read().now
        if to < now:
            raise BadRequest(f"The clock stands at {now.isoformat()}: it never goes back.", to="lies in the past")
        ends = calendar().end
        if ends is None or to > ends:
            raise BadRequest(f"The trading calendar ends at {ends}.", to="lies after the trading calendar")
        try:
            mover.step(to)
        except quote_book.BookUnavailable as error:
            # Only publishing failed, and the feed makes up for that. An error would make the caller move the clock again.
            log.warning("quotes_not_published", error=str(error))
        except BaseException:
            drop_movers()  # it may remember quotes that are later than what is done
            raise


@contextmanager
def moving() -> Iterator[None]:
    """Be the only one who moves the market. Raises Conflict `clock_busy`."""
    if not _lock(gate.MOVER):
        raise Conflict("The clock is being moved; try again when that is done.", code="clock_busy")
    try:
        with leases.held(leases.MOVER), gate.closed_gate():
            yield
    finally:
        unlock(gate.MOVER)


@contextmanager
def leading() -> Iterator[bool]:
    """Be the only one who leads; False where somebody else does."""
    if not _lock(gate.FEED):
        yield False
        return
    try:
        with leases.held(leases.FEED):
            yield True
    finally:
        unlock(gate.FEED)


def _lock(key: int) -> bool:
    """Take the lock, also from a process that hangs; whether that succeeded."""
    return try_lock(key) or (bool(leases.end_the_hung()) and try_lock(key))


def do_missed_boundaries() -> bool:
    """In a live market without a feed process, do an open or close that is due by the real clock; whether there was one.

    So day orders expire, gtc ones age out and options settle on time, with the last good quotes that are known.
    """
    market, reading = current_market(), clock.read()
    if reading.market != clock.LIVE or not _is_alone():
        return False
    session = calendar().upcoming(reading.through)
    boundary = session.open if reading.through < session.open else session.close
    if boundary > clock.real_now():
        return False
    drop_movers()
    with leading() as is_leader:
        if not is_leader:
            return False  # a leader is about to do it
        try:
            while not _step_to(boundary):
                time.sleep(PASSING_SECONDS)
        except Conflict:
            return False
    log.warning("boundary_done_without_feed", at=boundary.isoformat(), market=market.name)
    return True


def _step_to(boundary: datetime) -> bool:
    with moving():
        return the_mover().step(boundary, seconds=GATE_SECONDS)


def _is_alone() -> bool:
    """Whether no feed process has been heard of for a while."""
    silent = clock.since_last_beat()
    return silent is None or silent > FEED_IS_GONE_AFTER


def finish_sweeps() -> int:
    """Work on every sweep that is not finished, such as one whose mover crashed; how many there were."""
    unfinished = list(Sweep.objects.filter(finished_at__isnull=True))
    for sweep in unfinished:
        sweeping.finish(sweep)
    return len(unfinished)
