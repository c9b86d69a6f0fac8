"""Books in and out of the database: locked in id order, loaded in two statements, written in few.

Lock order everywhere: User, PaperAccount, Book rows by id, and nothing after (architecture.md).
"""

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any
from uuid import UUID

import psycopg

from accounts.policy import Policy, policy_from_json
from marketdata.evidence import keep_quotes
from marketdata.instruments import parse_symbol
from papertrade.lib import tracing
from papertrade.lib.batch import Batch
from portfolio.booking import Holding
from portfolio.books import OpenBook, OpenPosition, Snapshot
from portfolio.bulk import Writer
from portfolio.marks import MARK_AT, MARK_PRICE, MARKED
from portfolio.rows import (
    BookUpdate,
    EntryRow,
    EventRow,
    PositionRow,
    PositionUpdate,
    SnapshotRow,
    StoredBook,
    StoredPosition,
    TransactionRow,
)

_BOOK_COLUMNS = ", ".join("g.policy" if name == "policy" else f"b.{name}" for name in StoredBook._fields)

_LOCK_BY_ACCOUNT = f"""
    SELECT {_BOOK_COLUMNS} FROM portfolio_book b JOIN accounts_generation g ON g.id = b.generation_id
    WHERE b.account_id = %s AND b.closed_at IS NULL FOR UPDATE OF b
"""

_LOCK_BY_IDS = f"""
    SELECT {_BOOK_COLUMNS} FROM portfolio_book b JOIN accounts_generation g ON g.id = b.generation_id
    WHERE b.id = ANY(%s) AND b.closed_at IS NULL ORDER BY b.id FOR UPDATE OF b
"""

_MARKS = {"mark": MARK_PRICE, "mark_at": MARK_AT}
_POSITION_COLUMNS = ", ".join(f"{_MARKS.get(name, f'p.{name}')} AS {name}" for name in StoredPosition._fields)
_POSITIONS = f"SELECT {_POSITION_COLUMNS} FROM {MARKED} WHERE p.book_id = ANY({{books}})"
_POSITIONS_OF_BOOKS = _POSITIONS.format(books="%s")
_POSITIONS_OF_ACCOUNT = _POSITIONS.format(
    books="(SELECT array_agg(id) FROM portfolio_book WHERE account_id = %s AND closed_at IS NULL)::bigint[]"
)


def ask_for_account(batch: Batch, account_id: UUID) -> Callable[[], OpenBook | None]:
    """Lock and load the open book of an account, in a batch; once that was sent, what is returned gives the book.

    None where it has none, or a reset closed it meanwhile. Waits at most the connection's lock_timeout, then the batch raises
    OperationalError.
    """
    books = _ask(batch, _LOCK_BY_ACCOUNT, _POSITIONS_OF_ACCOUNT, account_id)
    return lambda: next(iter(books()), None)


def lock_account(cursor: psycopg.Cursor, account_id: UUID) -> OpenBook | None:
    """As `ask_for_account`, in a batch of its own."""
    with Batch(cursor.connection) as batch:
        book = ask_for_account(batch, account_id)
    return book()


def lock_books(cursor: psycopg.Cursor, book_ids: Collection[int]) -> list[OpenBook]:
    """Lock and load those of the books that are open, in id order."""
    with Batch(cursor.connection) as batch:
        books = _ask(batch, _LOCK_BY_IDS, _POSITIONS_OF_BOOKS, list(book_ids))
    return books()


def _ask(batch: Batch, lock: str, positions: str, key: Any) -> Callable[[], list[OpenBook]]:
    """Lock, then read: the second statement begins when the first has its locks."""
    locked, held = batch.execute(lock, [key]), batch.execute(positions, [key])
    return lambda: _books(locked.rows(StoredBook._make), held.rows(StoredPosition._make))


