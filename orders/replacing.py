"""Replace: another order in the place of an open one, in one transaction (trading-rules.md section 6).

Cancel and new happen under the book's lock, and what the old order holds passes to the new one, so that no other order can
take it in between.
"""

import dataclasses
from uuid import UUID

from accounts.models import PaperAccount
from orders.admission import OrderRequest, read_replacement
from orders.engine import Engine
from orders.models import Order
from orders.selectors import get_order
from orders.services import (
    Submitted,
    Unit,
    id_of_another,
    quote_for,
    ready,
    same_client_order_id,
    sent_now,
    terms,
    with_book,
    with_its_rows,
)
from orders.states import OPEN, RejectReason
from papertrade.lib.errors import Conflict, Unprocessable
from papertrade.lib.numbers import as_uuid

QTY_ALREADY_FILLED = "qty_already_filled"


def replace(*, account: PaperAccount, order_id: UUID | str, payload: object) -> Submitted:
    """Put another order in the place of an open one: its terms with the changes of the payload, for what is not filled yet.

    `qty` is that of the whole order, with its filled part, which stays with the old one. Sent again with the same
    client_order_id it is the order that it made. Where the rules would reject the new order nothing changes, and the old one
    goes on.

    Raises what `submit` raises, NotFound, Conflict `order_not_replaceable` where the order is not open any more, and
    Unprocessable: `replacement_changes_nothing`, `replacement_refused` with the `reason`.
    """
    wanted = as_uuid(order_id, "order")

    def run(unit: Unit) -> Submitted:
        old = get_order(account=account, order_id=wanted)
        whole = read_replacement(payload, _as_payload(old))
        request = dataclasses.replace(whole, qty=whole.qty - old.filled_qty)
        earlier = same_client_order_id(account, unit.book, request)
        if earlier is not None:
            if earlier.replaces_id != old.id:
                raise id_of_another(earlier)
            return Submitted(earlier, replayed=True)
        _check_open(unit, old)
        _check_changes(old, whole)
        return _replace(unit, old, request)

    return with_book(account, run)


def _replace(unit: Unit, old: Order, request: OrderRequest) -> Submitted:
    book, engine = ready(unit, request), Engine()
    quote = quote_for(unit, request)
    order = engine.replace(book, old, request, sent_now(unit, engine, book, request, quote), quote)
    if isinstance(order, RejectReason):
        raise _refused(str(order), f"The new order would be rejected ({order}); the old one stays open.")
    engine.write(unit.cursor)
    return Submitted(with_its_rows(order, book, quote))


def _as_payload(order: Order) -> dict[str, object]:
    """The payload that would submit this order."""
    return {
        "symbol": order.symbol,
        "qty": order.qty,
        "side": order.side,
        "type": order.type,
        "time_in_force": order.time_in_force,
        "limit_price": order.limit_price,
        "position_intent": order.position_intent,
        "extended_hours": order.extended_hours,
        "note": order.note,
        "tags": order.tags,
    }


def _check_open(unit: Unit, old: Order) -> None:
    is_open = old.status in OPEN
    if unit.book is None or not is_open or old.expires_at <= unit.now:
        state = "expiring" if is_open else str(old.status)
        by = {"replaced_by": str(old.replaced_by_id)} if old.replaced_by_id else {}
        raise Conflict(f"The order is {state}, not open.", code="order_not_replaceable", status=state, **by)


def _check_changes(old: Order, whole: OrderRequest) -> None:
    if whole.qty <= old.filled_qty:
        filled = f"{old.filled_qty.normalize():f}"
        raise _refused(
            QTY_ALREADY_FILLED,
            f"The order has already filled {filled}; qty means the whole order, and must be more than that.",
        )
    if whole.terms == terms(old):
        raise Unprocessable("The order already has these terms.", code="replacement_changes_nothing")


def _refused(reason: str, message: str) -> Unprocessable:
    return Unprocessable(message, code="replacement_refused", reason=reason)
