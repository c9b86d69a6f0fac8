"""Bars: of trades where the market knows some of the symbol, elsewhere of the middles of its two-sided, uncrossed quotes.

Of middles open, high, low and close are such, `trades` is how many there were, and there is no volume. A bar begins at a whole
multiple of its timeframe in New York. Nothing later than exchange time is in any of them.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple, TypeVar

from marketdata.feeds.past import DECIMALS, EPOCH, PastMinute, PastTrade
from marketdata.markets.base import Market
from marketdata.sessions import Session, calendar
from papertrade.lib.times import EXCHANGE_ZONE, MOMENT

P = TypeVar("P", PastTrade, PastMinute)

_TIMEFRAME = re.compile(r"(\d{1,2})(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_UNITS = {"Min": "minute", "T": "minute", "Hour": "hour", "H": "hour", "Day": "day", "D": "day"}
_UNITS |= {"Week": "week", "W": "week", "Month": "month", "M": "month"}
_MOST = {"minute": 59, "hour": 23, "day": 1, "week": 1, "month": 12}
_MONTHS_OF = {"quarter": 3, "year": 12}
MONTHS = (1, 2, 3, 4, 6, 12)
MINUTES_A_DAY = 24 * 60
MINUTE = timedelta(minutes=1)
# Where quotes are computed, bars from this length on are made of the middle at the end of each minute of a session: a year of
# ticks would take a minute.
MINUTES_SAMPLED = 60


class Bar(NamedTuple):
    """USD per share. `total` is the sum of prices by size, of middles that of the prices alone, so that `mean` follows."""

    begins: datetime
    open: float
    high: float
    low: float
    close: float
    trades: int
    volume: float
    total: float

    @classmethod
    def of(cls, begins: datetime, trade: PastTrade) -> "Bar":
        """The bar of its first trade."""
        price = trade.price
        return cls(begins, price, price, price, price, 1, trade.size, price * (trade.size or 1))

    def with_trade(self, trade: PastTrade) -> "Bar":
        """The bar after one more."""
        price = trade.price
        return Bar(
            self.begins,
            self.open,
            max(self.high, price),
            min(self.low, price),
            price,
            self.trades + 1,
            self.volume + trade.size,
            self.total + price * (trade.size or 1),
        )

    @classmethod
    def of_minute(cls, begins: datetime, minute: PastMinute) -> "Bar":
        """The bar of its first minute."""
        prices = minute.open, minute.high, minute.low, minute.close
        return cls(begins, *prices, minute.quotes, 0.0, minute.total)

    def with_minute(self, minute: PastMinute) -> "Bar":
        """The bar after one more."""
        return Bar(
            self.begins,
            self.open,
            max(self.high, minute.high),
            min(self.low, minute.low),
            minute.close,
            self.trades + minute.quotes,
            self.volume,
            self.total + minute.total,
        )

    @property
    def mean(self) -> float:
        """The mean price by volume; of middles their mean."""
        return round(self.total / (self.volume or self.trades), DECIMALS)


class Timeframe(NamedTuple):
    """How long a bar is: so many minutes, hours, days, weeks or months."""

    number: int
    unit: str

    @property
    def minutes(self) -> int | None:
        """Its length in minutes; None of a day and longer."""
        return {"minute": self.number, "hour": 60 * self.number}.get(self.unit)

    @property
    def by_the_minute(self) -> bool:
        """Whether its bars are sampled, where quotes are computed."""
        return self.minutes is None or self.minutes >= MINUTES_SAMPLED

    def begin(self, at: datetime) -> datetime:
        """Where the bar that holds the instant begins."""
        local = at.astimezone(EXCHANGE_ZONE)
        if self.minutes is not None:
            minutes = (local.hour * 60 + local.minute) // self.minutes * self.minutes
            return local.replace(hour=minutes // 60, minute=minutes % 60, second=0, microsecond=0).astimezone(UTC)
        return _midnight(self._first_day(local.date()))

    def end(self, at: datetime) -> datetime:
        """Where the bar that holds the instant ends, and the next may begin."""
        day = at.astimezone(EXCHANGE_ZONE).date()
        if self.minutes is not None:
            return min(self.begin(at) + MINUTE * self.minutes, _midnight(day + timedelta(days=1)))
        first = self._first_day(day)
        if self.unit == "month":
            months = first.year * 12 + first.month - 1 + self.number
            return _midnight(date(months // 12, months % 12 + 1, 1))
        return _midnight(first + timedelta(days=7 if self.unit == "week" else 1))

    def is_over(self, bar: Bar, now: datetime) -> bool:
        """Whether nothing can come into the bar any more: it has ended, or the exchange is closed until it has."""
        end = self.end(bar.begins)
        return now >= end or calendar().upcoming(now).open >= end

    def _first_day(self, day: date) -> date:
        if self.unit == "week":
            return day - timedelta(days=day.weekday())
        if self.unit == "month":
            return day.replace(month=(day.month - 1) // self.number * self.number + 1, day=1)
        return day


ONE_MINUTE, DAY = Timeframe(1, "minute"), Timeframe(1, "day")


def read_timeframe(text: str) -> Timeframe | None:
    """`5Min`, `1Hour`, `1Day`, `1Week`, `3Month` and their short forms; None for anything else."""
    match = _TIMEFRAME.fullmatch(text)
    if match is None:
        return None
    number, unit = int(match[1]), _UNITS[match[2]]
    fits = number in MONTHS if unit == "month" else 1 <= number <= _MOST[unit]
    return Timeframe(number, unit) if fits else None


def timeframe_of(number: int, unit: str) -> Timeframe | None:
    """So many minutes or hours of a day, one day, one week, or months, quarters or years that divide a year; else None."""
    if unit in _MONTHS_OF:
        number, unit = number * _MONTHS_OF[unit], "month"
    found = Timeframe(number, unit)
    if found.minutes is not None:
        return found if 1 <= found.minutes <= MINUTES_A_DAY else None
    fits = number in MONTHS if unit == "month" else unit in ("day", "week") and number == 1
    return found if fits else None


def bars(
    market: Market, symbol: str, timeframe: Timeframe, *, start: datetime, until: datetime, now: datetime
) -> Iterator[Bar]:
    """The bars that begin in [start, until], ascending, the last of them as far as `now`. One without a trade is left out.

    `start` inside a bar leaves that bar out: a part of one would not be that bar.
    """
    until = min(timeframe.end(until) - MOMENT, now)
    minutes = market.past_minutes(symbol, start, until)
    if minutes is not None:
        return _put_together(minutes, timeframe.begin, Bar.of_minute, Bar.with_minute, start)
    trades = _trades(market, symbol, timeframe, start - MOMENT, until)
    return _put_together(trades, timeframe.begin, Bar.of, Bar.with_trade, start)


def _put_together(
    pieces: Iterable[P],
    begin: Callable[[datetime], datetime],
    first: Callable[[datetime, P], Bar],
    add: Callable[[Bar, P], Bar],
    start: datetime,
) -> Iterator[Bar]:
    """Bars of trades, or of minutes; without one that begins before `start`."""
    current: Bar | None = None
    for piece in pieces:
        begins = begin(piece.at)
        if current is not None and current.begins == begins:
            current = add(current, piece)
            continue
        if current is not None:
            yield current
        current = first(begins, piece) if begins >= start else None
    if current is not None:
        yield current


def begin_of_bars(market: Market, timeframe: Timeframe, count: int, until: datetime) -> datetime:
    """Where so many bars before `until` begin, or more; where the past costs nothing, before all of them."""
    if not market.computes_past:
        return EPOCH
    first, found, periods = until, 0, set[datetime]()
    for session in reversed(calendar().last(len(calendar().sessions), until)):
        if timeframe.minutes is None:
            first = timeframe.begin(session.open)
            periods.add(first)
            found = len(periods)
        else:
            first = DAY.begin(session.open)
            found += (session.close - session.open) // (MINUTE * timeframe.minutes)
        if found > count:
            break
    return first


def bar_of_day(market: Market, symbol: str, at: datetime, now: datetime) -> Bar | None:
    """The bar of the New York day of an instant, as far as `now`; None where it has no trade."""
    begins = DAY.begin(at)
    return next(bars(market, symbol, DAY, start=begins, until=begins, now=now), None)


def bar_of_session(market: Market, symbol: str, session: Session, now: datetime) -> Bar | None:
    """The bar of regular hours, as far as `now`; None where they have no trade."""
    until = min(session.close - MOMENT, now)
    minutes = market.past_minutes(symbol, session.open, until)
    if minutes is not None:
        found = _put_together(minutes, lambda _: session.open, Bar.of_minute, Bar.with_minute, session.open)
    else:
        trades = _trades(market, symbol, DAY, session.open - MOMENT, until)
        found = _put_together(trades, lambda _: session.open, Bar.of, Bar.with_trade, session.open)
    return next(found, None)


def bar_of_day_before(market: Market, symbol: str, now: datetime) -> Bar | None:
    """The bar of the last session's day before the New York day of `now`."""
    session = calendar().previous(DAY.begin(now))
    return None if session is None else bar_of_day(market, symbol, session.open, now)


