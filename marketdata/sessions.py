"""Regular hours of the exchange: early closes, holidays, next open. Bisection over rows that `sync_sessions` fills.

exchange_calendars is the source and stays out of the running processes: it costs 112 MB each.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from itertools import accumulate

from papertrade.lib.errors import PapertradeError

USUAL_CLOSE = time(21)  # UTC, in winter


class CalendarExhausted(PapertradeError):
    """The calendar's rows end before the instant that was asked for."""

    code = "unavailable"


@dataclass(frozen=True, slots=True, order=True)
class Session:
    """The regular hours of one trading day, UTC: [open, close)."""

    date: date
    open: datetime
    close: datetime

    def contains(self, at: datetime) -> bool:
        """Whether the market is open at that instant."""
        return self.open <= at < self.close


class Calendar:
    """Sessions in order, looked up by time. Raises CalendarExhausted where it has no row to answer from."""

    def __init__(self, sessions: Sequence[Session]) -> None:
        self.sessions = tuple(sorted(sessions))
        self._dates = [session.date for session in self.sessions]
        self._opens = [session.open for session in self.sessions]
        self._closes = [session.close for session in self.sessions]

    @property
    def end(self) -> datetime | None:
        """The last open that it knows: a close is done knowing the session after it."""
        return self._opens[-1] if self._opens else None

    def session_at(self, at: datetime) -> Session | None:
        """The session in progress, or None while the market is closed."""
        place = bisect_right(self._opens, at) - 1
        if place >= 0 and at < self._closes[place]:
            return self.sessions[place]
        return None

    def upcoming(self, at: datetime) -> Session:
        """The session that an order sent then belongs to: the one in progress, else the next."""
        return self._get(bisect_right(self._closes, at))

    def next_open(self, at: datetime) -> Session:
        """The first session that opens after the instant."""
        return self._get(bisect_right(self._opens, at))

    def previous(self, at: datetime) -> Session | None:
        """The last session that has closed by then."""
        place = bisect_right(self._closes, at) - 1
        return self.sessions[place] if place >= 0 else None

    def last_on_or_before(self, day: date) -> Session:
        """The last session dated on or before the day."""
        if not self._dates or day > self._dates[-1]:
            raise self._exhausted()
        return self._get(bisect_right(self._dates, day) - 1)

    def last_close(self, day: date) -> datetime:
        """The close of the last session dated on or before the day, which ends an option that expires then.

        Options are quoted that expire beyond either end of the calendar: there a usual close stands for it.
        """
        if self._dates and self._dates[0] <= day <= self._dates[-1]:
            return self.last_on_or_before(day).close
        return datetime.combine(day, USUAL_CLOSE, tzinfo=UTC)

    def on(self, day: date) -> Session | None:
        """The session of that date, or None on a day without one."""
        place = bisect_left(self._dates, day)
        return self.sessions[place] if place < len(self._dates) and self._dates[place] == day else None

    def between(self, start: date, end: date) -> tuple[Session, ...]:
        """The sessions dated from start to end, both included."""
        return self.sessions[bisect_left(self._dates, start) : bisect_right(self._dates, end)]

    @cached_property
    def _before(self) -> list[timedelta]:
        """The trading time before each session, and after the last."""
        return list(accumulate((session.close - session.open for session in self.sessions), initial=timedelta()))

    def elapsed(self, at: datetime) -> timedelta:
        """Trading time from the first session to the instant: it stands still while the market is closed."""
        place = bisect_right(self._opens, at) - 1
        if place < 0:
            return timedelta()
        return self._before[place] + min(at, self._closes[place]) - self._opens[place]

    def trading_time(self, start: datetime, end: datetime) -> timedelta:
        """How long the market was open between two instants."""
        return self.elapsed(end) - self.elapsed(start)

    def ended(self, after: datetime, until: datetime) -> tuple[Session, ...]:
        """The sessions that closed in (after, until]."""
        return self.sessions[bisect_right(self._closes, after) : bisect_right(self._closes, until)]

    def last(self, count: int, at: datetime) -> tuple[Session, ...]:
        """So many sessions up to the one in progress, or else the last that closed; fewer where the calendar begins."""
        end = bisect_right(self._opens, at)
        return self.sessions[max(0, end - count) : end]

    def _get(self, place: int) -> Session:
        if not 0 <= place < len(self.sessions):
            raise self._exhausted()
        return self.sessions[place]

    def _exhausted(self) -> CalendarExhausted:
        drop_calendar()  # it may have been extended since this process read it
        have = f"{self._dates[0]} to {self._dates[-1]}" if self._dates else "nothing"
        return CalendarExhausted(f"The trading calendar has {have}; run `papertrade sync-sessions` to extend it.")


_loaded: Calendar | None = None


def calendar() -> Calendar:
    """The calendar of this process, read from the database once."""
    global _loaded
    if _loaded is None or not _loaded.sessions:
        from marketdata.models import TradingSession

        _loaded = Calendar([Session(*row) for row in TradingSession.objects.values_list("date", "open", "close")])
    return _loaded


def drop_calendar() -> None:
    """Read the rows again at the next look-up, after a sync."""
    global _loaded
    _loaded = None
