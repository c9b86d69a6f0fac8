"""Exchange time, and the only reader of the wall clock behind it.

Wall time is the database's, whatever the machines' own clocks say: all processes of all machines have one. Every reading of the
clock brings it along; in between it goes on by the machine's monotonic clock.

One row says what has been done (`MarketClock`). The live market runs on the real clock. In the others, at speed 0 exchange
time is where the last step left it; otherwise it is mapped from wall time, stops when nobody moves the market, and never
jumps back.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, LiteralString

from django.conf import settings
from django.db.models import F

from marketdata import leases
from marketdata.models import MarketClock
from marketdata.sessions import calendar
from papertrade.lib.batch import Batch
from papertrade.lib.errors import Unavailable
from papertrade.lib.postgres import raw_cursor

LEAD = timedelta(seconds=2)  # wall time that a running clock may be ahead of what has been done
# Exchange time that it may be ahead, at any speed: quotes are no newer than what has been done.
MAX_LEAD = timedelta(seconds=5)
JUST_BEFORE = timedelta(microseconds=1)
LIVE = "live"
ALL_BOOKS = 2**63 - 1  # no book has this id


class ClockNotStarted(RuntimeError):
    """There is no clock row yet: the market has not been started."""


class MarketIsBehind(Unavailable):
    """Something that comes before this request has not been done yet, and will be in a moment."""


@dataclass(frozen=True, slots=True)
class ClockReading:
    """One look at the clock. `now` is exchange time; `through` and `through_book` say what is done by then.

    `due` is where the wall clock has got to: the mover steps to it, everyone else sees `now`.
    """

    now: datetime
    due: datetime
    through: datetime
    through_book: int | None
    speed: Decimal
    market: str
    taken_to: datetime | None = None

    @property
    def position(self) -> str:
        """What has been applied, as one word: a quote book that is filled up to there says the same."""
        return f"{self.through.isoformat()}/{'' if self.through_book is None else self.through_book}"

    @property
    def half_done(self) -> bool:
        """Whether the quotes of `through` wait to be put to the orders of some books."""
        return self.through_book is not None and self.through_book < ALL_BOOKS

    def refuse_if_behind(self) -> None:
        """Nobody comes before quotes that are recorded already, nor before an open or a close that is due.

        So the record has everything in the order in which a replay will do it. Raises MarketIsBehind.
        """
        if self.taken_to is not None and self.taken_to > self.through:
            raise MarketIsBehind("Quotes that came first are being put to orders; nothing was stored. Send it again.")
        if self.now > self.through and self.now >= next_boundary(self.through):
            raise MarketIsBehind(
                "An open or a close is about to be done; nothing was stored. Send it again in a moment."
            )


def wall_now() -> datetime:
    """The database's clock, UTC, as this process last heard it; the machine's own clock before that."""
    if _heard is None:
        return _machine_now()
    stamp, at, _ = _heard
    return stamp + timedelta(seconds=_steady() - at)


def skew() -> timedelta:
    """By how much this machine's clock was ahead of the database's when that was last heard; zero before."""
    return timedelta(0) if _heard is None else _heard[2]


def _hear(stamp: datetime) -> None:
    """Remember what the database's clock said just now."""
    global _heard
    _heard = stamp, _steady(), _machine_now() - stamp


def _machine_now() -> datetime:
    return datetime.now(UTC)


_heard: tuple[datetime, float, timedelta] | None = None  # its clock, ours that never jumps, and the skew
_steady = time.monotonic


def real_now() -> datetime:
    """Exchange time of the live market: the wall clock, less the delay of the provider's quotes."""
    return wall_now() - timedelta(seconds=settings.PAPERTRADE_DELAY_SECONDS)


def read() -> ClockReading:
    """Exchange time now; read it once per use case and pass it down."""
    with raw_cursor() as cursor:
        return _reading(cursor.execute(_READ).fetchall())


def look(batch: Batch) -> Callable[[], ClockReading]:
    """The same as a statement of a batch: call what is returned once the batch was sent."""
    reply = batch.execute(_READ)
    return lambda: _reading(reply.rows())


def _reading(rows: Sequence[tuple[Any, ...]]) -> ClockReading:
    if not rows:
        raise ClockNotStarted("The market's clock has not been started; run `papertrade run-feed`.")
    [(market, speed, anchor_at, anchor_wall, through, through_book, taken_to, wall)] = rows
    _hear(wall)
    now = due = through
    if market == LIVE:
        now, due = _live(through, taken_to or through)
    elif speed:
        due = max(through, min(anchor_at + scaled(wall_now() - anchor_wall, speed), through + scaled(LEAD, speed)))
        # Until an open or a close has been done nobody is past it: an order sent meanwhile is one of those it decides on.
        now = min(due, through + MAX_LEAD, max(through, next_boundary(through) - JUST_BEFORE))
    return ClockReading(now, due, through, through_book, speed, market, taken_to)


def next_boundary(after: datetime) -> datetime:
    """The first open or close after an instant."""
    session = calendar().upcoming(after)
    return session.open if after < session.open else session.close


