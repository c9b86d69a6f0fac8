"""Runs side by side: their curves in per cent since the start, their figures, and the correlation of their daily returns."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from decimal import Decimal
from itertools import combinations
from typing import NamedTuple

from accounts.models import User
from accounts.selectors import get_account
from marketdata.sessions import calendar
from papertrade.lib.times import EXCHANGE_ZONE
from papertrade.reports.account_charts import curve_points
from papertrade.reports.axis import TradingAxis
from papertrade.reports.benchmark import benchmark_line
from papertrade.reports.figures import COMPARED, Figure, Frame, Line, comparison
from papertrade.reports.performance import Performance, performance_of
from portfolio.history import HistoryPoint
from portfolio.models import Book
from portfolio.performance import correlation
from portfolio.selectors import book_of, read_generation_number

MOST_RUNS = 10
POINTS_OF_A_CURVE = 400


class CurvePoint(NamedTuple):
    """A place on a curve that began at 100."""

    timestamp: datetime
    value: Decimal


@dataclass(frozen=True, slots=True)
class Curve:
    """The equity curve of a run, and its name."""

    name: str
    book: Book
    points: Sequence[HistoryPoint]

    @property
    def id(self) -> str:
        """The run as the parameter `runs` names it."""
        return f"{self.book.account_id}:{self.book.generation_number}"

    @property
    def rebased(self) -> list[CurvePoint]:
        """The equity with its start at 100."""
        start = self.points[0].equity
        return [CurvePoint(point.timestamp, point.equity / start * 100) for point in self.points]


@dataclass(frozen=True, slots=True)
class Run:
    """One of the runs: its curve and its performance."""

    curve: Curve
    performance: Performance

    @property
    def days(self) -> dict[date, float]:
        """Each session's return."""
        return {day.day: day.share for day in self.performance.days}


@dataclass(frozen=True, slots=True)
class Alike:
    """The correlation of two runs' daily returns; None where they share too few days."""

    first: str
    second: str
    correlation: float | None
    first_name: str = ""
    second_name: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Runs in the order in which they were named."""

    runs: Sequence[Run]
    alike: Sequence[Alike]


def read_runs(text: str) -> list[tuple[str, int | None]]:
    """`account:generation,account` as pairs; without a generation the latest is meant. Raises ValueError."""
    found: list[tuple[str, int | None]] = []
    for part in dict.fromkeys(part.strip() for part in text.split(",") if part.strip()):
        account_id, _, asked = part.partition(":")
        number = read_generation_number(asked)
        if asked and number is None:
            raise ValueError(f"has {part!r}, which is not an account's id, a colon and a generation")
        found.append((account_id, number))
    if not 1 <= len(found) <= MOST_RUNS:
        raise ValueError(f"must be 1 to {MOST_RUNS} generations, separated by commas")
    return found


def curves_of(user: User, runs: Sequence[tuple[str, int | None]]) -> list[Curve]:
    """The curves of runs of this user's accounts. Raises NotFound, also for those of somebody else."""
    return [_curve(user, account_id, generation) for account_id, generation in runs]


def _curve(user: User, account_id: str, generation: int | None) -> Curve:
    account = get_account(user=user, account_id=account_id)
    book: Book = book_of(account=account, generation=generation)
    return Curve(f"{account.name} #{book.generation_number}", book, curve_points(book, most=POINTS_OF_A_CURVE))


def compare(user: User, runs: Sequence[tuple[str, int | None]]) -> Comparison:
    """The runs with their performance, and the correlation of each two. Raises NotFound, also for those of somebody else."""
    found = [Run(curve, performance_of(curve.book)) for curve in curves_of(user, runs)]
    alike = [
        Alike(one.curve.id, two.curve.id, correlation(one.days, two.days), one.curve.name, two.curve.name)
        for one, two in combinations(found, 2)
    ]
    return Comparison(found, alike)


def compared_figure(curves: Sequence[Curve], *, zone: tzinfo = EXCHANGE_ZONE, benchmark: str = "") -> Figure:
    """All curves, at least one, on one axis, in per cent since each began."""
    start = min(curve.points[0].timestamp for curve in curves)
    end = max(curve.points[-1].timestamp for curve in curves)
    frame = Frame(TradingAxis(calendar(), start, end), zone, datetime.now(UTC).year)
    lines = [
        Line(curve.name, _per_cent(curve.points), COMPARED[place % len(COMPARED)], dashed=place >= len(COMPARED))
        for place, curve in enumerate(curves)
    ]
    if benchmark:
        longest = max(curves, key=lambda curve: len(curve.points))
        held = benchmark_line(benchmark, [point.timestamp for point in longest.points], start=100.0)
        if held is not None:
            points = [(at, value - 100) for at, value in held.line.points]
            lines.append(Line(f"{benchmark} ({held.grade})", points, "quiet", dashed=True))
    return comparison(lines, frame)


def _per_cent(points: Sequence[HistoryPoint]) -> list[tuple[datetime, float]]:
    start = float(points[0].equity)
    return [(point.timestamp, (float(point.equity) / start - 1) * 100) for point in points]