def _books(rows: Sequence[StoredBook], held: Sequence[StoredPosition]) -> list[OpenBook]:
    books = {row.id: OpenBook(**{**row._asdict(), "policy": _policy(row.policy)}) for row in rows}
    for row in held:
        # Not of a book that was opened while this statement waited for the lock of another.
        if row.book_id in books:
            books[row.book_id].positions[row.symbol] = _position(row)
    return list(books.values())


@lru_cache(maxsize=1024)
def _policy(stored: str) -> Policy:
    """Django leaves jsonb as text on its connections; most books have the same few policies."""
    return policy_from_json(json.loads(stored))


def _position(row: StoredPosition) -> OpenPosition:
    return OpenPosition(
        id=row.id,
        instrument=parse_symbol(row.symbol),
        holding=Holding(row.qty, row.cost_basis, row.realized_pl, row.trade_pl),
        held_qty=row.held_qty,
        mark=row.mark,
        mark_at=row.mark_at,
        expires_on=row.expires_on,
        unsettled=row.unsettled,
    )


def collect(writer: Writer, books: Iterable[OpenBook]) -> None:
    """Hand everything that waits in the books to the writer."""
    books = list(books)
    evidence = {quote_id: quote for book in books for quote_id, quote in book.evidence.items()}
    if evidence:
        writer.before(partial(keep_quotes, quotes=list(evidence.values())))
    writer.update("portfolio_book", BookUpdate, [_book_update(book) for book in books])
    changed = [(book, position) for book in books for position in book.positions.values() if position.changed_at]
    writer.update(
        "portfolio_position", PositionUpdate, [_position_update(place) for _, place in changed if not place.is_new]
    )
    writer.insert(
        "portfolio_position",
        PositionRow._fields,
        [_position_row(book, place) for book, place in changed if place.is_new],
    )
    # Entries first: the transaction row seals them (see the triggers).
    writer.insert("portfolio_ledgerentry", EntryRow._fields, [row for book in books for row in book.entries])
    writer.insert(
        "portfolio_ledgertransaction", TransactionRow._fields, [row for book in books for row in book.transactions]
    )
    _collect_events(writer, [row for book in books for row in book.events])
    writer.insert(
        "portfolio_equitysnapshot",
        SnapshotRow._fields,
        [_snapshot_row(book, snapshot) for book in books for snapshot in book.snapshots],
    )


def _collect_events(writer: Writer, events: list[EventRow]) -> None:
    """With the id of the request that they happened in, where there is one. It says nothing of what happened."""
    request_id = tracing.request_id()
    if request_id:
        columns = (*EventRow._fields, "request_id")
        writer.insert("portfolio_accountevent", columns, [(*row, request_id) for row in events])
    else:
        writer.insert("portfolio_accountevent", EventRow._fields, events)


def _book_update(book: OpenBook) -> BookUpdate:
    return BookUpdate(*_changes_of_book(book))


_changes_of_book = attrgetter(*BookUpdate._fields)


def _position_update(position: OpenPosition) -> PositionUpdate:
    holding, changed_at = position.holding, position.changed_at
    assert changed_at is not None, "only what has changed is written"
    return PositionUpdate(
        id=position.id,
        qty=holding.qty,
        held_qty=position.held_qty,
        cost_basis=holding.cost_basis,
        realized_pl=holding.realized_pl,
        trade_pl=holding.trade_pl,
        mark_price=position.mark,
        mark_at=position.mark_at,
        unsettled=position.unsettled,
        updated_at=changed_at,
    )


def _position_row(book: OpenBook, position: OpenPosition) -> PositionRow:
    instrument = position.instrument
    return PositionRow(
        book_id=book.id,
        symbol=instrument.symbol,
        asset_class=instrument.asset_class,
        multiplier=instrument.multiplier,
        expires_on=position.expires_on,
        **_position_update(position)._asdict(),
    )


def _snapshot_row(book: OpenBook, snapshot: Snapshot) -> SnapshotRow:
    return SnapshotRow(book.id, *_worth(snapshot))


_worth = attrgetter(*SnapshotRow._fields[1:])
