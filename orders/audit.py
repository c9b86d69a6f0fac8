"""The audit of everything: every row of an account beside what it is recomputed from.

Ledgers are followed row by row (`portfolio.audit`); all else is one statement a comparison over some books. Books that an
audit has sealed (`portfolio.seals`) are read from there on: of those that stand as they stood then the newer snapshots, if any,
and nothing else.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from django.db.models import QuerySet

from orders.comparisons import IN_THE_ORDERS, OPEN_NUMBERS, STANDING_ORDERS, TOUCHED
from orders.position_comparisons import OF_THE_POSITIONS
from papertrade.lib.postgres import one_instant, raw_cursor
from portfolio import seals
from portfolio.audit import Difference, closed_books, verify_ledgers
from portfolio.comparisons import BY_THE_MINUTE, IN_THE_BOOKS, NOT_BY_THE_MINUTE
from portfolio.models import Book
from portfolio.seals import Seal

COMPARISONS = (*IN_THE_BOOKS, *IN_THE_ORDERS, *OF_THE_POSITIONS)
# Events of the books that are read as of one instant, about a second's work; a larger book is alone in its chunk.
CHUNK_EVENTS = 10_000
CHUNK_BOOKS = 200


@dataclass(frozen=True, slots=True)
class Verified:
    """What reading some books found, and their seals by id: of all of them, or of none where anything was found."""

    differences: list[Difference]
    seals: dict[int, Seal]


def audit_books(*, books: QuerySet[Book] | None = None) -> Iterator[Difference]:
    """Every difference in the books, by default all of them, each read from its beginning.

    A chunk of books is read as of one instant: the market goes on meanwhile.
    """
    for chunk in chunks(Book.objects.all() if books is None else books):
        yield from audit_chunk(chunk).differences


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


def audit_chunk(
    book_ids: Sequence[int], *, sealed: Mapping[int, Seal] | None = None, between: Callable[[], None] = lambda: None
) -> Verified:
    """Read some books as of one instant, those that are `sealed` from their seals on.

    `between` is called between two statements, and now and then within a long ledger: it may raise, and nothing is done.
    """
    with one_instant():
        standing = _standing(book_ids)
        sealed = {
            book_id: seal
            for book_id, seal in (sealed or {}).items()
            if book_id not in standing or seal["frame"] == standing[book_id]["frame"]
        }
        still = {
            book_id for book_id, seal in sealed.items() if _is_as(seal, standing.get(book_id), "state", "orders_state")
        }
        kept = {book_id: sealed[book_id] for book_id in still if _is_as(sealed[book_id], standing[book_id], "worth")}
        found = [Difference(f"book {book_id}", problem) for book_id, problem in seals.still_there(sealed.values())]
        read = [book_id for book_id in book_ids if book_id not in kept]
        books = list(Book.objects.select_related("generation").filter(pk__in=read).order_by("pk"))
        lost = sorted(set(read) - {book.pk for book in books})
        found += [Difference(f"book {book_id}", "has no generation, or is gone") for book_id in lost]
        if books:
            found += _differences(books, sealed, still, between)
        if found:
            return Verified(found, {})
        later = {
            book_id: seals.a_minute_later(sealed[book_id], standing[book_id]["worth"])
            for book_id in still - kept.keys()
        }
        return Verified([], kept | later | _sealed([book.pk for book in books if book.pk not in still], standing))


def _standing(book_ids: Sequence[int]) -> dict[int, dict[str, str]]:
    """How books stand now, with their orders, in the words of their seals; of those that exist."""
    with raw_cursor() as cursor:
        orders: dict[int, str] = dict(cursor.execute(STANDING_ORDERS, {"books": list(book_ids)}).fetchall())
    return {
        book_id: {**stands._asdict(), "orders_state": orders[book_id]}
        for book_id, stands in seals.standing(book_ids).items()
    }


def _is_as(seal: Seal, stands: Mapping[str, str] | None, *names: str) -> bool:
    return stands is not None and all(seal[name] == stands[name] for name in names)


def _differences(
    books: Sequence[Book], sealed: Mapping[int, Seal], still: Collection[int], between: Callable[[], None]
) -> Iterator[Difference]:
    """Of books that `still` stand as they did, only what the minutes bring is compared."""
    changed = [book for book in books if book.pk not in still]
    if changed:
        ledgers = verify_ledgers(changed, sealed=sealed, between=between)
        yield from chain.from_iterable(ledger.differences for ledger in ledgers.values())
    yield from closed_books(books)
    by_the_minute = seals.scope(books, sealed, without=NOT_BY_THE_MINUTE)
    with raw_cursor() as cursor:
        scope = seals.scope(changed, sealed)
        touched = cursor.execute(TOUCHED, scope | _open_at_seals(changed, sealed)).fetchall() if changed else []
        scope["touched"] = [order_id for (order_id,) in touched]
        for comparison in COMPARISONS if changed else BY_THE_MINUTE:
            between()
            rows = cursor.execute(
                comparison.statement, by_the_minute if comparison in BY_THE_MINUTE else scope
            ).fetchall()
            yield from (Difference(*row) for row in rows)


def _open_at_seals(books: Sequence[Book], sealed: Mapping[int, Seal]) -> dict[str, list[int]]:
    """Book and number of each order that was open when its book was sealed."""
    pairs = [(book.pk, number) for book in books if book.pk in sealed for number in sealed[book.pk]["open"]]
    return {"open_books": [book_id for book_id, _ in pairs], "open_numbers": [number for _, number in pairs]}


def _sealed(book_ids: Sequence[int], standing: Mapping[int, Mapping[str, str]]) -> dict[int, Seal]:
    """Seals of books that were just found right."""
    if not book_ids:
        return {}
    with raw_cursor() as cursor:
        numbers: dict[int, Any] = dict(cursor.execute(OPEN_NUMBERS, {"books": list(book_ids)}).fetchall())
    return {
        book_id: {**seal, **standing[book_id], "open": numbers.get(book_id, [])}
        for book_id, seal in seals.seals(book_ids).items()
    }
