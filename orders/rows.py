"""The rows that orders leave: the fields of each are the columns that are written (see portfolio/rows.py). Pure.

A new order is written with every column of its model; these are what changes in one later, and its fills.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID


class OrderUpdate(NamedTuple):
    """What changes in an order after it was stored."""

    id: UUID
    status: str
    filled_qty: Decimal
    exact_cost: Decimal
    booked: Decimal
    held_cash: Decimal
    held_qty: Decimal
    rejected_reason: str
    cancel_reason: str
    no_fill_reason: str
    no_fill_at: datetime | None
    evaluated_on: date | None
    updated_at: datetime
    filled_at: datetime | None
    canceled_at: datetime | None
    expired_at: datetime | None
    rejected_at: datetime | None
    replaced_at: datetime | None
    replaced_by_id: UUID | None


class FillRow(NamedTuple):
    """A fill."""

    id: UUID
    order_id: UUID
    account_id: UUID
    book_id: int
    seq: int
    symbol: str
    asset_class: str
    side: str
    qty: Decimal
    price: Decimal
    gross_amount: Decimal
    realized_pl: Decimal
    quote_id: UUID
    price_since: datetime
    ledger_transaction_id: UUID | None
    created_at: datetime
