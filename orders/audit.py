"""The audit of everything: each book against its ledger, its fills and its open orders."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from decimal import Decimal

from django.db.models import QuerySet, Sum

from orders.models import IS_OPEN, Order
from orders.terms import Side
from papertrade.lib.postgres import one_instant, raw_cursor
from portfolio.audit import CHUNK_ROWS, Difference, audit_book
from portfolio.ledger import LedgerAccount, LedgerKind
from portfolio.models import Book
from portfolio.money import ZERO


def audit_books(
    *, books: QuerySet[Book] | None = None, progress: Callable[[int], None] | None = None
) -> Iterator[Difference]:
    """Every difference in the books, by default all of them; `progress` is told how many were done.

    Each book is read as of one instant: the market goes on meanwhile.
    """
    wanted = books if books is not None else Book.objects.order_by("pk")
    for done, book_id in enumerate(list(wanted.values_list("pk", flat=True)), start=1):
        with one_instant():
            differences = _differences(Book.objects.get(pk=book_id))
        yield from differences
        if progress:
            progress(done)


def _differences(book: Book) -> list[Difference]:
    return [*audit_book(book=book), *_against_fills(book), *_against_open_orders(book)]


def _against_fills(book: Book) -> Iterator[Difference]:
    """Position quantity = fills less settlements; what an order says it filled and booked = its fills."""
    qty: dict[str, Decimal] = {}
    sums = book.fills.order_by().values("symbol", "side").annotate(total=Sum("qty"))
    for row in sums:
        sign = 1 if row["side"] == Side.BUY else -1
        qty[row["symbol"]] = qty.get(row["symbol"], ZERO) + sign * row["total"]
    settled = book.ledger_transactions.filter(kind=LedgerKind.SETTLEMENT).order_by().values("symbol")
    for row in settled.annotate(total=Sum("qty")):
        qty[row["symbol"]] = qty.get(row["symbol"], ZERO) - row["total"]
    stored = {position.symbol: position.qty for position in book.positions.all()}
    for symbol in sorted(qty.keys() | stored.keys()):
        if qty.get(symbol, ZERO) != stored.get(symbol, ZERO):
            yield Difference(
                f"position {symbol} of book {book.pk}",
                f"its quantity is {stored.get(symbol, ZERO)}, its fills say {qty.get(symbol, ZERO)}",
            )
    yield from _orders_against_fills(book)
    yield from _fills_against_ledger(book)
    yield from _closed_trades(book)


def _orders_against_fills(book: Book) -> Iterator[Difference]:
    filled = {
        row["order_id"]: (row["qty"], row["amount"])
        for row in book.fills.order_by().values("order_id").annotate(qty=Sum("qty"), amount=Sum("gross_amount"))
    }
    for order in book.orders.order_by("number").only("number", "filled_qty", "booked").iterator():
        told = filled.get(order.pk, (ZERO, ZERO))
        if (order.filled_qty, order.booked) != told:
            yield Difference(
                f"order {order.number} of book {book.pk}",
                f"says filled {order.filled_qty} for {order.booked}, its fills say {told[0]} for {told[1]}",
            )


def _fills_against_ledger(book: Book) -> Iterator[Difference]:
    rows = book.fills.select_related("ledger_transaction").prefetch_related("ledger_transaction__entries")
    for fill in rows.iterator(chunk_size=CHUNK_ROWS):
        booked = fill.ledger_transaction
        if booked is None:
            continue
        sums: dict[str, Decimal] = defaultdict(Decimal)
        for entry in booked.entries.all():
            sums[entry.account] += entry.debit - entry.credit
        told = (
            booked.book_id, booked.kind, booked.symbol, booked.qty, booked.price, booked.quote_id,
            abs(sums[LedgerAccount.CASH]), -sums[LedgerAccount.REALIZED_PL],
        )  # fmt: skip
        says = (
            fill.book_id, fill.side, fill.symbol, fill.qty, fill.price, fill.quote_id, fill.gross_amount, fill.realized_pl,
        )  # fmt: skip
        if told != says:
            yield Difference(f"fill {fill.pk}", f"is not what ledger transaction {booked.sequence} says")


def _closed_trades(book: Book) -> Iterator[Difference]:
    """A trade is closed by a return to flat, and won where the position gained since it was last flat."""
    with raw_cursor() as cursor:
        closed, won = cursor.execute(_CLOSED_TRADES, {"book": book.pk}).fetchone()
    if (book.closed_trades, book.winning_trades) != (closed, won):
        yield Difference(
            f"book {book.pk}",
            f"counts {book.closed_trades} closed trades, {book.winning_trades} won; its fills say {closed} and {won}",
        )


# A settlement comes after all fills of its contract.
_CLOSED_TRADES = """
    WITH change AS (
        SELECT symbol, seq, CASE side WHEN 'buy' THEN qty ELSE -qty END AS qty, realized_pl
        FROM orders_fill WHERE book_id = %(book)s
        UNION ALL
        SELECT t.symbol, 9223372036854775807, -t.qty, coalesce(sum(e.credit - e.debit), 0)
        FROM portfolio_ledgertransaction t
        LEFT JOIN portfolio_ledgerentry e ON e.transaction_id = t.id AND e.account = 'realized_pl'
        WHERE t.book_id = %(book)s AND t.kind = 'settlement'
        GROUP BY t.id
    ), running AS (
        SELECT symbol, seq, sum(qty) OVER so_far AS qty, sum(realized_pl) OVER so_far AS realized_pl
        FROM change WINDOW so_far AS (PARTITION BY symbol ORDER BY seq)
    ), closed AS (
        SELECT realized_pl - lag(realized_pl, 1, 0) OVER (PARTITION BY symbol ORDER BY seq) AS realized_pl
        FROM running WHERE qty = 0
    )
    SELECT count(*), count(*) FILTER (WHERE realized_pl > 0) FROM closed
"""


def _against_open_orders(book: Book) -> Iterator[Difference]:
    """Holds = what open orders hold."""
    held = Order.objects.filter(IS_OPEN, book=book).order_by()
    cash = held.aggregate(total=Sum("held_cash"))["total"] or ZERO
    if cash != book.held_cash:
        yield Difference(f"book {book.pk}", f"holds {book.held_cash} cash, its open orders hold {cash}")
    qty = {row["symbol"]: row["total"] for row in held.values("symbol").annotate(total=Sum("held_qty"))}
    for position in book.positions.all():
        if position.held_qty != qty.get(position.symbol, ZERO):
            yield Difference(
                f"position {position.symbol} of book {book.pk}",
                f"holds {position.held_qty}, its open orders hold {qty.get(position.symbol, ZERO)}",
            )
