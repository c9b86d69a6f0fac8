"""The rows of a book, in and out of the database: the fields of each are the columns that it is read from or written to. Pure.

What a row says, and the statement that carries it, are put together from one list of names, so that they cannot differ.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID


class StoredBook(NamedTuple):
    """A book as it is loaded; `policy` is its generation's, as JSON text."""

    id: int
    account_id: UUID
    generation_id: UUID
    generation_number: int
    policy: str
    cash: Decimal
    held_cash: Decimal
    realized_pl: Decimal
    peak_equity: Decimal
    max_drawdown: Decimal
    closed_trades: int
    winning_trades: int
    order_seq: int
    event_seq: int
    ledger_seq: int
    ledger_head: str
    last_at: datetime


class BookUpdate(NamedTuple):
    """What changes in a book."""

    id: int
    cash: Decimal
    held_cash: Decimal
    realized_pl: Decimal
    peak_equity: Decimal
    max_drawdown: Decimal
    closed_trades: int
    winning_trades: int
    order_seq: int
    event_seq: int
    ledger_seq: int
    ledger_head: str
    last_at: datetime
    closed_at: datetime | None


class StoredPosition(NamedTuple):
    """A position as it is loaded, at its mark (portfolio.marks)."""

    book_id: int
    id: UUID
    symbol: str
    qty: Decimal
    cost_basis: Decimal
    realized_pl: Decimal
    trade_pl: Decimal
    held_qty: Decimal
    expires_on: date | None
    unsettled: bool
    mark: Decimal
    mark_at: datetime


class PositionUpdate(NamedTuple):
    """What changes in a position."""

    id: UUID
    qty: Decimal
    held_qty: Decimal
    cost_basis: Decimal
    realized_pl: Decimal
    trade_pl: Decimal
    mark_price: Decimal
    mark_at: datetime
    unsettled: bool
    updated_at: datetime


class PositionRow(NamedTuple):
    """A new position."""

    id: UUID
    book_id: int
    symbol: str
    asset_class: str
    multiplier: int
    qty: Decimal
    held_qty: Decimal
    cost_basis: Decimal
    realized_pl: Decimal
    trade_pl: Decimal
    mark_price: Decimal
    mark_at: datetime
    expires_on: date | None
    unsettled: bool
    updated_at: datetime


class EventRow(NamedTuple):
    """An event of an account."""

    account_id: UUID
    book_id: int
    seq: int
    type: str
    at: datetime
    order_id: UUID | None
    order_status: str
    symbol: str
    reason: str
    fill_id: UUID | None
    quote_id: UUID | None
    qty: Decimal | None = None
    price: Decimal | None = None
    amount: Decimal | None = None
    filled_qty: Decimal | None = None
    remaining_qty: Decimal | None = None
    position_qty: Decimal | None = None


class EntryRow(NamedTuple):
    """A debit or a credit of a ledger transaction."""

    transaction_id: UUID
    line: int
    account: str
    debit: Decimal
    credit: Decimal


class TransactionRow(NamedTuple):
    """A ledger transaction."""

    id: UUID
    book_id: int
    sequence: int
    kind: str
    at: datetime
    order_number: int | None
    symbol: str
    qty: Decimal | None
    price: Decimal | None
    quote_id: UUID | None
    description: str
    form: int
    previous_hash: str
    hash: str


class SnapshotRow(NamedTuple):
    """What a book was worth."""

    book_id: int
    at: datetime
    equity: Decimal
    cash: Decimal
    market_value: Decimal
    realized_pl: Decimal
    unrealized_pl: Decimal
    drawdown: Decimal
