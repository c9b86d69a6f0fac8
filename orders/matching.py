"""What a quote does to an order: the guards, in one order, always. Pure.

`evaluate` is the only place that decides a fill (trading-rules.md section 5): for the order just submitted, for the
sweep at the open and for working orders when a quote changes. The price is the quote's own, never better for the trader.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum

from accounts.policy import Policy
from marketdata.quotes import Quote, QuoteFault, fault
from orders.states import RejectReason
from orders.terms import Side
from portfolio.money import ZERO, ZERO_MONEY, round_money

MAX_POSITION_QTY = Decimal(100_000_000_000)  # far below what the columns of the books can hold


class NoFillReason(StrEnum):
    """Why an order stays open; the quote's own faults are `QuoteFault`."""

    MARKET_CLOSED = "market_closed"
    NOT_MARKETABLE = "not_marketable"
    OPTION_SPREAD_TOO_WIDE = "option_spread_too_wide"
    NO_DISPLAYED_SIZE = "no_displayed_size"


@dataclass(frozen=True, slots=True)
class WorkingOrder:
    """What matching needs of an order. Quantities in shares or contracts, the limit in USD per share.

    `exact_cost` is the unrounded qty x price x multiplier filled so far, and `booked` what was booked of it, rounded;
    `held_cash` is what the order itself reserves of the book's cash.
    """

    side: Side
    multiplier: int
    remaining: Decimal
    limit_price: Decimal | None
    exact_cost: Decimal = ZERO
    booked: Decimal = ZERO_MONEY
    held_cash: Decimal = ZERO_MONEY

    @property
    def is_option(self) -> bool:
        return self.multiplier != 1


@dataclass(frozen=True, slots=True)
class Fill:
    """A fill of `qty` at `price`; `amount` is the USD to book for it."""

    qty: Decimal
    price: Decimal
    amount: Decimal


@dataclass(frozen=True, slots=True)
class NoFill:
    """The order stays open."""

    reason: NoFillReason | QuoteFault


@dataclass(frozen=True, slots=True)
class Reject:
    """The order ends unfilled; the rest of one that was filled in part is canceled."""

    reason: RejectReason


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What else decides, beside the order and the quote.

    `session_open` is the open of the session in progress, or None while the market is closed; `taken` is what this
    generation took of the displayed side since its price was set; `buying_power` is without the order's own hold;
    `position_qty` is what the book holds of the symbol.
    """

    at: datetime
    session_open: datetime | None
    policy: Policy
    buying_power: Decimal
    taken: Decimal = ZERO
    position_qty: Decimal = ZERO
    at_submission: bool = False


def evaluate(order: WorkingOrder, quote: Quote | None, now: Circumstances) -> Fill | NoFill | Reject:
    """Decide one order against one quote: guards 1 to 10, then a fill at the ask (buy) or the bid (sell)."""
    flaw = _first_flaw(quote, now, is_option=order.is_option)
    if flaw is not None or quote is None or quote.bid is None or quote.ask is None:
        return NoFill(flaw or QuoteFault.INVALID)
    price = quote.ask if order.side == Side.BUY else quote.bid
    if not marketable(order.side, order.limit_price, price):
        return NoFill(NoFillReason.NOT_MARKETABLE)
    if order.is_option and _too_wide(quote.bid, quote.ask, now.policy):
        if now.at_submission:
            return Reject(RejectReason.OPTION_SPREAD_TOO_WIDE)
        return NoFill(NoFillReason.OPTION_SPREAD_TOO_WIDE)
    qty = min(order.remaining, available(order, quote, now))
    if qty <= 0:
        return NoFill(NoFillReason.NO_DISPLAYED_SIZE)
    amount = amount_to_book(order, qty, price)
    if order.side == Side.BUY and amount > now.buying_power + order.held_cash:
        return Reject(RejectReason.INSUFFICIENT_BUYING_POWER)
    if order.side == Side.BUY and now.position_qty + qty > MAX_POSITION_QTY:
        return Reject(RejectReason.POSITION_LIMIT_EXCEEDED)
    return Fill(qty=qty, price=price, amount=amount)


def obstacle(quote: Quote | None, now: Circumstances, *, is_option: bool) -> NoFillReason | QuoteFault | None:
    """What would stop an order for it, whatever its terms: the first of guards 1 to 5, 7 and 8 that the quote fails.

    Sizes are what is displayed: a quote that shows nothing on one side stops whoever would take from that side.
    """
    flaw = _first_flaw(quote, now, is_option=is_option)
    if flaw is not None or quote is None or quote.bid is None or quote.ask is None:
        return flaw or QuoteFault.INVALID
    if is_option and _too_wide(quote.bid, quote.ask, now.policy):
        return NoFillReason.OPTION_SPREAD_TOO_WIDE
    if now.policy.size_cap and ZERO in (quote.bid_size, quote.ask_size):
        return NoFillReason.NO_DISPLAYED_SIZE
    return None


def _first_flaw(quote: Quote | None, now: Circumstances, *, is_option: bool) -> NoFillReason | QuoteFault | None:
    """Guards 1 to 5: the market, and the quote by itself."""
    if now.session_open is None:
        return NoFillReason.MARKET_CLOSED
    return fault(
        quote,
        at=now.at,
        max_age=now.policy.max_age(is_option=is_option),
        session_open=now.session_open,
    )


def _too_wide(bid: Decimal, ask: Decimal, policy: Policy) -> bool:
    """Guard 7, for options."""
    return ask - bid > policy.max_spread((ask + bid) / 2)


def marketable(side: str, limit_price: Decimal | None, price: Decimal) -> bool:
    """Whether a limit accepts the price; a market order accepts any."""
    if limit_price is None:
        return True
    return price <= limit_price if side == Side.BUY else price >= limit_price


def available(order: WorkingOrder, quote: Quote, now: Circumstances) -> Decimal:
    """What the quote still offers this generation: displayed less taken; everything where sizes do not cap."""
    displayed = quote.ask_size if order.side == Side.BUY else quote.bid_size
    if displayed is None or not now.policy.size_cap:
        return order.remaining
    left = max(ZERO, displayed - now.taken)
    return left.to_integral_value(rounding=ROUND_FLOOR) if order.is_option else left


def amount_to_book(order: WorkingOrder, qty: Decimal, price: Decimal) -> Decimal:
    """USD for this fill. Rounding telescopes: round(exact cost so far) less what was booked before."""
    return round_money(order.exact_cost + qty * price * order.multiplier) - order.booked


def hold_for(order: WorkingOrder, price: Decimal) -> Decimal:
    """USD that a buy reserves for what remains of it at `price`, so that no fill can exceed the first hold."""
    return round_money(order.exact_cost + order.remaining * price * order.multiplier) - order.booked
