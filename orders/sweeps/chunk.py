"""A chunk of a sweep: its books under lock, their due orders, and the quotes that everyone decides on."""

from collections.abc import Iterable
from functools import lru_cache

import psycopg
from django.db.models import QuerySet

from marketdata.quotes import Quote, quote_from_json
from marketdata.sessions import Session, calendar
from orders.models import Order, Sweep, SweepChunk
from papertrade.lib.postgres import fetch
from portfolio.books import OpenBook
from portfolio.store import lock_books


def lock_due(
    cursor: psycopg.Cursor, due: QuerySet[Order], chunk: SweepChunk, also: Iterable[int] = ()
) -> tuple[dict[int, OpenBook], list[Order]]:
    """The chunk's books, locked, and their due orders by book and number, read under the lock."""
    due = in_chunk(due, chunk)
    wanted = {*due.order_by().values_list("book_id", flat=True), *also}
    books = {book.id: book for book in lock_books(cursor, sorted(wanted))}
    if not books:
        return books, []  # requests have come first
    return books, fetch(cursor, due.filter(book_id__in=list(books)).order_by("book_id", "number"))


def in_chunk(rows: QuerySet, chunk: SweepChunk) -> QuerySet:
    """Those of the rows that are of the chunk's books."""
    return rows.filter(book_id__gte=chunk.first_book_id, book_id__lte=chunk.last_book_id)


def session_of(sweep: Sweep) -> Session:
    """The session whose open or close the sweep does."""
    session = calendar().on(sweep.session_date)
    assert session is not None, "a sweep is made for a session that exists"
    return session


@lru_cache(maxsize=2)
def pinned_quotes(sweep_id: int) -> dict[str, Quote]:
    """The quotes of a sweep by symbol; a sweep's quotes never change."""
    stored = Sweep.objects.values_list("quotes", flat=True).get(pk=sweep_id)
    return {quote.symbol: quote for quote in map(quote_from_json, stored)}
