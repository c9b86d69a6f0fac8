"""Settlement of expired options: at intrinsic value by the sweep, or by an operator where no quote says what that is."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from marketdata import clock
from marketdata.gate import pass_gate
from marketdata.instruments import OptionRight
from marketdata.quotes import Quote
from papertrade.lib.errors import BadRequest, NotFound
from papertrade.lib.postgres import raw_cursor
from portfolio.books import Done, OpenBook, OpenPosition
from portfolio.ledger import SettlementReason
from portfolio.models import EventType, LedgerTransaction, Position
from portfolio.money import PRICE_DECIMALS, ZERO, round_money
from portfolio.services import write_books
from portfolio.store import lock_books

MAX_SETTLEMENT_PRICE = Decimal(10) ** 9
MAX_SETTLEMENT_REASON = LedgerTransaction._meta.get_field("description").max_length


def intrinsic_value(position: OpenPosition, quote: Quote) -> Decimal:
    """USD per share that exercising would bring now: call max(bid - strike, 0), put max(strike - ask, 0)."""
    _, strike, right = position.instrument.contract
    assert quote.bid is not None and quote.ask is not None, "only a quote of both sides gives a mark"
    return max(quote.bid - strike if right == OptionRight.CALL else strike - quote.ask, ZERO)


def settle_option(book: OpenBook, position: OpenPosition, quote: Quote | None, at: datetime) -> None:
    """End a long option at its contract's last close, in cash at intrinsic value; flag it where no quote says what that is."""
    symbol = position.instrument.symbol
    if quote is None:
        if not position.unsettled:
            position.unsettled, position.changed_at = True, at
            book.record(EventType.POSITION_UNSETTLED, at, symbol=symbol, reason=SettlementReason.NO_UNDERLYING_QUOTE)
        return
    _settle(book, position, intrinsic_value(position, quote), quote, at, reason=SettlementReason.EXPIRED)


def settle_by_hand(*, position_id: UUID, price: Decimal, reason: str, at: datetime) -> None:
    """End an unsettled option at `price` USD per share, for the reason given. Raises NotFound, BadRequest."""
    row = Position.objects.filter(pk=position_id, unsettled=True, qty__gt=0).first()
    if row is None:
        raise NotFound("There is no such unsettled position.")
    if not 0 <= price < MAX_SETTLEMENT_PRICE or round(price, PRICE_DECIMALS) != price:
        raise BadRequest(
            "The price cannot be used.",
            price=f"must be at least 0 and below {MAX_SETTLEMENT_PRICE:,f}, with at most {PRICE_DECIMALS} decimals",
        )
    reason = reason.strip()
    if not 0 < len(reason) <= MAX_SETTLEMENT_REASON:
        raise BadRequest(
            "The reason cannot be used.", reason=f"must be 1 to {MAX_SETTLEMENT_REASON} characters, not {len(reason)}"
        )
    with transaction.atomic(), raw_cursor() as cursor:
        pass_gate(cursor)
        if (reading := clock.read()).through_book is not None:
            raise clock.MarketIsBehind("The market is in the middle of a step; nothing was settled. Try again.")
        reading.refuse_if_behind()
        books = lock_books(cursor, [row.book_id])
        position = books[0].positions.get(row.symbol) if books else None
        if position is None or not position.unsettled:
            raise NotFound("There is no such unsettled position.")
        _settle(books[0], position, price, None, books[0].advance_to(at), reason=reason)
        write_books(cursor, books)


def _settle(
    book: OpenBook, position: OpenPosition, price: Decimal, quote: Quote | None, at: datetime, *, reason: str
) -> None:
    instrument = position.instrument
    proceeds = round_money(position.holding.qty * price * instrument.multiplier)
    position.mark, position.mark_at = price, at
    qty = position.holding.qty
    posted = book.settle(instrument.symbol, proceeds, quote=quote, price=price, at=at, description=reason)
    done = Done(qty, price, proceeds, posted.position_qty)
    book.record(EventType.POSITION_SETTLED, at, symbol=instrument.symbol, reason=reason, quote=quote, done=done)
    book.snapshot(at)
