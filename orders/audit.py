"""The audit of everything: every row of an account beside what it is recomputed from.

Ledgers are followed row by row (`portfolio.audit`); all else is one statement a comparison over a chunk of accounts.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from django.db.models import QuerySet

from orders.comparisons import IN_THE_ORDERS
from papertrade.lib.postgres import one_instant, raw_cursor
from portfolio.audit import Difference, closed_books, verify_ledgers
from portfolio.comparisons import IN_THE_BOOKS
from portfolio.models import Book

COMPARISONS = (*IN_THE_BOOKS, *IN_THE_ORDERS)
CHUNK_EVENTS = 20_000  # of the books that are read at one instant together; a larger book is a chunk of its own
CHUNK_BOOKS = 200


def audit_books(
    *, books: QuerySet[Book] | None = None, progress: Callable[[int], None] | None = None
) -> Iterator[Difference]:
    """Every difference in the books, by default all of them; `progress` is told how many were done.

    A chunk of books is read as of one instant: the market goes on meanwhile.
    """
    done = 0
    for chunk in chunks(Book.objects.all() if books is None else books):
        yield from audit_chunk(chunk)
        done += len(chunk)
        if progress:
            progress(done)


def chunks(books: QuerySet[Book]) -> Iterator[list[int]]:
    """The ids of the books, an account's together, in lists of about as much work each."""
    chunk: list[int] = []
    events = 0
    rows = books.order_by("account_id", "generation_number").values_list("pk", "account_id", "event_seq", "ledger_seq")
    account = None
    for book_id, account_id, event_seq, ledger_seq in list(rows):
        # A generation's own events are not counted anywhere; it has about twice as many as bookings, or what is new.
        size = event_seq if account_id != account else 2 * ledger_seq
        if chunk and account_id != account and (events + size > CHUNK_EVENTS or len(chunk) >= CHUNK_BOOKS):
            yield chunk
            chunk, events = [], 0
        chunk.append(book_id)
        account, events = account_id, events + size
    if chunk:
        yield chunk


def audit_chunk(book_ids: Sequence[int]) -> list[Difference]:
    """Every difference in some books, read as of one instant."""
    with one_instant():
        books = list(Book.objects.select_related("generation").filter(pk__in=book_ids).order_by("pk"))
        ledgers = verify_ledgers(books).values()
        found = list(chain.from_iterable(ledger.differences for ledger in ledgers))
        found += closed_books(books)
        lost = sorted(set(book_ids) - {book.pk for book in books})
        found += [Difference(f"book {book_id}", "has no generation, or is gone") for book_id in lost]
        scope = {"books": [book.pk for book in books], "accounts": sorted({book.account_id for book in books})}
        with raw_cursor() as cursor:
            for comparison in COMPARISONS:
                rows = cursor.execute(comparison.statement, scope).fetchall()
                found += [Difference(*row) for row in rows]
    return found
