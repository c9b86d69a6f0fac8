"""The performance of one run, with what puts it into perspective: how long it ran, and how many runs came before it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from accounts.models import Generation
from marketdata import clock
from marketdata.sessions import calendar
from papertrade.lib.postgres import one_instant
from papertrade.reports.executions import executions_of
from portfolio import performance
from portfolio.closes import deepest_drawdowns, last_instant, session_closes
from portfolio.models import Book
from portfolio.money import ZERO_MONEY
from portfolio.performance import Day, Drawdown, Risk, TradeFigures, TradeTally
from portfolio.round_trips import METHODS, Execution, RoundTrip, round_trips
from portfolio.selectors import Summary, summary
from portfolio.valuation import ratio

DRAWDOWNS_SHOWN = 5
MOST_TAGS = 200
DEFAULT_METHOD = "flat"


@dataclass(frozen=True, slots=True)
class Trade:
    """A round trip with how long it was held, in trading time (so far, where it is open); `number` counts from 1."""

    number: int
    trip: RoundTrip
    held: timedelta


class MonthReturn(NamedTuple):
    """A calendar month, as 2026-05, and its return."""

    month: str
    share: float


@dataclass(frozen=True, slots=True)
class Result:
    """What trading a symbol, or under a tag, came to: trades that have ended, and USD realized in all."""

    name: str
    closed: int
    realized_pl: Decimal
    spread_paid: Decimal


@dataclass(frozen=True, slots=True)
class Honesty:
    """What a reader must know before believing the ratios."""

    earlier_generations: int
    resets_at_a_loss: int
    days: int
    trades: int


@dataclass(frozen=True, slots=True)
class Performance:
    """A run judged. Money is USD; `exposure` is the share of trading time in which something was held."""

    book: Book
    summary: Summary
    method: str
    began_at: datetime
    until: datetime
    days: Sequence[Day]
    months: Sequence[MonthReturn]
    risk: Risk
    drawdowns: Sequence[Drawdown]
    trades: TradeFigures
    exposure: float | None
    turnover: float | None
    bought: Decimal
    sold: Decimal
    spread_paid: Decimal
    honesty: Honesty
    by_symbol: Sequence[Result]
    by_tag: Sequence[Result]

    @property
    def total_return(self) -> Decimal:
        """From the starting cash to now, a fraction."""
        return ratio(self.summary.equity - self.summary.initial_cash, self.summary.initial_cash)


def performance_of(book: Book, *, method: str = DEFAULT_METHOD) -> Performance:
    """The statistics of a book's run up to now, or to its end, as of one instant.

    Its executions are read once and not kept, so that a run of a million takes no more memory than the positions it holds.
    """
    with one_instant():
        return _performance_of(book, method)


def _performance_of(book: Book, method: str) -> Performance:
    until = last_instant(book, clock.read().now)
    figures = summary(book=book)
    closes = session_closes(book, until=until)
    days = performance.days_of(book.generation.initial_cash, closes)
    seen, results = _Totals(book.generation.opened_at), _Results(until)
    for trip in METHODS[method](seen.passing(executions_of(book))):
        results.add(trip)
    equities = [close.equity for close in closes]
    return Performance(
        book=book,
        summary=figures,
        method=method,
        began_at=book.generation.opened_at,
        until=until,
        days=days,
        months=[MonthReturn(f"{year}-{month:02d}", share) for (year, month), share in performance.months(days).items()],
        risk=performance.risk(days, max_drawdown=float(figures.max_drawdown)),
        drawdowns=deepest_drawdowns(book, most=DRAWDOWNS_SHOWN),
        trades=results.closed.figures(),
        exposure=seen.exposure(until),
        turnover=performance.turnover(
            bought=seen.bought,
            sold=seen.sold,
            mean_equity=sum(equities, ZERO_MONEY) / len(equities) if equities else ZERO_MONEY,
            days=len(days),
        ),
        bought=seen.bought,
        sold=seen.sold,
        spread_paid=seen.spread_paid,
        honesty=_honesty(book, days=len(days), trades=results.closed.closed),
        by_symbol=results.by_symbol.rows(),
        by_tag=results.by_tag.rows(),
    )


class _Totals:
    """Running totals of executions as they are read: what was bought, sold and paid, and for how long anything was held."""

    def __init__(self, began_at: datetime) -> None:
        self.bought = self.sold = self.spread_paid = ZERO_MONEY
        self._began_at = self._since = began_at
        self._time = timedelta()  # in which anything was held, until `_since`
        self._held: dict[str, Decimal] = {}

    def passing(self, executions: Iterable[Execution]) -> Iterator[Execution]:
        """The same executions, each added before it is passed on."""
        for part in executions:
            self._add(part)
            yield part

    def _add(self, part: Execution) -> None:
        if part.is_buy:
            self.bought += part.amount
        else:
            self.sold += part.amount
        if part.spread_cost is not None:
            self.spread_paid += part.spread_cost
        if self._held:
            self._time += calendar().trading_time(self._since, part.at)
        self._since = part.at
        left = self._held.pop(part.symbol, Decimal(0)) + (part.qty if part.is_buy else -part.qty)
        if left:
            self._held[part.symbol] = left

    def exposure(self, until: datetime) -> float | None:
        """The share of trading time in which anything was held; None before there was any."""
        whole = calendar().trading_time(self._began_at, until)
        if not whole:
            return None
        open_time = calendar().trading_time(self._since, until) if self._held else timedelta()
        return (self._time + open_time) / whole


class _Results:
    """Results of round trips: in all, by symbol, and by tag; one with several tags counts under each of them."""

    def __init__(self, until: datetime) -> None:
        self.closed = TradeTally()
        self.by_symbol, self.by_tag = _Group(), _Group(most=MOST_TAGS)
        self._until = until

    def add(self, trip: RoundTrip) -> None:
        """Add a round trip; the order does not matter."""
        if not trip.is_open:
            self.closed.add(trip.realized_pl, held_for(trip, self._until))
        self.by_symbol.add(trip.symbol, trip)
        for tag in trip.tags:
            self.by_tag.add(tag, trip)


class _Group:
    """Results by name. `most`: at most so many names, the first to come, so that a tag for every order fills no memory."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._results: dict[str, Result] = {}
        self._began: dict[str, datetime] = {}

    def add(self, name: str, trip: RoundTrip) -> None:
        """Add a round trip to the results of a name."""
        known = self._results.get(name)
        if known is None:
            if self._most is not None and len(self._results) >= self._most:
                return
            known = Result(name, 0, ZERO_MONEY, ZERO_MONEY)
        self._results[name] = Result(
            name=name,
            closed=known.closed + (not trip.is_open),
            realized_pl=known.realized_pl + trip.realized_pl,
            spread_paid=known.spread_paid + trip.spread_paid,
        )
        self._began[name] = min(trip.opened_at, self._began.get(name, trip.opened_at))

    def rows(self) -> list[Result]:
        """The best first; of equal ones the one that was traded first."""
        return sorted(self._results.values(), key=lambda row: (-row.realized_pl, self._began[row.name], row.name))


