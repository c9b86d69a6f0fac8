"""How a run performed: returns, risk and their ratios, out of equities and results of trades. Pure.

Returns are those of consecutive session closes, flat days included; they are floats, as statistics are, while money stays
`Decimal`. Everything is a fraction unless its name says otherwise; annual figures take 252 sessions to a year. Sources:
Sharpe (1994) and Lo (2002) for the ratio and its error, Sortino and Price (1994) with every return in the denominator,
Young (1991) for Calmar.
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from math import prod, sqrt

SESSIONS_PER_YEAR = 252
MICROSECOND = timedelta(microseconds=1)
LEAST_DAYS_FOR_RATIOS = 20  # below, a ratio says more about chance than about the strategy


@dataclass(frozen=True, slots=True)
class DailyClose:
    """What a book was worth when a session ended; `day` is the session's date."""

    day: date
    equity: Decimal


@dataclass(frozen=True, slots=True)
class Day:
    """One session: what it earned in USD, and as a fraction of the equity before it."""

    day: date
    pl: Decimal
    share: float


@dataclass(frozen=True, slots=True)
class Drawdown:
    """A fall from a peak: `depth` is the greatest (peak - equity) / peak; `recovered_at` is None while it lasts."""

    began_at: datetime
    lowest_at: datetime
    recovered_at: datetime | None
    depth: Decimal


@dataclass(frozen=True, slots=True)
class Risk:
    """What daily returns say. None where there are too few of them, or where a ratio has nothing below its line.

    `annual_return` and `calmar` are given from a year on: a month's return to the twelfth power is no forecast.
    """

    days: int
    total_return: float
    annual_return: float | None
    volatility: float | None
    sharpe: float | None
    sharpe_error: float | None
    sortino: float | None
    calmar: float | None
    best: Day | None
    worst: Day | None
    share_of_days_up: float | None


@dataclass(frozen=True, slots=True)
class TradeFigures:
    """What closed trades came to, in USD. A trade won when its result is above zero."""

    closed: int
    won: int
    lost: int
    win_rate: float | None
    profit_factor: float | None
    payoff: float | None
    expectancy: Decimal | None
    average_win: Decimal | None
    average_loss: Decimal | None
    best: Decimal | None
    worst: Decimal | None
    median_held: timedelta | None
    mean_held: timedelta | None


def days_of(start: Decimal, closes: Sequence[DailyClose]) -> list[Day]:
    """Each session's result; the first one's is against what the run started with."""
    before = [start, *(close.equity for close in closes)]
    return [
        Day(close.day, close.equity - was, float(close.equity) / float(was) - 1 if was else 0.0)
        for was, close in zip(before, closes, strict=False)
    ]


def risk(days: Sequence[Day], *, max_drawdown: float) -> Risk:
    """The figures of a run out of its days and of the greatest drawdown that its snapshots saw."""
    returns = [day.share for day in days]
    enough, year = len(returns) >= LEAST_DAYS_FOR_RATIOS, len(returns) >= SESSIONS_PER_YEAR
    annual = annual_return(returns) if year else None
    return Risk(
        days=len(returns),
        total_return=total_return(returns),
        annual_return=annual,
        volatility=volatility(returns) if enough else None,
        sharpe=sharpe(returns) if enough else None,
        sharpe_error=sharpe_error(returns) if enough else None,
        sortino=sortino(returns) if enough else None,
        calmar=annual / max_drawdown if annual is not None and max_drawdown else None,
        best=max(days, key=lambda day: day.share, default=None),
        worst=min(days, key=lambda day: day.share, default=None),
        share_of_days_up=sum(share > 0 for share in returns) / len(returns) if returns else None,
    )


def total_return(returns: Sequence[float]) -> float:
    """What the returns come to one after the other."""
    return prod(1 + share for share in returns) - 1


def annual_return(returns: Sequence[float]) -> float | None:
    """The compound return of a year at this pace (CAGR); None without returns, -1 where all was lost."""
    if not returns:
        return None
    growth = prod(1 + share for share in returns)
    return growth ** (SESSIONS_PER_YEAR / len(returns)) - 1 if growth > 0 else -1.0


def volatility(returns: Sequence[float]) -> float | None:
    """Standard deviation of the returns (n - 1), a year's."""
    deviation = _deviation(returns)
    return None if deviation is None else deviation * sqrt(SESSIONS_PER_YEAR)


def sharpe(returns: Sequence[float], riskless: float = 0.0) -> float | None:
    """Mean excess return over its standard deviation, a year's; None without any deviation. `riskless` is a day's."""
    daily = _daily_sharpe(returns, riskless)
    return None if daily is None else daily * sqrt(SESSIONS_PER_YEAR)


def sharpe_error(returns: Sequence[float], riskless: float = 0.0) -> float | None:
    """One standard error of `sharpe`, as for independent returns: sqrt((1 + SR^2 / 2) / n), of a day, made a year's."""
    daily = _daily_sharpe(returns, riskless)
    return None if daily is None else sqrt((1 + daily * daily / 2) / len(returns)) * sqrt(SESSIONS_PER_YEAR)


