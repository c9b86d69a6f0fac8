"""Books in and out of the database: locked in id order, loaded in two statements, written in few.

Lock order everywhere: User, PaperAccount, Book rows by id, and nothing after (architecture.md).
"""

import json
from collections.abc import Collection, Iterable
from decimal import Decimal
from functools import lru_cache, partial
from typing import Any
from uuid import UUID

import psycopg

from accounts.policy import Policy, policy_from_json
from marketdata.evidence import keep_quotes
from marketdata.instruments import parse_symbol
from portfolio.booking import Holding
from portfolio.books import OpenBook, OpenPosition
from portfolio.bulk import Writer

_BOOK_COLUMNS = """
    b.id, b.account_id, b.generation_id, b.generation_number, g.policy, b.cash, b.held_cash, b.realized_pl, b.peak_equity,
    b.max_drawdown, b.closed_trades, b.winning_trades, b.order_seq, b.event_seq, b.ledger_seq, b.ledger_head, b.last_at
"""

_LOCK_BY_ACCOUNT = f"""
    SELECT {_BOOK_COLUMNS} FROM portfolio_book b JOIN accounts_generation g ON g.id = b.generation_id
    WHERE b.account_id = %s AND b.closed_at IS NULL FOR UPDATE OF b
"""

_LOCK_BY_IDS = f"""
    SELECT {_BOOK_COLUMNS} FROM portfolio_book b JOIN accounts_generation g ON g.id = b.generation_id
    WHERE b.id = ANY(%s) AND b.closed_at IS NULL ORDER BY b.id FOR UPDATE OF b
"""

# The mark of a position is the latest of the quote that filled it and the symbol's own (portfolio.models.Mark).
_POSITIONS = """
    SELECT p.book_id, p.id, p.symbol, p.qty, p.cost_basis, p.realized_pl, p.trade_pl, p.held_qty,
           CASE WHEN m.quoted_at > p.mark_at THEN m.price ELSE p.mark_price END,
           greatest(m.quoted_at, p.mark_at), p.expires_on, p.unsettled
    FROM portfolio_position p LEFT JOIN portfolio_mark m ON m.symbol = p.symbol
    WHERE p.book_id = ANY({books})
"""
_POSITIONS_OF_BOOKS = _POSITIONS.format(books="%s")
_POSITIONS_OF_ACCOUNT = _POSITIONS.format(
    books="(SELECT array_agg(id) FROM portfolio_book WHERE account_id = %s AND closed_at IS NULL)::bigint[]"
)

_BOOK_UPDATE = (
    ("id", "bigint"), ("cash", "numeric"), ("held_cash", "numeric"), ("realized_pl", "numeric"),
    ("peak_equity", "numeric"), ("max_drawdown", "numeric"), ("closed_trades", "int"), ("winning_trades", "int"),
    ("order_seq", "bigint"), ("event_seq", "bigint"), ("ledger_seq", "bigint"), ("ledger_head", "text"),
    ("last_at", "timestamptz"), ("closed_at", "timestamptz"),
)  # fmt: skip
_POSITION_UPDATE = (
    ("id", "uuid"), ("qty", "numeric"), ("held_qty", "numeric"), ("cost_basis", "numeric"), ("realized_pl", "numeric"),
    ("trade_pl", "numeric"), ("mark_price", "numeric"), ("mark_at", "timestamptz"), ("unsettled", "boolean"),
    ("updated_at", "timestamptz"),
)  # fmt: skip
_POSITION_INSERT = (
    "id", "book_id", "symbol", "asset_class", "multiplier", "qty", "held_qty", "cost_basis", "realized_pl", "trade_pl",
    "mark_price", "mark_at", "expires_on", "unsettled", "updated_at",
)  # fmt: skip
_EVENT_INSERT = (
    "account_id", "book_id", "seq", "type", "at", "order_id", "order_status", "symbol", "reason", "fill_id", "quote_id",
)  # fmt: skip
_ENTRY_INSERT = ("transaction_id", "line", "account", "debit", "credit")
_TRANSACTION_INSERT = (
    "id", "book_id", "sequence", "kind", "at", "order_number", "symbol", "qty", "price", "quote_id", "description",
    "previous_hash", "hash",
)  # fmt: skip
_SNAPSHOT_INSERT = (
    "book_id", "at", "equity", "cash", "market_value", "realized_pl", "unrealized_pl", "drawdown",
)  # fmt: skip


def lock_account(cursor: psycopg.Cursor, account_id: UUID) -> OpenBook | None:
    """Lock and load the open book of an account; None where it has none, or a reset closed it meanwhile.

    Waits at most the connection's lock_timeout, then raises OperationalError.
    """
    books = _load(cursor, _LOCK_BY_ACCOUNT, _POSITIONS_OF_ACCOUNT, account_id)
    return books[0] if books else None


