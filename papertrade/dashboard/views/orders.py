"""One order: why it filled, or has not."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_GET

from accounts.models import PaperAccount
from orders.models import Fill, Order
from orders.selectors import events_of_order, fills_of, get_order
from papertrade.dashboard import words
from papertrade.dashboard.distance import distances
from papertrade.dashboard.live import respond
from papertrade.dashboard.pictures import PriceScale, price_scale
from papertrade.dashboard.views.account import AccountPage, account_view, is_looked_at
from portfolio.models import AccountEvent, EventType
from portfolio.selectors import book_of, generations

MAX_EVENTS = 500


@dataclass(frozen=True, slots=True)
class Step:
    """One event of an order, ready to read: what it saw, what stopped it, and a picture of both."""

    event: AccountEvent
    title: str
    explanation: str
    fill: Fill | None
    age: timedelta | None
    spread: Decimal | None
    scale: PriceScale | None
    same_quote: bool  # as the step before, at the same instant: no need to show it twice


@account_view
@require_GET
def order(request: HttpRequest, account: PaperAccount, order_id: str) -> HttpResponse:
    """The order's terms and its timeline."""
    row = get_order(account=account, order_id=order_id)
    book = book_of(account=account, generation=row.book.generation_number)
    page = AccountPage(account, book, list(generations(account=account)), "orders", is_looked_at(request))
    fills = list(fills_of(account=account, generation=book.generation_number).filter(order=row))
    by_id = {fill.pk: fill for fill in fills}
    events = list(events_of_order(order=row)[:MAX_EVENTS])
    steps = [step(row, event, by_id, before) for event, before in zip(events, [None, *events], strict=False)]
    context = page.context(order=row, steps=steps, policy=book.generation.policy, verdict=verdict(row))
    away = distances([row]).get(row.pk)
    context["now"] = away
    return respond(request, "dashboard/order.html", context)


def step(order: Order, event: AccountEvent, fills: dict[object, Fill], before: AccountEvent | None) -> Step:
    """An event with its quote as it was at that instant."""
    quote = event.quote
    spread = quote.ask - quote.bid if quote and quote.bid is not None and quote.ask is not None else None
    return Step(
        event=event,
        title=words.EVENT.get(event.type, event.type),
        explanation=_explain(event),
        fill=fills.get(event.fill_id),
        age=event.at - quote.quoted_at if quote else None,
        spread=spread,
        scale=price_scale(bid=quote.bid, ask=quote.ask, limit=order.limit_price) if quote else None,
        same_quote=before is not None and (before.quote_id, before.at) == (event.quote_id, event.at),
    )


def _explain(event: AccountEvent) -> str:
    if event.type == EventType.ORDER_SUBMITTED and not event.reason:
        return "The order was taken."
    return words.explanation(event.reason) if event.reason else ""


def verdict(order: Order) -> str:
    """Where the order stands and why, in a sentence or two."""
    if order.status == "filled":
        return "It filled completely, at the price of its quote."
    if order.rejected_reason:
        return f"It was rejected. {words.explanation(order.rejected_reason)}"
    if order.cancel_reason:
        return words.explanation(order.cancel_reason)
    if order.status == "expired":
        return "It reached its time limit before it was filled."
    if order.no_fill_reason:
        return words.explanation(order.no_fill_reason)
    return words.explanation("market_closed")
