"""The charts of a run over a period: which points they show, at which timeframe, and what is marked on them."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any

from marketdata import clock
from marketdata.instruments import in_words
from marketdata.sessions import calendar
from orders.models import Fill
from papertrade.lib.times import MOMENT
from papertrade.reports import figures
from papertrade.reports.axis import TradingAxis
from papertrade.reports.benchmark import benchmark_line
from papertrade.reports.executions import settlements_of
from papertrade.reports.figures import Frame, Line, Mark
from portfolio.closes import last_instant
from portfolio.history import TIMEFRAMES, HistoryPoint, beginning, history
from portfolio.models import Book, EquitySnapshot
from portfolio.selectors import Summary, summary

# In sessions; None is the whole run.
PERIODS = {"1D": 1, "1W": 5, "1M": 21, "3M": 63, "1Y": 252, "all": None}
MOST_POINTS = 1_500
MOST_MARKS = 500


@dataclass(frozen=True, slots=True)
class Charts:
    """The figures by name, with what the page says of them."""

    figures: dict[str, figures.Figure]
    timeframe: str
    notes: list[str]
    points: int
    marks: int
    last: str

    def as_json(self) -> dict[str, Any]:
        return {
            "figures": self.figures,
            "timeframe": self.timeframe,
            "notes": self.notes,
            "points": self.points,
            "marks": self.marks,
            "last": self.last,
        }


def account_charts(
    book: Book, *, period: str = "all", timeframe: str = "", benchmark: str = "", zone: tzinfo
) -> Charts:
    """The charts of a book. An unknown period means all; where a timeframe is too fine, a coarser one is used, with a note."""
    until = last_instant(book, clock.read().now)
    start = _start(book, period, until)
    name, points = _points(book, timeframe, start, until, MOST_POINTS)
    notes = []
    if timeframe in TIMEFRAMES and name != timeframe:
        notes.append(f"A point every {_words(name)}: at {_words(timeframe)} there would be more than {MOST_POINTS:,}.")
    frame = Frame(TradingAxis(calendar(), start, until), zone, datetime.now(UTC).year)
    points = figures.carried(_with_ends(book, points, start, until), TIMEFRAMES[name], frame.axis)
    marks, left_out = _marks(book, start)
    if left_out:
        notes.append(f"The latest {MOST_MARKS:,} fills of this period are marked.")
    line = _benchmark(benchmark, points, notes)
    return Charts(
        figures=figures.account_figures(points, marks, frame, benchmark=line),
        timeframe=name,
        notes=notes,
        points=len(points),
        marks=len(marks),
        last=f"{points[-1].equity:.4f}",
    )


def _benchmark(symbol: str, points: list[HistoryPoint], notes: list[str]) -> Line | None:
    if not symbol:
        return None
    line = benchmark_line(symbol, [point.timestamp for point in points], start=float(points[0].equity))
    if line is None:
        notes.append(f"The market has no past prices of {symbol}.")
        return None
    notes.append(f"{symbol}, bought and held from the start of the period, at its mid; these prices are {line.grade}.")
    return line.line


def _start(book: Book, period: str, until: datetime) -> datetime:
    """The open of the first session of the period, or when the run began."""
    count = PERIODS.get(period)
    sessions = calendar().last(count, until) if count else ()
    return max(book.generation.opened_at, sessions[0].open) if sessions else book.generation.opened_at


def curve_points(book: Book, *, most: int) -> list[HistoryPoint]:
    """The whole run as at most so many points and its two ends, the last value carried over gaps."""
    until = last_instant(book, clock.read().now)
    start = book.generation.opened_at
    name, points = _points(book, "", start, until, most)
    axis = TradingAxis(calendar(), start, until)
    return figures.carried(_with_ends(book, points, start, until), TIMEFRAMES[name], axis)


def _points(book: Book, asked: str, start: datetime, until: datetime, most: int) -> tuple[str, list[HistoryPoint]]:
    """The finest timeframe, from the one asked for on, with which there are at most so many points; and its points."""
    names = list(TIMEFRAMES)
    for name in names[names.index(asked) if asked in TIMEFRAMES else 0 :]:
        points = history(book=book, timeframe=name, after=start - MOMENT, until=until, limit=most + 1)
        if len(points) <= most:
            return name, points
    return name, points[:most]


def _with_ends(book: Book, points: list[HistoryPoint], start: datetime, until: datetime) -> list[HistoryPoint]:
    """From the value that the period began with to the value now, which marks may have moved since the last snapshot."""
    now = summary(book=book) if book.closed_at is None else None
    begun = [_before(book, start), *points]
    return [*begun, _standing(now, until) if now else replace(begun[-1], timestamp=until)]


def _before(book: Book, start: datetime) -> HistoryPoint:
    """The last snapshot before an instant, or the money that the run began with."""
    row = EquitySnapshot.objects.filter(book=book, at__lt=start).order_by("-at", "-id").first()
    if row is None:
        return replace(beginning(book=book), timestamp=start)
    return HistoryPoint(start, row.equity, row.cash, row.market_value, row.realized_pl, row.unrealized_pl, row.drawdown)


def _standing(now: Summary, at: datetime) -> HistoryPoint:
    return HistoryPoint(at, now.equity, now.cash, now.market_value, now.realized_pl, now.unrealized_pl, now.drawdown)


def _marks(book: Book, start: datetime) -> tuple[list[Mark], bool]:
    """Fills and settlements from an instant on as marks, and whether there are more fills than are marked."""
    fills = list(Fill.objects.filter(book=book, created_at__gte=start).order_by("-seq")[: MOST_MARKS + 1])
    marks = [
        Mark(
            fill.created_at,
            fill.side,
            f"{fill.side} {_plain(fill.qty)} {in_words(fill.symbol)} at {_plain(fill.price)}",
        )
        for fill in fills[:MOST_MARKS]
    ]
    settled = [
        Mark(part.at, "settlement", f"{_plain(part.qty)} {in_words(part.symbol)} settled at {_plain(part.price)}")
        for part in settlements_of(book)
        if part.at >= start
    ]
    return sorted([*marks, *settled], key=lambda mark: mark.at), len(fills) > MOST_MARKS


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"


_WORDS = {"1Min": "minute", "5Min": "5 minutes", "15Min": "15 minutes", "1H": "hour", "1D": "day"}


def _words(timeframe: str) -> str:
    return _WORDS[timeframe]