def sortino(returns: Sequence[float], target: float = 0.0) -> float | None:
    """Mean return above the target over the root mean square of what fell short of it, a year's; None if nothing did."""
    if not returns:
        return None
    short = sqrt(_mean([min(share - target, 0.0) ** 2 for share in returns]))
    return _mean([share - target for share in returns]) / short * sqrt(SESSIONS_PER_YEAR) if short else None


def correlation(first: Mapping[date, float], second: Mapping[date, float]) -> float | None:
    """Pearson's, of the returns of the days that both have; None under three of them, or where one never moves."""
    shared = sorted(first.keys() & second.keys())
    if len(shared) < 3:
        return None
    one, two = [first[day] for day in shared], [second[day] for day in shared]
    mean_one, mean_two = _mean(one), _mean(two)
    together = sum((a - mean_one) * (b - mean_two) for a, b in zip(one, two, strict=True))
    spread = sqrt(sum((a - mean_one) ** 2 for a in one) * sum((b - mean_two) ** 2 for b in two))
    return together / spread if spread else None


def drawdowns(points: Sequence[tuple[datetime, Decimal]]) -> list[Drawdown]:
    """Every fall below an earlier peak, in order: from the last point at the peak to the first that reaches it again."""
    if not points:
        return []
    found: list[Drawdown] = []
    falling: Drawdown | None = None
    peak_at, peak = points[0]
    for at, equity in points:
        if equity >= peak:
            if falling is not None:
                found.append(Drawdown(falling.began_at, falling.lowest_at, at, falling.depth))
            falling, peak_at, peak = None, at, equity
            continue
        depth = (peak - equity) / peak
        if falling is None or depth > falling.depth:
            falling = Drawdown(peak_at, at, None, depth)
    return [*found, falling] if falling is not None else found


def months(days: Sequence[Day]) -> dict[tuple[int, int], float]:
    """The return of each calendar month (year, month) that has a session."""
    by_month: dict[tuple[int, int], list[float]] = {}
    for day in days:
        by_month.setdefault((day.day.year, day.day.month), []).append(day.share)
    return {month: total_return(shares) for month, shares in by_month.items()}


def turnover(*, bought: Decimal, sold: Decimal, mean_equity: Decimal, days: int) -> float | None:
    """How often a year the equity was turned over: (buys + sells) / 2 against its mean. None before the first close."""
    if not days or mean_equity <= 0:
        return None
    return float(bought + sold) / 2 / float(mean_equity) * SESSIONS_PER_YEAR / days


class TradeTally:
    """Closed trades, counted as they come. Of each eight bytes are kept, for the median of how long they were held."""

    def __init__(self) -> None:
        self.closed, self._wins, self._losses = 0, 0, 0
        self._won = self._lost = Decimal(0)
        self._best: Decimal | None = None
        self._worst: Decimal | None = None
        self._held = array("q")  # microseconds

    def add(self, result: Decimal, held: timedelta) -> None:
        """One that came to so many USD, held for so long in session time."""
        self.closed += 1
        if result > 0:
            self._wins, self._won = self._wins + 1, self._won + result
        elif result < 0:
            self._losses, self._lost = self._losses + 1, self._lost + result
        self._best = result if self._best is None else max(self._best, result)
        self._worst = result if self._worst is None else min(self._worst, result)
        self._held.append(held // MICROSECOND)

    def figures(self) -> TradeFigures:
        """What they came to."""
        closed, won, lost = self.closed, self._won, self._lost
        average_win = won / self._wins if self._wins else None
        average_loss = lost / self._losses if self._losses else None
        return TradeFigures(
            closed=closed,
            won=self._wins,
            lost=self._losses,
            win_rate=self._wins / closed if closed else None,
            profit_factor=float(won / -lost) if self._losses else None,
            payoff=float(average_win / -average_loss) if average_win is not None and average_loss is not None else None,
            expectancy=(won + lost) / closed if closed else None,
            average_win=average_win,
            average_loss=average_loss,
            best=self._best,
            worst=self._worst,
            median_held=_median(sorted(self._held)),
            mean_held=sum(self._held) * MICROSECOND / closed if closed else None,
        )


def trade_figures(results: Iterable[tuple[Decimal, timedelta]]) -> TradeFigures:
    """What closed trades came to, each given as its result in USD and the session time that it was held."""
    tally = TradeTally()
    for result, held in results:
        tally.add(result, held)
    return tally.figures()


def _daily_sharpe(returns: Sequence[float], riskless: float) -> float | None:
    deviation = _deviation(returns)
    return (_mean(returns) - riskless) / deviation if deviation else None


def _deviation(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    mean = _mean(values)
    return sqrt(sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _median(ordered: Sequence[int]) -> timedelta | None:
    """Of microseconds."""
    if not ordered:
        return None
    middle = len(ordered) // 2
    return (ordered[middle] + ordered[~middle]) * MICROSECOND / 2
