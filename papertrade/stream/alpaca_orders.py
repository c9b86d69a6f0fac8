"""What happened to orders, as Alpaca's trade updates: the order as it stood then, not as it stands when it is read."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from copy import copy
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Sum

from orders.models import Fill, Order
from orders.states import Status
from orders.terms import Side
from papertrade.api.alpaca import shapes
from papertrade.api.alpaca.wire import instant, number
from portfolio.models import AccountEvent, EventType

# What an evaluation without a fill changes is no event of theirs.
_WORDS = {
    EventType.ORDER_SUBMITTED: "new",
    EventType.ORDER_CANCELED: "canceled",
    EventType.ORDER_EXPIRED: "expired",
    EventType.ORDER_REJECTED: "rejected",
    EventType.ORDER_REPLACED: "replaced",
}
_FILLED = {Status.FILLED: "fill", Status.PARTIALLY_FILLED: "partial_fill"}
_TIMES = ("filled_at", "canceled_at", "expired_at", "rejected_at", "replaced_at")
EVENT_ID_LENGTH = 26  # as long as the ULIDs of theirs, so that ids sort as text


def trade_updates(rows: Sequence[AccountEvent]) -> list[dict[str, Any]]:
    """The updates in these events, in order. Decimals are text, as everywhere in Alpaca's orders."""
    wanted = {row.order_id for row in rows if row.order_id and word_of(row)}
    orders = Order.objects.select_related("quote").in_bulk(wanted)
    fills: dict[UUID, list[Fill]] = defaultdict(list)
    for fill in Fill.objects.filter(order_id__in=wanted).order_by("seq"):
        fills[fill.order_id].append(fill)
    return [
        update(row, orders[row.order_id], fills[row.order_id])
        for row in rows
        if row.order_id in orders and word_of(row)
    ]


def word_of(row: AccountEvent) -> str:
    """Alpaca's name of the event; empty where it has none."""
    if row.type == EventType.ORDER_FILLED:
        return _FILLED.get(row.order_status, "fill")
    return _WORDS.get(row.type, "")


def update(row: AccountEvent, order: Order, fills: Iterable[Fill]) -> dict[str, Any]:
    """One update: the order as of the event, and of a fill its price and quantity and the position after it."""
    until_then = [fill for fill in fills if fill.seq <= row.seq]
    found = {
        "event": word_of(row),
        "event_id": event_id(row.seq),
        "at": instant(row.at),
        "timestamp": instant(row.at),
        "order": shapes.order(as_of(row, order, until_then)),
        "execution_id": str(row.fill_id) if row.fill_id else None,
    }
    if row.type == EventType.ORDER_FILLED and until_then:
        this = until_then[-1]
        found |= {
            "price": number(this.price),
            "qty": number(this.qty),
            # Older events do not say it.
            "position_qty": number(_position_after(this) if row.position_qty is None else row.position_qty),
        }
    return found


def as_of(row: AccountEvent, order: Order, fills: Sequence[Fill]) -> Order:
    """The order as it stood after the event."""
    then = copy(order)
    then.status, then.updated_at = row.order_status or order.status, row.at
    then.filled_qty = sum((fill.qty for fill in fills), Decimal(0))
    then.exact_cost = sum((fill.qty * fill.price * order.multiplier for fill in fills), Decimal(0))
    for name in _TIMES:
        ended = getattr(then, name, None)
        if ended is not None and (ended > row.at or then.is_open):
            setattr(then, name, None)
    if then.replaced_at is None:
        then.replaced_by_id = None
    return then


def _position_after(fill: Fill) -> Decimal:
    """What the book held of the symbol after the fill."""
    rows = Fill.objects.filter(book=fill.book_id, symbol=fill.symbol, seq__lte=fill.seq).order_by()
    sums = {row["side"]: row["total"] for row in rows.values("side").annotate(total=Sum("qty"))}
    return sums.get(Side.BUY, Decimal(0)) - sums.get(Side.SELL, Decimal(0))


def event_id(seq: int) -> str:
    """An account's event, by its number; as text it sorts as the number does."""
    return f"{seq:0{EVENT_ID_LENGTH}d}"
