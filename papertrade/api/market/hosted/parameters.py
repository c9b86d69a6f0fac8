"""The query parameters of the hosted product's market data. Values in the path of an address are read by the same rules."""

from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

from marketdata.feeds.past import EPOCH, MICROSECOND
from papertrade.api.kit.filters import (
    CountParameter,
    DayParameter,
    FlagParameter,
    Parameter,
    ParameterSet,
    SymbolParameter,
    SymbolsParameter,
    TextParameter,
    WordParameter,
)
from papertrade.api.market.filters import ChainFilter
from papertrade.api.market.hosted.base import ASCENDING, CONTRACT_KEYS, DESCENDING
from papertrade.lib.errors import BadRequest
from papertrade.lib.times import DAY, MOMENT, begin_of, read_time

BOUNDS = ("", ".gte", ".gt", ".lte", ".lt")
# How many digits a time has as a number of milliseconds, or nanoseconds, since 1970.
MILLISECONDS, NANOSECONDS = (12, 13), (18, 19)
LONGEST_WINDOW = 250
SERIES = ("close", "open", "high", "low")
TIMESPANS = ("minute", "hour", "day", "week", "month", "quarter", "year")


class Stretch(NamedTuple):
    """The instants that a text means, from the first to the last: all of a day, or a single one; none where last < first."""

    first: datetime
    last: datetime


def read_stretch(text: str) -> Stretch:
    """A New York day, an RFC 3339 time, or a number of milli- or nanoseconds. Raises ValueError."""
    if text.isascii() and text.isdigit():
        if len(text) in MILLISECONDS:
            at = EPOCH + timedelta(milliseconds=int(text))
            return Stretch(at, at)
        if len(text) in NANOSECONDS:
            micro, rest = divmod(int(text), 1000)
            last = EPOCH + micro * MICROSECOND
            return Stretch(last + MOMENT if rest else last, last)
        raise ValueError("must be a date, a time, or milli- or nanoseconds since 1970")
    read = read_time(text.replace(" ", "+"))
    if isinstance(read, datetime):
        return Stretch(read, read)
    return Stretch(begin_of(read), begin_of(read + DAY) - MOMENT)


class StretchParameter(Parameter):
    """A day, a time, or a number of milli- or nanoseconds."""

    def read(self, text: str) -> Stretch:
        return read_stretch(text)


class Bounds(NamedTuple):
    """What `timestamp` and its comparisons leave: [start, until], either end None where it is not bounded."""

    start: datetime | None
    until: datetime | None


def bounds(query: dict[str, Any]) -> Bounds:
    """The narrowest bounds that the parameters of a query give."""
    said = {bound: query[name] for bound in BOUNDS if (name := f"timestamp{bound}") in query}
    starts = [stretch.first for bound, stretch in said.items() if bound in ("", ".gte")]
    starts += [stretch.last + MOMENT for bound, stretch in said.items() if bound == ".gt"]
    ends = [stretch.last for bound, stretch in said.items() if bound in ("", ".lte")]
    ends += [stretch.first - MOMENT for bound, stretch in said.items() if bound == ".lt"]
    return Bounds(max(starts, default=None), min(ends, default=None))


class _Stamped(ParameterSet):
    @classmethod
    def get_filters(cls) -> dict[str, Parameter]:
        says = "a New York day, a time, or milli- or nanoseconds since 1970"
        return {**super().get_filters(), **{f"timestamp{bound}": StretchParameter(says) for bound in BOUNDS}}


class TickFilter(_Stamped):
    """Trades and quotes."""

    sort = WordParameter("by time", ("timestamp",))
    order = WordParameter("the latest first by default", (ASCENDING, DESCENDING))


class AdjustedFilter(ParameterSet):
    """No split is known here, so adjusted prices are the others."""

    adjusted = FlagParameter("has no effect: no split is known here")


class BarFilter(AdjustedFilter):
    sort = WordParameter("ascending by default", (ASCENDING, DESCENDING))


class IndicatorFilter(_Stamped, AdjustedFilter):
    """What all indicators take."""

    timespan = WordParameter("how long a bar is; day by default", TIMESPANS)
    series_type = WordParameter("which price of a bar; close by default", SERIES)
    expand_underlying = FlagParameter("with the bars that it was made of")
    order = WordParameter("the latest first by default", (ASCENDING, DESCENDING))


class WindowFilter(IndicatorFilter):
    window = CountParameter("bars; 50 by default, for RSI 14", least=1, most=LONGEST_WINDOW)


class MacdFilter(IndicatorFilter):
    short_window = CountParameter("bars; 12 by default", least=1, most=LONGEST_WINDOW)
    long_window = CountParameter("bars; 26 by default", least=1, most=LONGEST_WINDOW)
    signal_window = CountParameter("bars; 9 by default", least=1, most=LONGEST_WINDOW)


class LastOptionQuoteFilter(ParameterSet):
    timeframe = WordParameter("nothing here is delayed", ("live",))


class OrderedChainFilter(ChainFilter):
    """Contracts of one stock."""

    sort = WordParameter("by symbol by default", CONTRACT_KEYS)
    order = WordParameter("ascending by default", (ASCENDING, DESCENDING))


class AsOfFilter(ParameterSet):
    as_of = DayParameter("as on this New York day, which is today or past")


class ContractFilter(OrderedChainFilter, AsOfFilter):
    """Reference data of contracts."""

    underlying_ticker = SymbolParameter("a stock", required=True)
    expired = FlagParameter("those that have expired too")


class SnapshotFilter(ParameterSet):
    """Of all stocks, or of those named; the list has two names."""

    tickers = SymbolsParameter("stocks, separated by commas; all unless said")
    include_otc = FlagParameter("has no effect: no stock here trades over the counter")

    @classmethod
    def get_filters(cls) -> dict[str, Parameter]:
        return {**super().get_filters(), "ticker.any_of": SymbolsParameter("as tickers")}


class MoverFilter(ParameterSet):
    limit = CountParameter("how many at most, 20 by default", least=1, most=100)
    include_otc = FlagParameter("has no effect: no stock here trades over the counter")


class StockFilter(ParameterSet):
    """The stocks that the market lists."""

    ticker = SymbolParameter("that one")
    search = TextParameter("a part of a ticker or name")
    market = WordParameter("stocks", ("stocks",))
    active = FlagParameter("all are; false lists none")
    sort = WordParameter("by ticker", ("ticker",))
    order = WordParameter("ascending by default", (ASCENDING, DESCENDING))


class StockDetailFilter(ParameterSet):
    date = DayParameter("as on this New York day, which is today or past")


def day_in_path(text: str) -> date:
    """A date in an address. Raises BadRequest."""
    try:
        read = read_time(text)
    except ValueError as problem:
        raise BadRequest("The date cannot be used.", date=str(problem)) from None
    if isinstance(read, datetime):
        raise BadRequest("The date cannot be used.", date="must be a date such as 2026-05-16")
    return read


def stretch_in_path(name: str, text: str) -> Stretch:
    """A bound in an address. Raises BadRequest."""
    try:
        return read_stretch(text)
    except ValueError as problem:
        raise BadRequest("The range cannot be used.", {name: str(problem)}) from None


def not_in_the_future(name: str, day: date | None, today: date) -> None:
    """Raises BadRequest for a day that is yet to come."""
    if day is not None and day > today:
        raise BadRequest("What has not happened yet cannot be told.", {name: f"must be at most {today}"})
