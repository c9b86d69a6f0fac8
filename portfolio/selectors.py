"""Reading the books: summaries, positions, history, ledger and events. Nothing here writes or locks.

Marks live in the database (`Mark`, refreshed with every step of the market), so page, API and books show one number.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Max, QuerySet

from accounts.models import Generation, PaperAccount
from marketdata.instruments import is_symbol
from papertrade.lib.errors import NotFound
from portfolio import valuation
from portfolio.books import OpenBook
from portfolio.models import AccountEvent, Book, LedgerTransaction, Position
from portfolio.money import ZERO_MONEY


@dataclass(frozen=True, slots=True)
class Summary:
    """How a generation stands, in the order of the wire: money in USD, drawdowns and win rate as fractions."""

    equity: Decimal
    cash: Decimal
    market_value: Decimal
    initial_cash: Decimal
    realized_pl: Decimal
    unrealized_pl: Decimal
    drawdown: Decimal
    closed_trades: int
    winning_trades: int
    win_rate: Decimal
    buying_power: Decimal
    held_cash: Decimal
    max_drawdown: Decimal

    def as_json(self) -> dict[str, Any]:
        """The summary as a closed generation keeps it: decimals as strings."""
        return {name: str(value) if isinstance(value, Decimal) else value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class PositionView:
    """A position at its mark: money in USD, `avg_entry_price` and `market_price` in USD per share."""

    id: UUID
    symbol: str
    asset_class: str
    qty: Decimal
    qty_available: Decimal
    avg_entry_price: Decimal
    market_price: Decimal
    market_value: Decimal
    cost_basis: Decimal
    unrealized_pl: Decimal
    unrealized_plpc: Decimal
    realized_pl: Decimal
    updated_at: datetime
    unsettled: bool
    marked_at: datetime


def book_of(*, account: PaperAccount, generation: int | None = None) -> Book:
    """The book of one generation, by default the latest. Raises NotFound."""
    books = Book.objects.select_related("generation").filter(account=account)
    if generation is not None:
        books = books.filter(generation_number=generation)
    book = books.order_by("-generation_number").first()
    if book is None:
        raise NotFound("The account has no such generation.")
    return book


def books_of(*, accounts: Iterable[PaperAccount]) -> dict[UUID, Book]:
    """The latest book of each account, by account id, in one query."""
    books = (
        Book.objects.select_related("generation")
        .filter(account__in=list(accounts))
        .order_by("account_id", "-generation_number")
        .distinct("account_id")
    )
    return {book.account_id: book for book in books}


def summary(*, book: Book) -> Summary:
    """How the generation of this book stands now, or stood when it was closed."""
    return summaries(books=[book])[book.pk]


def summaries(*, books: Iterable[Book]) -> dict[int, Summary]:
    """The summaries of several books, by book id, in one query."""
    books = list(books)
    held: dict[int, list[PositionView]] = {book.pk: [] for book in books}
    for book_id, view in _views("p.book_id = ANY(%s) AND p.qty > 0", [list(held)]):
        held[book_id].append(view)
    return {
        book.pk: _summary(
            book,
            initial_cash=book.generation.initial_cash,
            market_value=sum((view.market_value for view in held[book.pk]), ZERO_MONEY),
            cost_basis=sum((view.cost_basis for view in held[book.pk]), ZERO_MONEY),
        )
        for book in books
    }


def summary_of(book: OpenBook, initial_cash: Decimal) -> Summary:
    """The summary of a book under lock, as its generation keeps it when it closes."""
    held = book.positions.values()
    return _summary(
        book,
        initial_cash=initial_cash,
        market_value=sum((position.market_value for position in held), ZERO_MONEY),
        cost_basis=sum((position.holding.cost_basis for position in held), ZERO_MONEY),
    )


def _summary(book: Book | OpenBook, *, initial_cash: Decimal, market_value: Decimal, cost_basis: Decimal) -> Summary:
    equity = book.cash + market_value
    drawdown = valuation.drawdown(peak=max(book.peak_equity, equity), equity=equity)
    return Summary(
        equity=equity,
        cash=book.cash,
        market_value=market_value,
        initial_cash=initial_cash,
        realized_pl=book.realized_pl,
        unrealized_pl=market_value - cost_basis,
        drawdown=drawdown,
        closed_trades=book.closed_trades,
        winning_trades=book.winning_trades,
        win_rate=valuation.ratio(book.winning_trades, book.closed_trades),
        buying_power=book.cash - book.held_cash,
        held_cash=book.held_cash,
        max_drawdown=max(book.max_drawdown, drawdown),
    )


def positions(*, book: Book) -> list[PositionView]:
    """What the book holds, by symbol."""
    return [view for _, view in _views("p.book_id = %s AND p.qty > 0", [book.pk])]


def position(*, book: Book, symbol: str) -> PositionView:
    """One position that is held. Raises NotFound."""
    if is_symbol(symbol):  # other text may be what no text column takes
        for _, view in _views("p.book_id = %s AND p.qty > 0 AND p.symbol = %s", [book.pk, symbol]):
            return view
    raise NotFound("There is no such position.")


def unsettled_positions() -> QuerySet[Position]:
    """Expired options of open books that no quote could settle, for operators; `manage.py settle` ends one."""
    held = Position.objects.filter(unsettled=True, qty__gt=0, book__closed_at__isnull=True)
    return held.select_related("book").order_by("expires_on", "symbol", "book_id")


# The mark of a closed book is the one frozen in its positions.
_POSITION_VIEWS = """
    SELECT p.book_id, p.id, p.symbol, p.asset_class, p.multiplier, p.qty, p.qty - p.held_qty,
           CASE WHEN b.closed_at IS NULL AND m.quoted_at > p.mark_at THEN m.price ELSE p.mark_price END,
           p.cost_basis, p.realized_pl, p.updated_at, p.unsettled,
           CASE WHEN b.closed_at IS NULL THEN greatest(m.quoted_at, p.mark_at) ELSE p.mark_at END
    FROM portfolio_position p JOIN portfolio_book b ON b.id = p.book_id LEFT JOIN portfolio_mark m ON m.symbol = p.symbol
    WHERE {condition} ORDER BY p.book_id, p.symbol
