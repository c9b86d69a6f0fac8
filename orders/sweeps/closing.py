"""The close of a session: orders whose time has run out end, and expiring options are settled."""

from datetime import date, datetime
from itertools import groupby

import psycopg
from django.db.models import QuerySet

from marketdata.sessions import Session, calendar
from orders.engine import Engine
from orders.models import IS_OPEN, Order, Sweep, SweepChunk
from orders.states import Status
from orders.sweeps.chunk import in_chunk, lock_due, pinned_quotes, session_of
from orders.terms import Side, TimeInForce
from portfolio.books import OpenBook
from portfolio.models import Position
from portfolio.settlement import settle_option


def due_at_close(session: Session) -> QuerySet[Order]:
    """Open orders whose time has run out by the close of this session."""
    return Order.objects.filter(IS_OPEN, expires_at__lte=session.close)


def expiring_positions(session: Session) -> QuerySet[Position]:
    """Held options whose contracts' last session this is, or was, and that nobody has flagged yet."""
    following = calendar().next_open(session.close)
    return Position.objects.filter(
        expires_on__lt=following.date, qty__gt=0, unsettled=False, book__closed_at__isnull=True
    )


def close_chunk(cursor: psycopg.Cursor, sweep: Sweep, chunk: SweepChunk) -> dict[str, int]:
    """End the chunk's orders and settle its options; how many orders came to which state."""
    session, quotes = session_of(sweep), pinned_quotes(sweep.pk)
    ended, expiring = due_at_close(session), in_chunk(expiring_positions(session), chunk)
    books, orders = lock_due(cursor, ended, chunk, also=expiring.values_list("book_id", flat=True))
    engine = Engine(books=books)
    # Day orders go first, then gtc (trading-rules.md section 2).
    for book_id, in_book in groupby(orders, key=lambda order: order.book_id):
        for order in sorted(in_book, key=lambda order: (order.time_in_force != TimeInForce.DAY, order.number)):
            engine.end(books[book_id], order, Status.EXPIRED, books[book_id].advance_to(order.expires_at))
    for book in books.values():
        for symbol in sorted(book.positions):
            position = book.positions[symbol]
            if (
                position.expires_on
                and position.holding.qty
                and not position.unsettled
                and _is_over(position.expires_on, session)
            ):
                at = book.advance_to(sweep.at)
                if position.held_qty:
                    _end_sells(engine, book, symbol, at)
                settle_option(book, position, quotes.get(position.instrument.underlying), at)
    engine.write(cursor, lines=False)
    return engine.outcomes()


def _end_sells(engine: Engine, book: OpenBook, symbol: str, at: datetime) -> None:
    """End the open sells of a contract that is over: they are due later where the close was moved after they were sent."""
    for order in Order.objects.filter(IS_OPEN, book_id=book.id, symbol=symbol, side=Side.SELL).order_by("number"):
        engine.end(book, order, Status.EXPIRED, at)


def _is_over(expires_on: date, session: Session) -> bool:
    return expires_on < calendar().next_open(session.close).date