def held_for(trip: RoundTrip, until: datetime) -> timedelta:
    """For how long a round trip held its symbol, in trading time; until `until` where it is open."""
    return calendar().trading_time(trip.opened_at, trip.closed_at or until)


def trades_of_run(book: Book, *, method: str) -> list[Trade]:
    """The round trips of a book's run by one of the two methods, oldest first, as of one instant."""
    with one_instant():
        return trades_of(executions_of(book), method=method, until=last_instant(book, clock.read().now))


def trades_of(executions: Iterable[Execution], *, method: str, until: datetime) -> list[Trade]:
    """The round trips of these executions by one of the two methods, oldest first."""
    trips = enumerate(round_trips(executions, method), start=1)
    return [Trade(number, trip, held_for(trip, until)) for number, trip in trips]


def _honesty(book: Book, *, days: int, trades: int) -> Honesty:
    before = Generation.objects.filter(account=book.account_id, number__lt=book.generation_number)
    losses = [run for run in before.only("summary", "initial_cash") if run.summary and _ended_below_its_start(run)]
    return Honesty(
        earlier_generations=book.generation_number - 1, resets_at_a_loss=len(losses), days=days, trades=trades
    )


def _ended_below_its_start(run: Generation) -> bool:
    return Decimal(run.summary["equity"]) < run.initial_cash
