"""The invariants of trading-rules.md section 7, checked from the rows with sums of our own.

cash = sum of cash entries · holds = sum over open orders · position qty = sum of fills less settlements · buying power >= 0 ·
cost of what is held = sum of securities entries · numbers without gaps · every transaction balances · the chain verifies.
"""

from collections import defaultdict
from decimal import Decimal

from accounts.models import PaperAccount
from orders.audit import audit_books
from orders.models import Fill, Order
from portfolio.audit import verify_ledger
from portfolio.models import Book, LedgerEntry, LedgerTransaction

OPEN = ("accepted", "new", "partially_filled")


def check_account(account: PaperAccount) -> None:
    """Every book of an account; and the server's own audit has nothing to add."""
    books = Book.objects.filter(account=account)
    for book in books:
        check_book(book)
    differences = list(audit_books(books=books))
    assert not differences, differences
    orders = list(Order.objects.filter(account=account).order_by("number").values_list("number", flat=True))
    assert orders == list(range(1, len(orders) + 1)), "orders are numbered without gaps"
    events = list(account.events.order_by("seq").values_list("seq", flat=True))
    assert events == list(range(1, len(events) + 1)), "events are numbered without gaps"


def check_book(book: Book) -> None:
    """One book against its orders, fills and entries."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for entry in LedgerEntry.objects.filter(transaction__book=book):
        sums[entry.account] += entry.debit - entry.credit
    assert book.cash == sums["cash"]
    assert book.realized_pl == -sums["realized_pl"]
    assert sum(sums.values()) == 0
    assert book.cash - book.held_cash >= 0
    open_orders = list(Order.objects.filter(book=book, status__in=OPEN))
    assert book.held_cash == sum((order.held_cash for order in open_orders if order.side == "buy"), Decimal(0))
    check_positions(book, open_orders, sums["securities"])
    check_orders(book)
    report = verify_ledger(book=book)
    assert report.ok, report.differences
    assert report.transactions == LedgerTransaction.objects.filter(book=book).count()


def check_positions(book: Book, open_orders: list[Order], securities: Decimal) -> None:
    """Quantities from fills and settlements, held quantities from open sells, cost from the ledger."""
    quantities: dict[str, Decimal] = defaultdict(Decimal)
    for fill in Fill.objects.filter(book=book):
        quantities[fill.symbol] += fill.qty if fill.side == "buy" else -fill.qty
    for settled in LedgerTransaction.objects.filter(book=book, kind="settlement"):
        quantities[settled.symbol] -= settled.qty
    held: dict[str, Decimal] = defaultdict(Decimal)
    for order in open_orders:
        if order.side == "sell":
            held[order.symbol] += order.qty - order.filled_qty
    positions = {position.symbol: position for position in book.positions.all()}
    assert {symbol: place.qty for symbol, place in positions.items() if place.qty} == {
        s: q for s, q in quantities.items() if q
    }
    assert all(place.held_qty == held[symbol] for symbol, place in positions.items())
    assert sum((place.cost_basis for place in positions.values()), Decimal(0)) == securities


def check_orders(book: Book) -> None:
    """What each order says it filled is what its fills say."""
    filled: dict[object, Decimal] = defaultdict(Decimal)
    for fill in Fill.objects.filter(book=book):
        filled[fill.order_id] += fill.qty
    for order in Order.objects.filter(book=book):
        assert order.filled_qty == filled[order.pk] <= order.qty
        assert (order.status == "filled") == (order.filled_qty == order.qty)
