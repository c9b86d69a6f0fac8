"""The floors: the rows that a filled order leaves, written as plainly and as fast as PostgreSQL takes them.

The floor tables are copies of the real ones with their keys, checks and indexes, and without triggers. F1 writes one order a
transaction, statement by statement, on one connection. F2 writes 40,000 orders with COPY and set-based updates in chunks.
"""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import psycopg

TABLES = {
    "orders_order": "floor_order",
    "orders_fill": "floor_fill",
    "portfolio_accountevent": "floor_event",
    "portfolio_ledgertransaction": "floor_transaction",
    "portfolio_ledgerentry": "floor_entry",
    "portfolio_position": "floor_position",
    "portfolio_equitysnapshot": "floor_snapshot",
    "portfolio_book": "floor_book",
    "marketdata_quoterecord": "floor_quote",
}
CHUNK_ORDERS = 1000
HASH = "0" * 64
AT = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
CASH = Decimal(10_000_000)
SYMBOLS = [f"S{number}" for number in range(100)]

Rows = dict[str, list[tuple[Any, ...]]]

COLUMNS = {
    "floor_order": (
        "id", "account_id", "book_id", "number", "client_order_id", "symbol", "asset_class", "multiplier", "side", "type",
        "time_in_force", "position_intent", "extended_hours", "qty", "status", "filled_qty", "exact_cost", "booked",
        "held_cash", "held_qty", "rejected_reason", "cancel_reason", "no_fill_reason", "session_date", "expires_at",
        "submitted_at", "accepted_at", "updated_at",
    ),
    "floor_event": (
        "account_id", "book_id", "seq", "type", "at", "order_id", "order_status", "symbol", "reason", "fill_id", "quote_id",
    ),
    "floor_fill": (
        "id", "order_id", "account_id", "book_id", "seq", "symbol", "asset_class", "side", "qty", "price", "gross_amount",
        "realized_pl", "quote_id", "price_since", "ledger_transaction_id", "created_at",
    ),
    "floor_transaction": (
        "id", "book_id", "sequence", "kind", "at", "order_number", "symbol", "qty", "price", "quote_id", "description",
        "previous_hash", "hash",
    ),
    "floor_entry": ("transaction_id", "line", "account", "debit", "credit"),
    "floor_position": (
        "id", "book_id", "symbol", "asset_class", "multiplier", "qty", "held_qty", "cost_basis", "realized_pl", "trade_pl",
        "mark_price", "mark_at", "unsettled", "updated_at",
    ),
    "floor_snapshot": ("book_id", "at", "equity", "cash", "market_value", "realized_pl", "unrealized_pl", "drawdown"),
    "floor_quote": ("id", "symbol", "bid", "ask", "bid_size", "ask_size", "quoted_at", "feed"),
}  # fmt: skip


@dataclass(frozen=True)
class FloorBook:
    id: int
    account_id: UUID


def connect() -> "psycopg.Connection[Any]":
    """A plain connection to the benchmark's database."""
    return psycopg.connect(os.environ["DATABASE_URL"])


def prepare(connection: psycopg.Connection[Any]) -> None:
    """Make the floor tables anew."""
    for real, floor in TABLES.items():
        connection.execute(f"DROP TABLE IF EXISTS {floor}")
        connection.execute(f"CREATE TABLE {floor} (LIKE {real} INCLUDING ALL)")
    connection.commit()


def add_books(connection: psycopg.Connection[Any], count: int) -> list[FloorBook]:
    """Books to write to."""
    books = [FloorBook(number + 1, uuid4()) for number in range(count)]
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY floor_book (id, generation_id, generation_number, account_id, cash, held_cash, realized_pl, peak_equity, "
            "max_drawdown, closed_trades, winning_trades, order_seq, event_seq, ledger_seq, ledger_head, last_at) FROM STDIN"
        ) as copy,
    ):
        for book in books:
            copy.write_row((book.id, uuid4(), 1, book.account_id, CASH, 0, 0, CASH, 0, 0, 0, 0, 0, 0, HASH, AT))
    connection.commit()
    return books


def rows_of(book: FloorBook, number: int, symbol: str, *, held_before: bool) -> Rows:
    """What one bought and filled order leaves, as row tuples made before the clock runs."""
    order_id, fill_id, transaction_id, quote_id = uuid4(), uuid4(), uuid4(), UUID(int=hash(symbol) & (2**128 - 1))
    price, one = Decimal("100.10"), Decimal(1)
    return {
        "floor_quote": [(quote_id, symbol, Decimal("100.00"), price, one, one, AT, "floor")],
        "floor_order": [(
            order_id, book.account_id, book.id, number, str(order_id), symbol, "us_equity", 1, "buy", "market", "day", "",
            False, one, "accepted", 0, 0, 0, price, 0, "", "", "", AT.date(), AT, AT, AT, AT,
        )],
        "floor_event": [
            (book.account_id, book.id, 2 * number, "order_submitted", AT, order_id, "accepted", symbol, "", None, quote_id),
            (book.account_id, book.id, 2 * number + 1, "order_filled", AT, order_id, "filled", symbol, "", fill_id, quote_id),
        ],
        "floor_entry": [(transaction_id, 1, "securities", price, 0), (transaction_id, 2, "cash", 0, price)],
        "floor_transaction": [
            (transaction_id, book.id, number, "buy", AT, number, symbol, one, price, quote_id, "", HASH, HASH)
        ],
        "floor_fill": [(
            fill_id, order_id, book.account_id, book.id, 2 * number + 1, symbol, "us_equity", "buy", one, price, price, 0,
            quote_id, AT, transaction_id, AT,
        )],
        "floor_position": [] if held_before else [(
            uuid4(), book.id, symbol, "us_equity", 1, one, 0, price, 0, 0, price, AT, False, AT,
        )],
        "floor_snapshot": [(book.id, AT, CASH, CASH - price, price, 0, 0, 0)],
    }  # fmt: skip


