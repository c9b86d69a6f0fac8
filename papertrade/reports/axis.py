"""A time axis on which only trading time has a length: nights, weekends and holidays take no room. Pure, given a calendar."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from math import ceil

from marketdata.sessions import Calendar, Session

MINUTE = timedelta(minutes=1)
# Between two ticks within a session, minutes.
MINUTE_STEPS = (1, 2, 5, 10, 15, 30, 60, 120)
MONTHS_FROM_SESSIONS = 130


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on the axis and what stands there."""

    place: float
    label: str


class TradingAxis:
    """From one instant to another; a place is minutes of trading since the start."""

    def __init__(self, days: Calendar, start: datetime, end: datetime) -> None:
        self._days, self._start, self._end = days, start, end
        self._origin = days.elapsed(start)
        self.length = self.place(end)

    def place(self, at: datetime) -> float:
        """The place of an instant; while the market is closed, that of the end of the session before."""
        return round((self._days.elapsed(at) - self._origin) / MINUTE, 3)

    def ticks(self, zone: tzinfo, *, most: int, this_year: int) -> list[Tick]:
        """At most so many, each where a minute, a day or a month begins, labelled in that zone."""
        sessions = [
            session
            for session in self._days.between(self._start.date() - timedelta(days=1), self._end.date())
            if session.close > self._start and session.open < self._end
        ]
        if len(sessions) <= 1:
            return self._within(zone, most)
        format_day = _day_format(sessions, this_year)
        chosen: Sequence[Session] = sessions
        if len(sessions) > MONTHS_FROM_SESSIONS:
            chosen = [session for before, session in pairwise(sessions) if before.date.month != session.date.month]
            format_day = _month
        every = ceil(len(chosen) / most)
        return [Tick(self.place(session.open), format_day(session)) for session in chosen[::every]]

    def _within(self, zone: tzinfo, most: int) -> list[Tick]:
        """Round times of a session, or of the part of it that is shown; at least one."""
        session = self._days.session_at(self._start) or self._days.previous(self._end)
        if session is None or self._end <= self._start:
            return []
        first, last = max(self._start, session.open), min(self._end, session.close)
        step = next((step for step in MINUTE_STEPS if (last - first) / MINUTE / step <= most), MINUTE_STEPS[-1])
        local = first.astimezone(zone).replace(second=0, microsecond=0)
        at = local + timedelta(minutes=-(local.hour * 60 + local.minute) % step)
        found = []
        while at <= last:
            if at >= first:
                found.append(Tick(self.place(at), f"{at:%H:%M}"))
            at += step * MINUTE
        # In what is shorter than a minute none begins.
        return found or [Tick(self.place(first), f"{first.astimezone(zone):%H:%M}")]


def _day_format(sessions: Sequence[Session], this_year: int) -> Callable[[Session], str]:
    years = {session.date.year for session in sessions}
    return _day if years == {this_year} else _day_and_year


def _day(session: Session) -> str:
    return f"{session.date:%b} {session.date.day}"


def _day_and_year(session: Session) -> str:
    return f"{session.date:%b} {session.date.day}, {session.date.year}"


def _month(session: Session) -> str:
    return f"{session.date:%b %Y}"
