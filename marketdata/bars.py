"""Bars out of quotes: the middles of two-sided, uncrossed quotes, since nothing is traded in this market.

Open, high, low and close are such middles, `quotes` is how many there were, and there is no volume. A bar begins at a whole
multiple of its timeframe in New York; nothing later than the instant that is asked for is in any of them.
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from marketdata.markets.base import Market
from marketdata.sessions import calendar
from papertrade.lib.times import EXCHANGE_ZONE

_TIMEFRAME = re.compile(r"(\d{1,2})(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_UNITS = {"Min": "minute", "T": "minute", "Hour": "hour", "H": "hour", "Day": "day", "D": "day"}
_UNITS |= {"Week": "week", "W": "week", "Month": "month", "M": "month"}
_MOST = {"minute": 59, "hour": 23, "day": 1, "week": 1, "month": 12}
MONTHS = (1, 2, 3, 4, 6, 12)
SAMPLED_FROM = timedelta(days=40)  # a longer span is read by the minute, not by the tick
MINUTE = timedelta(minutes=1)


class Bar(NamedTuple):
    """USD per share; `total` is the sum of the middles, so that `mean` follows."""

    begins: datetime
    open: float
    high: float
    low: float
    close: float
    quotes: int
    total: float

    @property
    def mean(self) -> float:
        """The mean of its middles, which stands where others have a volume-weighted price."""
        return round(self.total / self.quotes, 6)


class Timeframe(NamedTuple):
    """How long a bar is: so many minutes, hours, days, weeks or months."""

    number: int
    unit: str

    def begin(self, at: datetime) -> datetime:
        """Where the bar that holds the instant begins."""
        local = at.astimezone(EXCHANGE_ZONE)
        if self.unit in ("minute", "hour"):
            length = self.number * (60 if self.unit == "hour" else 1)
            minutes = (local.hour * 60 + local.minute) // length * length
            return local.replace(hour=minutes // 60, minute=minutes % 60, second=0, microsecond=0).astimezone(UTC)
        return datetime.combine(self._first_day(local.date()), time.min, tzinfo=EXCHANGE_ZONE).astimezone(UTC)

    def _first_day(self, day: date) -> date:
        if self.unit == "week":
            return day - timedelta(days=day.weekday())
        if self.unit == "month":
            return day.replace(month=(day.month - 1) // self.number * self.number + 1, day=1)
        return day


def read_timeframe(text: str) -> Timeframe | None:
    """`5Min`, `1Hour`, `1Day`, `1Week`, `3Month` and their short forms; None for anything else."""
    match = _TIMEFRAME.fullmatch(text)
    if match is None:
        return None
    number, unit = int(match[1]), _UNITS[match[2]]
    fits = number in MONTHS if unit == "month" else 1 <= number <= _MOST[unit]
    return Timeframe(number, unit) if fits else None


def bars(market: Market, symbol: str, timeframe: Timeframe, *, start: datetime, until: datetime) -> Iterator[Bar]:
    """The bars that begin in [start, until], ascending, of quotes until then. A bar without a quote is left out.

    `start` inside a bar leaves that bar out: a part of one would not be that bar.
    """
    current: Bar | None = None
    for at, mid in _middles(market, symbol, start - timedelta(microseconds=1), until):
        begins = timeframe.begin(at)
        if begins < start:
            continue
        if current is not None and current.begins == begins:
            current = Bar(
                begins,
                current.open,
                max(current.high, mid),
                min(current.low, mid),
                mid,
                current.quotes + 1,
                current.total + mid,
            )
            continue
        if current is not None:
            yield current
        current = Bar(begins, mid, mid, mid, mid, 1, mid)
    if current is not None:
        yield current


def _middles(market: Market, symbol: str, after: datetime, until: datetime) -> Iterator[tuple[datetime, float]]:
    if until - after > SAMPLED_FROM:
        yield from _sampled(market, symbol, after, until)
        return
    for quote in market.past_quotes(symbol, after, until):
        if (mid := quote.mid) is not None:
            yield quote.at, mid


def _sampled(market: Market, symbol: str, after: datetime, until: datetime) -> Iterator[tuple[datetime, float]]:
    """The middle at the end of each minute of each session: a year of ticks would take a minute to go through."""
    for session in calendar().between(after.date() - timedelta(days=1), until.date()):
        times = [session.open + MINUTE * number for number in range(1, (session.close - session.open) // MINUTE + 1)]
        times[-1] -= timedelta(microseconds=1)
        wanted = [at for at in times if after < at <= until]
        for at, mid in zip(wanted, market.mids(symbol, wanted) or [], strict=False):
            if mid is not None:
                yield at, mid
