"""The performance of one run, with what keeps it honest: how long it ran, and how many runs there were before."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from accounts.models import Generation
from marketdata import clock
from marketdata.sessions import calendar
from papertrade.reports.executions import executions_of
from portfolio import performance
from portfolio.closes import deepest_drawdowns, last_instant, session_closes
from portfolio.models import Book
from portfolio.money import ZERO_MONEY
from portfolio.performance import Day, Drawdown, Risk, TradeFigures
from portfolio.round_trips import METHODS, Execution, RoundTrip
from portfolio.selectors import Summary, summary
from portfolio.valuation import ratio

DRAWDOWNS_SHOWN = 5
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
class SymbolResult:
    """What a symbol came to: trades that began and ended, and USD realized in all."""

    symbol: str
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
    by_symbol: Sequence[SymbolResult]

    @property
    def total_return(self) -> Decimal:
        """From the starting cash to now, a fraction."""
        return ratio(self.summary.equity - self.summary.initial_cash, self.summary.initial_cash)


def performance_of(book: Book, *, method: str = DEFAULT_METHOD) -> Performance:
    """The statistics of a book's run up to now, or to its end."""
    until = last_instant(book, clock.read().now)
    figures = summary(book=book)
    closes = session_closes(book, until=until)
    days = performance.days_of(book.generation.initial_cash, closes)
    executions = executions_of(book)
    trades = trades_of(executions, method=method, until=until)
    closed = [(trade.trip.realized_pl, trade.held) for trade in trades if not trade.trip.is_open]
    bought = sum((part.amount for part in executions if part.is_buy), ZERO_MONEY)
    sold = sum((part.amount for part in executions if not part.is_buy), ZERO_MONEY)
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
        trades=performance.trade_figures(closed),
        exposure=_exposure(executions, book.generation.opened_at, until),
        turnover=performance.turnover(
            bought=bought,
            sold=sold,
            mean_equity=sum(equities, ZERO_MONEY) / len(equities) if equities else ZERO_MONEY,
            days=len(days),
        ),
        bought=bought,
        sold=sold,
        spread_paid=sum((part.spread_cost for part in executions if part.spread_cost is not None), ZERO_MONEY),
        honesty=_honesty(book, days=len(days), trades=len(closed)),
        by_symbol=_by_symbol(trades),
    )


def _by_symbol(trades: Sequence[Trade]) -> list[SymbolResult]:
    """The best first."""
    groups: dict[str, list[RoundTrip]] = {}
    for trade in trades:
        groups.setdefault(trade.trip.symbol, []).append(trade.trip)
    found = [
        SymbolResult(
            symbol=symbol,
            closed=sum(not trip.is_open for trip in trips),
            realized_pl=sum((trip.realized_pl for trip in trips), ZERO_MONEY),
            spread_paid=sum((trip.spread_paid for trip in trips), ZERO_MONEY),
        )
        for symbol, trips in groups.items()
    ]
    return sorted(found, key=lambda row: -row.realized_pl)


def trades_of(executions: Sequence[Execution], *, method: str, until: datetime) -> list[Trade]:
    """The round trips of these executions by one of the two methods, oldest first."""
    days = calendar()
    return [
        Trade(number, trip, days.trading_time(trip.opened_at, trip.closed_at or until))
        for number, trip in enumerate(METHODS[method](executions), start=1)
    ]


def _exposure(executions: Sequence[Execution], began_at: datetime, until: datetime) -> float | None:
    """The share of trading time in which anything was held; None before there was any."""
    days = calendar()
    whole = days.trading_time(began_at, until)
    if not whole:
        return None
    held: dict[str, Decimal] = {}
    time, since = timedelta(), began_at
    for part in executions:
        if held:
            time += days.trading_time(since, part.at)
        since = part.at
        left = held.get(part.symbol, Decimal(0)) + (part.qty if part.is_buy else -part.qty)
        held.pop(part.symbol, None)
        if left:
            held[part.symbol] = left
    if held:
        time += days.trading_time(since, until)
    return time / whole


def _honesty(book: Book, *, days: int, trades: int) -> Honesty:
    before = Generation.objects.filter(account=book.account_id, number__lt=book.generation_number)
    losses = [run for run in before.only("summary", "initial_cash") if run.summary and _ended_below_its_start(run)]
    return Honesty(
        earlier_generations=book.generation_number - 1, resets_at_a_loss=len(losses), days=days, trades=trades
    )


def _ended_below_its_start(run: Generation) -> bool:
    return Decimal(run.summary["equity"]) < run.initial_cash
