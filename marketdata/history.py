"""A page of a market's past: trades, quotes or bars of some symbols, each symbol's in the order of time, either way.

A page ends after so many rows, or after so much of a past that has to be computed; the next goes on after the last row. Many
rows may share an instant, so a place in the past is an instant and how many of its rows are done.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from marketdata.bars import DAY, Timeframe, bars
from marketdata.feeds.past import EPOCH, MICROSECOND
from marketdata.markets.base import Market
from papertrade.lib.times import MOMENT, YEARS

T = TypeVar("T")
HOUR = Timeframe(1, "hour")


class Span(NamedTuple):
    """[start, until], both included; its rows ascending, or the latest first."""

    start: datetime
    until: datetime
    descending: bool = False


class Place(NamedTuple):
    """Where a page goes on: in a symbol's rows, at an instant, after so many rows of it."""

    symbol: str
    at: datetime
    done: int = 0

    def __str__(self) -> str:
        return f"{self.symbol}|{(self.at - EPOCH) // MICROSECOND}|{self.done}"


def read_place(text: str) -> Place:
    """What `str` made of a place. Raises ValueError."""
    symbol, at, done = text.split("|")
    if not (at + done).isascii() or not (at + done).isdigit():
        raise ValueError("is not a place")
    try:
        place = Place(symbol, EPOCH + int(at) * MICROSECOND, int(done))
    except OverflowError:
        raise ValueError("is not a place") from None
    if place.at.year not in YEARS:
        raise ValueError("is not a place")
    return place


@dataclass(frozen=True)
class Reading(Generic[T]):
    """How one kind of row is read: those of a symbol in [start, until], ascending, and when each is.

    `period` is the stretch of time that may be read by itself, for the latest first; `reach` bounds a page, None where reading
    costs little.
    """

    read: Callable[[str, datetime, datetime], Iterator[T]]
    at: Callable[[T], datetime]
    period: Timeframe
    reach: timedelta | None

    def rows(self, symbol: str, span: Span) -> Iterator[T]:
        """The rows of a span, in its order."""
        if not span.descending:
            yield from self.read(symbol, span.start, span.until)
            return
        until = span.until
        while until >= span.start:
            first = max(self.period.begin(until), span.start)
            yield from reversed(list(self.read(symbol, first, until)))
            until = first - MOMENT


class Page(NamedTuple, Generic[T]):
    """Rows by symbol, and where the next page begins."""

    rows: dict[str, list[T]]
    following: Place | None


def trades_of(market: Market) -> Reading:
    """Trades, or what stands for them."""

    def read(symbol: str, start: datetime, until: datetime) -> Iterator:
        return iter(market.past_trades(symbol, start - MOMENT, until))

    return _of_ticks(read, lambda trade: trade.at, market)


def quotes_of(market: Market) -> Reading:
    """Quotes."""

    def read(symbol: str, start: datetime, until: datetime) -> Iterator:
        return iter(market.past_quotes(symbol, start - MOMENT, until))

    return _of_ticks(read, lambda quote: quote.at, market)


def _of_ticks(
    read: Callable[[str, datetime, datetime], Iterator[T]], at: Callable[[T], datetime], market: Market
) -> Reading[T]:
    return Reading(read, at, HOUR if market.computes_past else DAY, market.reach_of_ticks)


def bars_of(market: Market, timeframe: Timeframe, *, now: datetime) -> Reading:
    """Bars."""

    def read(symbol: str, start: datetime, until: datetime) -> Iterator:
        return bars(market, symbol, timeframe, start=start, until=until, now=now)

    of_minutes = timeframe.by_the_minute or market.keeps_minutes
    period = DAY if timeframe.minutes is not None else timeframe
    return Reading(
        read, lambda bar: bar.begins, period, market.reach_of_minutes if of_minutes else market.reach_of_ticks
    )


def page(reading: Reading[T], symbols: Sequence[str], span: Span, *, limit: int, after: Place | None = None) -> Page[T]:
    """The next page: symbols in their order, filled one by one. `limit` counts rows over all of them."""
    found: dict[str, list[T]] = {}
    left, reach = limit, reading.reach
    for symbol in sorted(symbols):
        if after is not None and symbol < after.symbol:
            continue
        resumed = after if after is not None and symbol == after.symbol else None
        whole = _from(resumed, span) if resumed else span
        if whole.until < whole.start:
            continue
        read = _within(whole, reach, reading.period)
        if read is None:
            return Page(found, Place(symbol, whole.until if span.descending else whole.start))
        rows, following = _take(reading, symbol, read, resumed, left)
        if rows:
            found[symbol] = rows
        if following is None and read != whole:
            at = read.start - MOMENT if span.descending else read.until + MOMENT
            following = Place(symbol, at)
        if following is not None:
            return Page(found, following)
        left -= len(rows)
        reach = None if reach is None else reach - (read.until - read.start)
    return Page(found, None)


def _take(
    reading: Reading[T], symbol: str, span: Span, resumed: Place | None, left: int
) -> tuple[list[T], Place | None]:
    """At most so many rows, without those that were given before, and the place after them where there are more."""
    rows = reading.rows(symbol, span)
    done = resumed.done if resumed else 0
    taken: list[T] = []
    for row in rows:
        if resumed is not None and done and reading.at(row) == resumed.at:
            done -= 1
            continue
        taken.append(row)
        break
    taken += islice(rows, left + 1 - len(taken))
    if len(taken) <= left:
        return taken, None
    if not left:
        return [], Place(symbol, reading.at(taken[0]), resumed.done if resumed else 0)
    last = reading.at(taken[left - 1])
    same = sum(1 for row in taken[:left] if reading.at(row) == last)
    before = resumed.done if resumed is not None and resumed.at == last else 0
    return taken[:left], Place(symbol, last, before + same)


def _from(place: Place, span: Span) -> Span:
    """What is left of a span."""
    if span.descending:
        return span._replace(until=min(span.until, place.at))
    return span._replace(start=max(span.start, place.at))


def _within(span: Span, reach: timedelta | None, period: Timeframe) -> Span | None:
    """As much of a span as may be read, in whole periods and at least one of them; None where nothing may any more."""
    if reach is None or span.until - span.start <= reach:
        return span
    if reach <= timedelta(0):
        return None
    if span.descending:
        return span._replace(start=max(span.start, period.begin(span.until - reach)))
    return span._replace(until=min(span.until, period.end(span.start + reach) - MOMENT))
