"""The open of a session: every order that waits for it is evaluated once."""

import psycopg
from django.db.models import Q, QuerySet

from marketdata.sessions import Session
from orders.engine import Engine
from orders.models import IS_OPEN, Order, Sweep, SweepChunk
from orders.supplies import load_taken, supply_of
from orders.sweeps.chunk import lock_due, pinned_quotes, session_of


def due_at_open(session: Session) -> QuerySet[Order]:
    """Open orders that this session has not evaluated yet, sent at or before its open."""
    return Order.objects.filter(IS_OPEN, submitted_at__lte=session.open, expires_at__gt=session.open).filter(
        Q(evaluated_on__isnull=True) | Q(evaluated_on__lt=session.date)
    )


def open_chunk(cursor: psycopg.Cursor, sweep: Sweep, chunk: SweepChunk) -> dict[str, int]:
    """Evaluate the chunk's orders; how many came to which state."""
    session, quotes = session_of(sweep), pinned_quotes(sweep.pk)
    books, orders = lock_due(cursor, due_at_open(session), chunk)
    keys = {supply_of(o.book_id, o.side, quotes[o.symbol]) for o in orders if o.symbol in quotes}
    engine = Engine(taken=load_taken(cursor, books, keys))
    for order in orders:
        book = books[order.book_id]
        engine.evaluate(book, order, quotes.get(order.symbol), book.advance_to(sweep.at), session)
    engine.write(cursor, lines=False)
    return engine.outcomes()
