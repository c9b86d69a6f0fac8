"""The executions of a book in the order of the books: its fills, and the settlements of its options.

They are read a page at a time, so that a run of any length takes the memory of one page. Read them within `one_instant` where
all of them must be as of the same moment.
"""

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from heapq import merge
from operator import attrgetter

from marketdata.instruments import parse_symbol
from orders.models import Fill
from portfolio.ledger import LedgerAccount, LedgerKind
from portfolio.models import Book, LedgerTransaction
from portfolio.money import ZERO_MONEY, round_money
from portfolio.round_trips import Execution

PAGE_ROWS = 2000

_FILL = (
    "id", "created_at", "symbol", "side", "qty", "price", "gross_amount", "realized_pl", "order_id",
    "order__client_order_id", "order__tags", "order__multiplier", "quote__bid", "quote__ask", "seq",
)  # fmt: skip


def executions_of(book: Book) -> Iterator[Execution]:
    """Every fill and settlement, oldest first."""
    # Of one instant fills come first: options settle at the close, when nothing fills any more.
    return merge(_fills_of(book), settlements_of(book), key=attrgetter("at"))


def _fills_of(book: Book) -> Iterator[Execution]:
    """By their numbers, which are in the order of time."""
    rows, last = Fill.objects.filter(book=book).order_by("seq").values_list(*_FILL), 0
    while page := list(rows.filter(seq__gt=last)[:PAGE_ROWS]):
        yield from (_fill(*row) for row in page)
        if len(page) < PAGE_ROWS:
            return
        last = page[-1][-1]


def settlements_of(book: Book) -> Iterator[Execution]:
    """What options were settled for, oldest first."""
    settled = LedgerTransaction.objects.filter(book=book, kind=LedgerKind.SETTLEMENT)
    rows, last = settled.order_by("sequence").prefetch_related("entries"), 0
    while page := list(rows.filter(sequence__gt=last)[:PAGE_ROWS]):
        yield from map(_settlement, page)
        if len(page) < PAGE_ROWS:
            return
        last = page[-1].sequence


def _settlement(row: LedgerTransaction) -> Execution:
    def moved(account: LedgerAccount) -> Decimal:
        return sum((entry.debit - entry.credit for entry in row.entries.all() if entry.account == account), ZERO_MONEY)

    return Execution(
        at=row.at,
        symbol=row.symbol,
        multiplier=parse_symbol(row.symbol).multiplier,
        is_buy=False,
        qty=row.qty or Decimal(0),
        price=row.price or Decimal(0),
        amount=moved(LedgerAccount.CASH),
        realized_pl=-moved(LedgerAccount.REALIZED_PL),
        kind="settlement",
        id=str(row.pk),
    )


def _fill(
    fill_id: object, at: datetime, symbol: str, side: str, qty: Decimal, price: Decimal, amount: Decimal, realized: Decimal,
    order_id: object, client_order_id: str, tags: list[str], multiplier: int, bid: Decimal | None, ask: Decimal | None,
    _seq: int,
) -> Execution:  # fmt: skip
    is_buy = side == "buy"
    return Execution(
        at=at,
        symbol=symbol,
        multiplier=multiplier,
        is_buy=is_buy,
        qty=qty,
        price=price,
        amount=amount,
        realized_pl=realized,
        spread_cost=spread_cost(is_buy, qty * multiplier, price, bid, ask),
        id=str(fill_id),
        order_id=str(order_id),
        client_order_id=client_order_id,
        tags=tuple(tags),
    )


def spread_cost(
    is_buy: bool, shares: Decimal, price: Decimal, bid: Decimal | None, ask: Decimal | None
) -> Decimal | None:
    """USD paid beyond the mid of the quote: half the spread where the fill was at the quote. None without two sides."""
    if bid is None or ask is None:
        return None
    worse = price - (bid + ask) / 2
    return round_money(shares * (worse if is_buy else -worse))