def lock_books(cursor: psycopg.Cursor, book_ids: Collection[int]) -> list[OpenBook]:
    """Lock and load those of the books that are open, in id order."""
    return _load(cursor, _LOCK_BY_IDS, _POSITIONS_OF_BOOKS, list(book_ids))


def _load(cursor: psycopg.Cursor, lock: str, positions: str, key: Any) -> list[OpenBook]:
    """Lock, then read, in one round trip: the second statement begins when the first has its locks."""
    connection = cursor.connection
    with connection.pipeline(), psycopg.Cursor(connection) as second:
        cursor.execute(lock, [key])
        second.execute(positions, [key])
        rows, held = cursor.fetchall(), second.fetchall()
    books = {row[0]: OpenBook(*row[:4], _policy(row[4]), *row[5:]) for row in rows}
    for book_id, *position in held:
        # A book that was opened while this one was waited for is none of ours.
        if book_id in books:
            loaded = _position(*position)
            books[book_id].positions[loaded.instrument.symbol] = loaded
    return list(books.values())


@lru_cache(maxsize=1024)
def _policy(stored: str) -> Policy:
    """Django leaves jsonb as text on its connections; most books have the same few policies."""
    return policy_from_json(json.loads(stored))


def _position(
    position_id: UUID, symbol: str, qty: Decimal, cost_basis: Decimal, realized_pl: Decimal, trade_pl: Decimal,
    held_qty: Decimal, mark: Decimal, mark_at: Any, expires_on: Any, unsettled: bool,
) -> OpenPosition:  # fmt: skip
    return OpenPosition(
        id=position_id, instrument=parse_symbol(symbol), holding=Holding(qty, cost_basis, realized_pl, trade_pl),
        held_qty=held_qty, mark=mark, mark_at=mark_at, expires_on=expires_on, unsettled=unsettled,
    )  # fmt: skip


def collect(writer: Writer, books: Iterable[OpenBook]) -> None:
    """Hand everything that waits in the books to the writer."""
    books = list(books)
    evidence = {quote_id: quote for book in books for quote_id, quote in book.evidence.items()}
    if evidence:
        writer.before(partial(keep_quotes, quotes=list(evidence.values())))
    writer.update("portfolio_book", _BOOK_UPDATE, [_book_row(book) for book in books])
    changed = [(book, position) for book in books for position in book.positions.values() if position.changed_at]
    writer.update(
        "portfolio_position", _POSITION_UPDATE, [_position_update(place) for _, place in changed if not place.is_new]
    )
    writer.insert(
        "portfolio_position",
        _POSITION_INSERT,
        [_position_insert(book, place) for book, place in changed if place.is_new],
    )
    # Entries first: the transaction row seals them (see the triggers).
    writer.insert("portfolio_ledgerentry", _ENTRY_INSERT, [row for book in books for row in book.entries])
    writer.insert(
        "portfolio_ledgertransaction", _TRANSACTION_INSERT, [row for book in books for row in book.transactions]
    )
    writer.insert("portfolio_accountevent", _EVENT_INSERT, [row for book in books for row in book.events])
    writer.insert(
        "portfolio_equitysnapshot",
        _SNAPSHOT_INSERT,
        [
            (book.id, s.at, s.equity, s.cash, s.market_value, s.realized_pl, s.unrealized_pl, s.drawdown)
            for book in books
            for s in book.snapshots
        ],
    )


def _book_row(book: OpenBook) -> tuple:
    return (
        book.id, book.cash, book.held_cash, book.realized_pl, book.peak_equity, book.max_drawdown, book.closed_trades,
        book.winning_trades, book.order_seq, book.event_seq, book.ledger_seq, book.ledger_head, book.last_at,
        book.closed_at,
    )  # fmt: skip


def _position_update(position: OpenPosition) -> tuple:
    holding = position.holding
    return (
        position.id, holding.qty, position.held_qty, holding.cost_basis, holding.realized_pl, holding.trade_pl,
        position.mark, position.mark_at, position.unsettled, position.changed_at,
    )  # fmt: skip


def _position_insert(book: OpenBook, position: OpenPosition) -> tuple:
    instrument, holding = position.instrument, position.holding
    return (
        position.id, book.id, instrument.symbol, instrument.asset_class, instrument.multiplier, holding.qty,
        position.held_qty, holding.cost_basis, holding.realized_pl, holding.trade_pl, position.mark, position.mark_at,
        position.expires_on, position.unsettled, position.changed_at,
    )  # fmt: skip
