"""How well a run's orders were executed: what the spread cost, what filled, how soon, and what stopped the rest."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import NamedTuple

from django.db.models import Case, Count, F, Sum, When
from django.db.models.functions import TruncDate

from marketdata.sessions import calendar
from orders.models import Fill, Order
from orders.states import OPEN, Status
from papertrade.lib.postgres import one_instant
from papertrade.lib.times import EXCHANGE_ZONE
from papertrade.reports.executions import spread_cost
from portfolio.models import AccountEvent, Book, EventType
from portfolio.money import ZERO_MONEY

BASIS_POINTS = 10_000
DAYS_OF_REASONS = 60
_UNDECIDED = {*OPEN, Status.REPLACED}  # only the filled part of their quantity counts as ordered


class Counted(NamedTuple):
    """How often a reason was given."""

    reason: str
    times: int


@dataclass(frozen=True, slots=True)
class ReasonsOfDay:
    """How often each reason stopped an evaluation on a New York day, the most frequent first."""

    day: str
    reasons: Sequence[Counted]


@dataclass(frozen=True, slots=True)
class Execution:
    """Of all orders of a run. Costs are USD and basis points of what was traded.

    `fill_ratio` is filled / ordered quantity, a contract counted as the shares that it stands for. What a replaced order passed
    on counts once, with the order that took its place; what an open order still waits for does not count yet.
    `half_spread` is the cost against the mid of the quote that filled, `shortfall` against the mid when the order was sent: it
    includes how the market moved in between, and is negative where that was in the trader's favor.
    """

    orders: int
    filled: int
    fill_ratio: float | None
    traded: Decimal
    half_spread: Decimal
    half_spread_bp: float | None
    shortfall: Decimal
    shortfall_bp: float | None
    median_time_to_fill: timedelta | None
    rejected: int
    rejects: Sequence[Counted]
    no_fills: Sequence[Counted]
    no_fills_by_day: Sequence[ReasonsOfDay]


def execution_of(book: Book) -> Execution:
    """The execution quality of a book's run, as of one instant."""
    with one_instant():
        return _execution_of(book)


def _execution_of(book: Book) -> Execution:
    orders = Order.objects.filter(book=book)
    decided = Case(When(status__in=_UNDECIDED, then="filled_qty"), default="qty") * F("multiplier")
    counted = orders.aggregate(
        orders=Count("id"), ordered=Sum(decided), filled_qty=Sum(F("filled_qty") * F("multiplier"))
    )
    by_status = dict(orders.values_list("status").annotate(Count("id")).order_by())
    rejects = orders.filter(status=Status.REJECTED).values_list("rejected_reason").annotate(count=Count("id"))
    traded, half_spread, shortfall = _costs(book)
    by_day = _no_fills(book)
    totals: Counter[str] = Counter()
    for day in by_day:
        totals.update(dict(day.reasons))
    return Execution(
        orders=counted["orders"],
        filled=by_status.get(Status.FILLED, 0),
        fill_ratio=float(counted["filled_qty"] / counted["ordered"]) if counted["ordered"] else None,
        traded=traded,
        half_spread=half_spread,
        half_spread_bp=_basis_points(half_spread, traded),
        shortfall=shortfall,
        shortfall_bp=_basis_points(shortfall, traded),
        median_time_to_fill=_time_to_fill(orders.filter(status=Status.FILLED).values_list("submitted_at", "filled_at")),
        rejected=by_status.get(Status.REJECTED, 0),
        rejects=sorted((Counted(*row) for row in rejects.order_by()), key=lambda row: -row.times),
        no_fills=[Counted(*row) for row in totals.most_common()],
        no_fills_by_day=by_day,
    )


def _basis_points(cost: Decimal, traded: Decimal) -> float | None:
    return float(cost / traded) * BASIS_POINTS if traded else None


def _costs(book: Book) -> tuple[Decimal, Decimal, Decimal]:
    """What was traded, and what it cost against the mid at the fill and at submission; USD, fills with both quotes only."""
    submitted = AccountEvent.objects.filter(book=book, type=EventType.ORDER_SUBMITTED)
    two_sided = submitted.filter(quote__bid__isnull=False, quote__ask__isnull=False)
    when_sent = {
        order_id: (bid, ask) for order_id, bid, ask in two_sided.values_list("order_id", "quote__bid", "quote__ask")
    }
    traded = half_spread = shortfall = ZERO_MONEY
    rows = Fill.objects.filter(book=book).values_list(
        "order_id", "side", "qty", "price", "gross_amount", "order__multiplier", "quote__bid", "quote__ask"
    )
    for order_id, side, qty, price, amount, multiplier, bid, ask in rows:
        paid = spread_cost(side == "buy", qty * multiplier, price, bid, ask)
        if paid is None:
            continue
        traded += amount
        half_spread += paid
        bid_sent, ask_sent = when_sent.get(order_id, (bid, ask))
        shortfall += spread_cost(side == "buy", qty * multiplier, price, bid_sent, ask_sent) or ZERO_MONEY
    return traded, half_spread, shortfall


def _time_to_fill(rows: Iterable[tuple[datetime, datetime]]) -> timedelta | None:
    """The median trading time from submission to the last fill."""
    days = calendar()
    seconds = [days.trading_time(sent, filled).total_seconds() for sent, filled in rows]
    return timedelta(seconds=median(seconds)) if seconds else None


def _no_fills(book: Book) -> list[ReasonsOfDay]:
    """Why evaluations filled nothing, by day, the latest day first; only the last DAYS_OF_REASONS days."""
    rows = (
        AccountEvent.objects.filter(book=book, type=EventType.ORDER_EVALUATED)
        .exclude(reason="")
        .annotate(day=TruncDate(F("at"), tzinfo=EXCHANGE_ZONE))
        .values_list("day", "reason")
        .annotate(count=Count("id"))
        .order_by("-day", "-count", "reason")
    )
    by_day: dict[str, list[Counted]] = {}
    for day, reason, count in rows:
        by_day.setdefault(day.isoformat(), []).append(Counted(reason, count))
    return [ReasonsOfDay(day, reasons) for day, reasons in list(by_day.items())[:DAYS_OF_REASONS]]
