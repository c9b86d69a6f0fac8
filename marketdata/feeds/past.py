"""What a feed may know of the past: its quotes between two instants, and mid prices at given ones, for charts and bars."""

from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from math import isnan, nan
from typing import NamedTuple, Protocol, runtime_checkable

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


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


@runtime_checkable
class KeepsPast(Protocol):
    """A feed that can say what a symbol was quoted at."""

    def mids(self, symbol: str, times: Sequence[datetime]) -> list[float | None]:
        """The middle of bid and ask at each of the times (USD, ascending); None before the first two-sided quote."""

    def quotes(self, symbol: str, after: datetime, until: datetime) -> Iterator[PastQuote]:
        """The symbol's quotes in (after, until], in order."""


class QuoteColumns:
    """The quotes of one symbol in columns: forty bytes each, so that a day of ticks fits into a process that serves."""

    def __init__(self) -> None:
        self._times = array("q")
        self._values = [array("d") for _ in range(4)]

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