"""


def _views(condition: str, arguments: list[Any]) -> list[tuple[int, PositionView]]:
    with connection.cursor() as cursor:
        cursor.execute(_POSITION_VIEWS.format(condition=condition), arguments)
        return [(row[0], _view(*row[1:])) for row in cursor.fetchall()]


def _view(
    position_id: UUID, symbol: str, asset_class: str, multiplier: int, qty: Decimal, qty_available: Decimal, mark: Decimal,
    cost_basis: Decimal, realized_pl: Decimal, updated_at: datetime, unsettled: bool, marked_at: datetime,
) -> PositionView:  # fmt: skip
    market_value = valuation.market_value(qty, mark, multiplier)
    return PositionView(
        id=position_id,
        symbol=symbol,
        asset_class=asset_class,
        qty=qty,
        qty_available=qty_available,
        avg_entry_price=cost_basis / (qty * multiplier),
        market_price=mark,
        market_value=market_value,
        cost_basis=cost_basis,
        unrealized_pl=market_value - cost_basis,
        unrealized_plpc=valuation.ratio(market_value - cost_basis, cost_basis),
        realized_pl=realized_pl,
        updated_at=updated_at,
        unsettled=unsettled,
        marked_at=marked_at,
    )


def generations(*, account: PaperAccount) -> QuerySet[Generation]:
    """The runs of an account, the latest first."""
    return Generation.objects.filter(account=account).order_by("-number")


def events_after(*, account: PaperAccount, after_seq: int = 0) -> QuerySet[AccountEvent]:
    """What happened to an account since the event of that number, in order."""
    return (
        AccountEvent.objects.select_related("quote", "book__generation")
        .filter(account=account, seq__gt=after_seq)
        .order_by("seq")
    )


def ledger_transactions(*, book: Book) -> QuerySet[LedgerTransaction]:
    """The ledger of a book with its entries, newest first."""
    return (
        LedgerTransaction.objects.filter(book=book)
        .select_related("quote")
        .prefetch_related("entries")
        .order_by("-sequence")
    )


def latest_book_time() -> datetime | None:
    """The latest time in any open book; None where there is none."""
    return Book.objects.filter(closed_at__isnull=True).aggregate(latest=Max("last_at"))["latest"]
