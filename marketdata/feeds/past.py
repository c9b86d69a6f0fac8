"""What a feed may know of the past: its quotes and trades between two instants, and mid prices at given ones."""

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from math import isnan, nan
from typing import NamedTuple, Protocol, runtime_checkable

from marketdata.quotes import Quote

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DECIMALS = 6  # of a price


class PastQuote(NamedTuple):
    """A quote that once stood: USD per share, shares or contracts; None for a side that was absent. To be shown only."""

    at: datetime
    bid: float | None
    ask: float | None
    bid_size: float
    ask_size: float

    @property
    def mid(self) -> float | None:
        """Half way between bid and ask; None of a quote that is one-sided or crossed."""
        if self.bid is None or self.ask is None or self.bid > self.ask:
            return None
        return (self.bid + self.ask) / 2

    @property
    def middle(self) -> "PastTrade | None":
        """Its middle as a trade of nothing; None where it has none."""
        return None if self.mid is None else PastTrade(self.at, round(self.mid, DECIMALS))


class PastTrade(NamedTuple):
    """A trade: USD per share, shares or contracts, the letter of its venue. A size of 0 is the middle of a quote: nothing
    was traded.
    """

    at: datetime
    price: float
    size: float = 0.0
    exchange: str = ""
    place: int = 0  # among the trades of its symbol, from 1

    @property
    def is_middle(self) -> bool:
        """Whether it only stands for a quote."""
        return not self.size

    @property
    def number(self) -> int:
        """What it is known by among those of its symbol: its place, and of a middle its microsecond."""
        return self.place or (self.at - EPOCH) // MICROSECOND


class PastMinute(NamedTuple):
    """The middles of a symbol's quotes within a minute, or within a part of it: USD per share, and their sum."""

    at: datetime  # where the minute begins
    open: float
    high: float
    low: float
    close: float
    quotes: int
    total: float
    last: datetime  # when the last of them was

    @classmethod
    def of(cls, middle: PastTrade) -> "PastMinute":
        """The minute of its first middle."""
        price = middle.price
        begins = middle.at.replace(second=0, microsecond=0)
        return cls(begins, price, price, price, price, 1, price, middle.at)

    def with_middle(self, middle: PastTrade) -> "PastMinute":
        """The minute after one more."""
        price = middle.price
        high, low = max(self.high, price), min(self.low, price)
        return PastMinute(self.at, self.open, high, low, price, self.quotes + 1, self.total + price, middle.at)


def standing(quote: Quote) -> PastQuote:
    """A quote of now as one of the past."""
    bid, ask = (None if side is None else float(side) for side in (quote.bid, quote.ask))
    return PastQuote(quote.quoted_at, bid, ask, float(quote.bid_size or 0), float(quote.ask_size or 0))


@runtime_checkable
class KeepsPast(Protocol):
    """A feed that can say what a symbol was quoted at."""

    def mids(self, symbol: str, times: Sequence[datetime]) -> list[float | None]:
        """The middle of bid and ask at each of the times (USD, ascending); None before the first two-sided quote."""

    def quotes(self, symbol: str, after: datetime, until: datetime) -> Iterator[PastQuote]:
        """The symbol's quotes in (after, until], in order."""

    def remember(self, symbols: Collection[str]) -> None:
        """The past of these is asked for next: read it in one pass, where it has to be read."""


@runtime_checkable
class Begins(Protocol):
    """A feed that has quotes from some instant on only, and knows it without reading them."""

    def begins(self) -> datetime | None:
        """When its first quote is; None where it has none."""


@runtime_checkable
class KeepsMinutes(Protocol):
    """A feed that knows its past by the minute, without reading every quote."""

    def minutes(self, symbol: str, start: datetime, until: datetime) -> Iterator[PastMinute]:
        """The minutes that begin in [start, until], ascending and with no quote after `until`; one may come in several
        parts. A minute without a middle is left out. `start` inside a minute: that one is among them, from its begin on.
        """


@runtime_checkable
class KeepsTrades(Protocol):
    """A feed that may know what was really traded."""

    def has_trades(self, symbol: str) -> bool:
        """Whether it has trades of the symbol, at any time."""

    def trades(self, symbol: str, after: datetime, until: datetime) -> Iterator[PastTrade]:
        """The symbol's trades in (after, until], in order."""

    def trade_at(self, symbol: str, at: datetime) -> PastTrade | None:
        """The last trade until then."""


class QuoteColumns:
    """The quotes of one symbol in columns: forty bytes each, so that a day of ticks fits into a process that serves."""

    def __init__(self) -> None:
        self._times = array("q")
        self._values = [array("d") for _ in range(4)]

    def __len__(self) -> int:
        return len(self._times)

    def append(self, at: datetime, *values: float | None) -> None:
        """The next quote: bid, ask and their sizes."""
        self._times.append((at - EPOCH) // MICROSECOND)
        for column, value in zip(self._values, values, strict=True):
            column.append(nan if value is None else float(value))

    def between(self, after: datetime, until: datetime) -> Iterator[PastQuote]:
        """The quotes in (after, until]."""
        for place in range(self._place(after), self._place(until)):
            yield self._at(place)

    def mid_at(self, at: datetime) -> float | None:
        """The middle of the last two-sided quote until then."""
        for place in range(self._place(at) - 1, -1, -1):
            if (mid := self._at(place).mid) is not None:
                return mid
        return None

    def _place(self, at: datetime) -> int:
        return bisect_right(self._times, (at - EPOCH) // MICROSECOND)

    def _at(self, place: int) -> PastQuote:
        bid, ask, bid_size, ask_size = (column[place] for column in self._values)
        return PastQuote(
            EPOCH + self._times[place] * MICROSECOND,
            None if isnan(bid) else bid,
            None if isnan(ask) else ask,
            0.0 if isnan(bid_size) else bid_size,
            0.0 if isnan(ask_size) else ask_size,
        )


class TradeColumns:
    """The trades of one symbol in columns."""

    def __init__(self) -> None:
        self._times = array("q")
        self._prices, self._sizes = array("d"), array("d")
        self._exchanges: list[str] = []  # each is one of few, so a pointer a trade

    def append(self, at: datetime, price: float, size: float, exchange: str) -> None:
        """The next trade."""
        self._times.append((at - EPOCH) // MICROSECOND)
        self._prices.append(price)
        self._sizes.append(size)
        self._exchanges.append(exchange)

    def between(self, after: datetime, until: datetime) -> Iterator[PastTrade]:
        """The trades in (after, until]."""
        for place in range(self._place(after), self._place(until)):
            yield self._at(place)

    def last(self, at: datetime) -> PastTrade | None:
        """The last trade until then."""
        place = self._place(at)
        return self._at(place - 1) if place else None

    def _place(self, at: datetime) -> int:
        return bisect_right(self._times, (at - EPOCH) // MICROSECOND)

    def _at(self, place: int) -> PastTrade:
        at = EPOCH + self._times[place] * MICROSECOND
        return PastTrade(at, self._prices[place], self._sizes[place], self._exchanges[place], place + 1)