def _live(through: datetime, taken_to: datetime) -> tuple[datetime, datetime]:
    """Exchange time of the live market, and where its next step goes to.

    It is never held back for long: with a dead feed the age of the last quote must grow, or an old quote would fill. Only an
    order sent while an open is about to be done is one of those that it decides on.
    """
    real = real_now()
    now, opens = max(real, through), calendar().upcoming(through).open
    if through < opens <= now < opens + MAX_LEAD:
        now = opens - JUST_BEFORE
    return now, max(real, through + JUST_BEFORE, taken_to)


_READ = """
    SELECT market, speed, anchor_at, anchor_wall, through, through_book, taken_to, clock_timestamp() FROM marketdata_marketclock
"""


def scaled(wall: timedelta, speed: Decimal) -> timedelta:
    """How much exchange time passes in that much wall time."""
    return timedelta(microseconds=int(Decimal(wall // timedelta(microseconds=1)) * speed))


def start(*, market: str, feed: str, at: datetime, speed: Decimal, any_feed: bool = False) -> bool:
    """Make the clock's row where there is none for this market, and let time go on from where it stood.

    A row of another market or recording is replaced: its exchange time means nothing here. True where time begins anew.
    `any_feed`: the same market by another feed goes on too.
    """
    ask()
    wall = wall_now()
    rows = MarketClock.objects.filter(market=market)
    row = rows.first() if any_feed else rows.filter(feed=feed).first()
    stood = read().due if row is not None else at
    MarketClock.objects.update_or_create(
        id=MarketClock.ONLY_ID,
        defaults={
            "market": market,
            "feed": feed,
            "speed": speed,
            "anchor_at": stood,
            "anchor_wall": wall,
            "through": row.through if row else at,
            "through_book": row.through_book if row else None,
            "taken_to": row.taken_to if row else None,
            "heartbeat_at": wall,
        },
    )
    return row is None


def delete_clock() -> None:
    """Delete the clock's row, so that the market can start anew anywhere. Only where there are no books yet."""
    MarketClock.objects.all().delete()


def jump(to: datetime) -> None:
    """Set a running clock forward, over a night."""
    MarketClock.objects.update(anchor_at=to, anchor_wall=wall_now())


def since_last_beat() -> timedelta | None:
    """Wall time since the feed was heard of: negative where the wall clock was set back. None before the first time."""
    with raw_cursor() as cursor:
        row = cursor.execute("SELECT heartbeat_at, clock_timestamp() FROM marketdata_marketclock").fetchone()
    if row is None or row[0] is None:
        return None
    _hear(row[1])
    return wall_now() - row[0]


def anchor_again() -> None:
    """Let a running clock go on from where it stands, and remember when that was."""
    wall = wall_now()
    MarketClock.objects.exclude(market=LIVE).update(anchor_at=F("through"), anchor_wall=wall, anchored_again_at=wall)


def commit_position(through: datetime, book: int | None) -> None:
    """Say what has been done (see MarketClock). Call in the transaction of what was done, or after it.

    Raises LeaseLost where another process moves the market by now; until this transaction ends none begins to.
    """
    _as_the_mover(_POSITION, through, book)


def ask_to_commit_position(batch: Batch, through: datetime, book: int | None) -> Callable[[], None]:
    """The same in a batch: once that was sent, call what is returned, which raises LeaseLost."""
    reply = batch.execute(*_of_the_mover(_POSITION, through, book))
    return lambda: _refuse_if_lost(bool(reply.rows()))


def take(to: datetime) -> None:
    """Say that quotes are about to be recorded as of `to`; before they are. Raises LeaseLost."""
    _as_the_mover("taken_to = %s", to)


def _as_the_mover(changes: LiteralString, *values: datetime | int | None) -> None:
    with raw_cursor() as cursor:
        _refuse_if_lost(bool(cursor.execute(*_of_the_mover(changes, *values)).fetchall()))


def _of_the_mover(changes: LiteralString, *values: datetime | int | None) -> tuple[LiteralString, list[Any]]:
    mine = leases.holding_of(leases.MOVER).number
    return _UPDATE.format(changes=changes), [*values, leases.MOVER, mine]


def _refuse_if_lost(was_mine: bool) -> None:
    if not was_mine:
        raise leases.LeaseLost(leases.MOVER)


_POSITION: LiteralString = "through = %s, through_book = %s"
_UPDATE: LiteralString = """
    UPDATE marketdata_marketclock SET {changes}
    FROM (SELECT FROM marketdata_lease WHERE name = %s AND number = %s FOR SHARE) AS mine
    RETURNING through
"""


def beat() -> None:
    """Say that the feed is alive."""
    ask()
    MarketClock.objects.update(heartbeat_at=wall_now())


def ask() -> None:
    """Ask the database for its clock."""
    with raw_cursor() as cursor:
        row = cursor.execute("SELECT clock_timestamp()").fetchone()
    assert row is not None, "it always has one"
    _hear(row[0])