_FILL_ORDER = """
    UPDATE floor_order SET status = 'filled', filled_qty = qty, exact_cost = 100.10, booked = 100.10, held_cash = 0,
        filled_at = %(at)s, updated_at = %(at)s WHERE id = ANY(%(ids)s)
"""
_UPDATE_BOOKS = """
    UPDATE floor_book b SET cash = cash - v.spent, order_seq = order_seq + v.orders, event_seq = event_seq + 2 * v.orders,
        ledger_seq = ledger_seq + v.orders, ledger_head = %(hash)s, last_at = %(at)s
    FROM unnest(%(ids)s::bigint[], %(spent)s::numeric[], %(orders)s::int[]) AS v(id, spent, orders) WHERE b.id = v.id
"""
_ADD_TO_POSITION = """
    UPDATE floor_position SET qty = qty + 1, cost_basis = cost_basis + 100.10, mark_at = %s, updated_at = %s
    WHERE book_id = %s AND symbol = %s
"""


def add_position(cursor: psycopg.Cursor[Any], book: FloorBook) -> None:
    """A position of the book."""
    [row] = rows_of(book, 1, SYMBOLS[0], held_before=False)["floor_position"]
    _insert(cursor, "floor_position", row)


def f1(connection: psycopg.Connection[Any], orders: int) -> float:
    """Orders a second, one transaction each: lock the book, insert, fill, book."""
    prepare(connection)
    book = add_books(connection, 1)[0]
    work = [rows_of(book, number, SYMBOLS[0], held_before=number > 1) for number in range(1, orders + 1)]
    started = time.perf_counter()
    with connection.cursor() as cursor:
        for rows in work:
            cursor.execute("SELECT * FROM floor_book WHERE id = %s FOR UPDATE", [book.id])
            for table, found in rows.items():
                for row in found:
                    _insert(cursor, table, row)
            order_id = rows["floor_order"][0][0]
            cursor.execute(_FILL_ORDER, {"ids": [order_id], "at": AT})
            if not rows["floor_position"]:
                cursor.execute(_ADD_TO_POSITION, [AT, AT, book.id, SYMBOLS[0]])
            cursor.execute(
                _UPDATE_BOOKS, {"ids": [book.id], "spent": [Decimal("100.10")], "orders": [1], "hash": HASH, "at": AT}
            )
            connection.commit()
    return orders / (time.perf_counter() - started)


def f2(connection: psycopg.Connection[Any], *, orders: int, books: int) -> float:
    """Orders a second: accepted orders filled in chunks of whole books with COPY and set-based updates."""
    prepare(connection)
    owners = add_books(connection, books)
    per_book = orders // books
    work = [
        (
            book,
            [
                rows_of(book, n, SYMBOLS[(book.id * per_book + n) % 100], held_before=False)
                for n in range(1, per_book + 1)
            ],
        )
        for book in owners
    ]
    with connection.cursor() as cursor:
        _copy(cursor, "floor_order", [row for _, found in work for rows in found for row in rows["floor_order"]])
    connection.commit()
    size = max(1, CHUNK_ORDERS // per_book)
    started = time.perf_counter()
    for place in range(0, len(work), size):
        _f2_chunk(connection, work[place : place + size], per_book)
    return orders / (time.perf_counter() - started)


def _f2_chunk(
    connection: psycopg.Connection[Any], chunk: Sequence[tuple[FloorBook, list[Rows]]], per_book: int
) -> None:
    ids = [book.id for book, _ in chunk]
    everything = [rows for _, found in chunk for rows in found]
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM floor_book WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [ids])
        for row in {rows["floor_quote"][0][0]: rows["floor_quote"][0] for rows in everything}.values():
            _insert(cursor, "floor_quote", row)
        cursor.execute(_FILL_ORDER, {"ids": [rows["floor_order"][0][0] for rows in everything], "at": AT})
        for table in (
            "floor_event",
            "floor_entry",
            "floor_transaction",
            "floor_fill",
            "floor_position",
            "floor_snapshot",
        ):
            rows_ = [row for rows in everything for row in rows[table]]
            # The first event was written when the order was accepted.
            _copy(cursor, table, rows_[1::2] if table == "floor_event" else rows_)
        spent = [Decimal("100.10") * per_book] * len(ids)
        cursor.execute(
            _UPDATE_BOOKS, {"ids": ids, "spent": spent, "orders": [per_book] * len(ids), "hash": HASH, "at": AT}
        )
    connection.commit()


def _insert(cursor: psycopg.Cursor[Any], table: str, row: tuple[Any, ...]) -> None:
    columns = COLUMNS[table]
    conflict = " ON CONFLICT (id) DO NOTHING" if table == "floor_quote" else ""
    cursor.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))}){conflict}", row
    )


def _copy(cursor: psycopg.Cursor[Any], table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    with cursor.copy(f"COPY {table} ({', '.join(COLUMNS[table])}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
