"""How far the market is from the limits of orders that wait."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from marketdata import clock
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from orders.models import Order
from orders.terms import Side
from papertrade.lib.errors import Unavailable


@dataclass(frozen=True, slots=True)
class Distance:
    """The quote now, and by what fraction of its price the market must come to reach the limit; at it or past it: 0."""

    quote: Quote
    share: Decimal | None


def distances(orders: Iterable[Order]) -> dict[UUID, Distance]:
    """Of the open orders among these, by id; those whose symbol has no quote are missing, and all while quotes are."""
    waiting = [order for order in orders if order.is_open]
    if not waiting:
        return {}
    try:
        quotes = current_market().latest({order.symbol for order in waiting}, at=clock.read().now)
    except Unavailable:
        return {}
    found = {order.pk: quotes[order.symbol] for order in waiting if order.symbol in quotes}
    return {
        order.pk: Distance(found[order.pk], share_to(order, found[order.pk])) for order in waiting if order.pk in found
    }


def share_to(order: Order, quote: Quote) -> Decimal | None:
    """From the price that the order would meet to its limit, a fraction of that price."""
    price = quote.ask if order.side == Side.BUY else quote.bid
    if order.limit_price is None or not price:
        return None
    away = price - order.limit_price if order.side == Side.BUY else order.limit_price - price
    return max(away, Decimal(0)) / price