def last_minute(market: Market, symbol: str, now: datetime) -> Bar | None:
    """The last of the ten minutes that ended by `now` in which there was a trade."""
    ends = ONE_MINUTE.begin(now)
    found = list(bars(market, symbol, ONE_MINUTE, start=ends - 10 * MINUTE, until=ends - MOMENT, now=now))
    return found[-1] if found else None


def _trades(market: Market, symbol: str, timeframe: Timeframe, after: datetime, until: datetime) -> Iterator[PastTrade]:
    if market.computes_past and timeframe.by_the_minute:
        return _by_the_minute(market, symbol, after, until)
    return market.past_trades(symbol, after, until)


def _by_the_minute(market: Market, symbol: str, after: datetime, until: datetime) -> Iterator[PastTrade]:
    for session in calendar().between(after.date() - timedelta(days=1), until.date()):
        if until >= session.close - MOMENT:
            middles = _of_whole_session(market, symbol, session)
        else:
            middles = _of_times(market, symbol, [at for at in _ends_of_minutes(session) if at <= until])
        yield from (trade for trade in middles if trade.at > after)


@lru_cache(maxsize=2_048)  # 400 prices each
def _of_whole_session(market: Market, symbol: str, session: Session) -> list[PastTrade]:
    return _of_times(market, symbol, _ends_of_minutes(session))


def _of_times(market: Market, symbol: str, times: list[datetime]) -> list[PastTrade]:
    mids = market.mids(symbol, times) or []
    return [PastTrade(at, round(mid, DECIMALS)) for at, mid in zip(times, mids, strict=False) if mid is not None]


def _ends_of_minutes(session: Session) -> list[datetime]:
    """Of regular hours; the last of them a moment before the close."""
    times = [session.open + MINUTE * number for number in range(1, (session.close - session.open) // MINUTE + 1)]
    return [*times[:-1], times[-1] - MOMENT]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=EXCHANGE_ZONE).astimezone(UTC)
