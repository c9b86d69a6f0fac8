"""What an order reserves of its book: cash of a buy, quantity of a sell (trading-rules.md section 4)."""

from decimal import Decimal

from marketdata.quotes import Quote, fault
from orders.matching import WorkingOrder, hold_for
from orders.models import Order
from orders.states import RejectReason
from orders.terms import OrderType, Side
from portfolio.books import OpenBook
from portfolio.money import ZERO_MONEY


def refuse(book: OpenBook, order: Order, quote: Quote | None) -> RejectReason | None:
    """Why the book cannot take the order, or None (trading-rules.md section 4)."""
    if order.side == Side.SELL:
        position = book.positions.get(order.symbol)
        if position is None or order.qty > position.available_qty:
            stock = order.multiplier == 1
            return RejectReason.SHORT_SELL_NOT_ALLOWED if stock else RejectReason.NAKED_OPTION_SELL_NOT_ALLOWED
    elif first_hold(order, quote) > book.buying_power:
        return RejectReason.INSUFFICIENT_BUYING_POWER
    return None


def first_hold(order: Order, quote: Quote | None) -> Decimal:
    """What the order reserves when it is accepted: USD for a buy, quantity for a sell.

    A market buy holds for the ask of a quote that passes guards 2, 3 and 5; without one it is decided at the fill.
    """
    if order.side == Side.SELL:
        return order.qty
    if order.limit_price is not None:
        return hold_for(working(order), order.limit_price)
    if quote is None or quote.ask is None or fault(quote, at=order.submitted_at, max_age=None, session_open=None):
        return ZERO_MONEY
    return hold_for(working(order), quote.ask)


def later_hold(book: OpenBook, order: Order, price: Decimal) -> Decimal:
    """What a partially filled buy goes on reserving; a market buy follows its fill's ask as far as the cash goes."""
    if order.type == OrderType.LIMIT:
        return hold_for(working(order), order.limit_price)
    return min(hold_for(working(order), price), book.buying_power)


def working(order: Order) -> WorkingOrder:
    """The order as matching sees it."""
    return WorkingOrder(
        side=Side(order.side),
        multiplier=order.multiplier,
        remaining=order.qty - order.filled_qty,
        limit_price=order.limit_price,
        exact_cost=order.exact_cost,
        booked=order.booked,
        held_cash=order.held_cash,
    )
