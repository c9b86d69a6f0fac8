"""Reading the books: summaries, positions, history, ledger and events. Nothing here writes or locks.

Marks live in the database (`Mark`, refreshed with every step of the market), so page, API and books show one number.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.db import connection
from django.db.models import F, Max, OuterRef, Q, QuerySet, Subquery, Sum, UUIDField, Value
from django.db.models.functions import Coalesce

from accounts.models import Generation, PaperAccount
from marketdata import evidence
from marketdata.instruments import AssetClass, is_symbol
from papertrade.lib.errors import NotFound
from papertrade.lib.postgres import FixedQuery
from portfolio import valuation
from portfolio.books import OpenBook
from portfolio.ledger import Frame, LedgerAccount, LedgerKind, SettlementReason, spelled
from portfolio.marks import MARK_AT, MARK_PRICE
from portfolio.models import AccountEvent, Book, EquitySnapshot, EventType, LedgerEntry, LedgerTransaction, Position
from portfolio.money import ZERO_MONEY

Evidenced = TypeVar("Evidenced", bound=Any)  # a row with quote_id and book_id


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

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Summary":
        """The summary that a closed generation keeps."""
        values: dict[str, Any] = {
            name: Decimal(value) if isinstance(value, str) else value for name, value in stored.items()
        }
        return cls(**values)


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

    @property
    def unsettled_reason(self) -> str:
        """What an expired option waits for before it can be settled; empty for one that does not."""
        return SettlementReason.NO_UNDERLYING_QUOTE if self.unsettled else ""


MAX_GENERATION_DIGITS = 9  # of a number in an address

_BOOKS = Book.objects.filter(account_id=UUID(int=0))
_LATEST: FixedQuery[Book] = FixedQuery(_BOOKS.order_by("-generation_number")[:1], with_related="generation")
_NUMBERED: FixedQuery[Book] = FixedQuery(_BOOKS.filter(generation_number=0), with_related="generation")


def book_of(*, account: PaperAccount, generation: int | None = None) -> Book:
    """The book of one generation, by default the latest. Raises NotFound."""
    book = _LATEST.one([account.pk]) if generation is None else _NUMBERED.one([account.pk, generation])
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


def frame_of(generation: Generation) -> Frame:
    """The terms of a run, as its opening is hashed with them."""
    return Frame(
        owner=generation.owner,
        policy=spelled(generation.policy),
        feed=generation.feed,
        engine_version=generation.engine_version,
        reason=generation.reason,
    )


def with_evidence(rows: list[Evidenced], *, book: Book | None = None) -> list[Evidenced]:
    """The same rows with their quotes and books in place, each read once; give `book` where all rows are of one."""
    quotes = evidence.records(row.quote_id for row in rows)
    if book is not None:
        books = {book.pk: book}
    else:
        books = Book.objects.select_related("generation").in_bulk({row.book_id for row in rows})
    for row in rows:
        row.book = books[row.book_id]
        row.quote = quotes[row.quote_id] if row.quote_id else None
    return rows


def summary(*, book: Book) -> Summary:
    """How the generation of this book stands now, or stood when it was closed."""
    return summaries(books=[book])[book.pk]


def summaries(*, books: Iterable[Book]) -> dict[int, Summary]:
    """The summaries of several books, by book id, in one query.

    Money and positions are of one instant, whenever the books were read: an order may fill in between.
    """
    books = list(books)
    rows: dict[int, list[_Standing]] = {book.pk: [] for book in books}
    with connection.cursor() as cursor:
        cursor.execute(_STANDING, [list(rows)])
        for row in map(_Standing._make, cursor.fetchall()):
            rows[row.book_id].append(row)
    return {book.pk: _summary_at_marks(rows[book.pk], book.generation.initial_cash) for book in books}


class _Standing(NamedTuple):
    """A book with one of its positions at its mark, or without any, as `_STANDING` reads it; its fields are the columns."""

    book_id: int
    cash: Decimal
    held_cash: Decimal
    realized_pl: Decimal
    peak_equity: Decimal
    max_drawdown: Decimal
    closed_trades: int
    winning_trades: int
    qty: Decimal | None
    multiplier: int
    mark: Decimal
    cost_basis: Decimal


_STANDING = f"""
    SELECT b.id, b.cash, b.held_cash, b.realized_pl, b.peak_equity, b.max_drawdown, b.closed_trades, b.winning_trades,
           p.qty, p.multiplier, {MARK_PRICE}, p.cost_basis
    FROM portfolio_book b LEFT JOIN portfolio_position p ON p.book_id = b.id AND p.qty > 0
    LEFT JOIN portfolio_mark m ON m.symbol = p.symbol AND b.closed_at IS NULL
    WHERE b.id = ANY(%s)
"""


def _summary_at_marks(rows: list[_Standing], initial_cash: Decimal) -> Summary:
    held = [(row, row.qty) for row in rows if row.qty is not None]
    return _summary(
        rows[0],
        initial_cash=initial_cash,
        market_value=sum((valuation.market_value(qty, row.mark, row.multiplier) for row, qty in held), ZERO_MONEY),
        cost_basis=sum((row.cost_basis for row, _ in held), ZERO_MONEY),
    )


def last_equity(*, books: Iterable[Book], before: datetime | None = None) -> dict[int, Decimal]:
    """What each book was worth at its last snapshot, or the last one before an instant; books without one are missing.

    Each book is probed by index; DISTINCT ON would sort all snapshots there are.
    """
    snapshots = EquitySnapshot.objects.filter(book_id=OuterRef("pk")).order_by("-at", "-id")
    if before is not None:
        snapshots = snapshots.filter(at__lt=before)
    rows = Book.objects.filter(pk__in=[book.pk for book in books]).values_list(
        "pk", Subquery(snapshots.values("equity")[:1])
    )
    return {book_id: equity for book_id, equity in rows if equity is not None}


def summary_of(book: OpenBook, initial_cash: Decimal) -> Summary:
    """The summary of a book under lock, as its generation keeps it when it closes."""
    held = book.positions.values()
    return _summary(
        book,
        initial_cash=initial_cash,
        market_value=sum((position.market_value for position in held), ZERO_MONEY),
        cost_basis=sum((position.holding.cost_basis for position in held), ZERO_MONEY),
    )


def _summary(
    book: _Standing | OpenBook, *, initial_cash: Decimal, market_value: Decimal, cost_basis: Decimal
) -> Summary:
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
    return _views("p.book_id = %s AND p.qty > 0", [book.pk])


def position(*, book: Book, symbol: str) -> PositionView:
    """One position that is held. Raises NotFound."""
    if is_symbol(symbol):  # other text may be what no text column takes
        for view in _views("p.book_id = %s AND p.qty > 0 AND p.symbol = %s", [book.pk, symbol]):
            return view
    raise NotFound("There is no such position.")


def unsettled_positions() -> QuerySet[Position]:
    """Expired options of open books that no quote could settle, for operators; `papertrade settle` ends one."""
    held = Position.objects.filter(unsettled=True, qty__gt=0, book__closed_at__isnull=True)
    return held.select_related("book").order_by("expires_on", "symbol", "book_id")


class _PositionAtMark(NamedTuple):
    """A position as `_POSITION_VIEWS` reads it; its fields are the columns."""

    id: UUID
    symbol: str
    asset_class: str
    multiplier: int
    qty: Decimal
    held_qty: Decimal
    cost_basis: Decimal
    realized_pl: Decimal
    updated_at: datetime
    unsettled: bool
    mark: Decimal
    mark_at: datetime


_MARKS = {"mark": MARK_PRICE, "mark_at": MARK_AT}
_POSITION_VIEWS = """
    SELECT {columns}
    FROM portfolio_position p JOIN portfolio_book b ON b.id = p.book_id
    LEFT JOIN portfolio_mark m ON m.symbol = p.symbol AND b.closed_at IS NULL
    WHERE {{condition}} ORDER BY p.symbol
""".format(columns=", ".join(f"{_MARKS.get(name, f'p.{name}')} AS {name}" for name in _PositionAtMark._fields))


def _views(condition: str, arguments: list[Any]) -> list[PositionView]:
    with connection.cursor() as cursor:
        cursor.execute(_POSITION_VIEWS.format(condition=condition), arguments)
        return [_view(_PositionAtMark._make(row)) for row in cursor.fetchall()]


def _view(row: _PositionAtMark) -> PositionView:
    market_value = valuation.market_value(row.qty, row.mark, row.multiplier)
    gain = market_value - row.cost_basis
    return PositionView(
        id=row.id,
        symbol=row.symbol,
        asset_class=row.asset_class,
        qty=row.qty,
        qty_available=row.qty - row.held_qty,
        avg_entry_price=row.cost_basis / (row.qty * row.multiplier),
        market_price=row.mark,
        market_value=market_value,
        cost_basis=row.cost_basis,
        unrealized_pl=gain,
        unrealized_plpc=valuation.ratio(gain, row.cost_basis),
        realized_pl=row.realized_pl,
        updated_at=row.updated_at,
        unsettled=row.unsettled,
        marked_at=row.mark_at,
    )


def generations(*, account: PaperAccount) -> QuerySet[Generation]:
    """The runs of an account, the latest first."""
    return Generation.objects.filter(account=account).order_by("-number")


def generation_of(*, account: PaperAccount, number: str) -> Generation:
    """One run of an account by its number, as it stands in an address. Raises NotFound."""
    known = read_generation_number(number)
    found = None if known is None else Generation.objects.filter(account=account, number=known).first()
    if found is None:
        raise NotFound("The account has no such generation.")
    return found


def read_generation_number(text: str) -> int | None:
    """The number of a generation, as it stands in an address or a form; None where the text cannot be one."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_GENERATION_DIGITS else None


def events_after(*, account: PaperAccount, after_seq: int = 0) -> QuerySet[AccountEvent]:
    """What happened to an account since the event of that number, in order."""
    return AccountEvent.objects.filter(account=account, seq__gt=after_seq).order_by("seq")


def ledger_transactions(*, book: Book) -> QuerySet[LedgerTransaction]:
    """The ledger of a book with its entries, newest first."""
    return (
        LedgerTransaction.objects.filter(book=book)
        .select_related("quote")
        .prefetch_related("entries")
        .order_by("-sequence")
    )


def settlements(*, book: Book) -> QuerySet[LedgerTransaction]:
    """The settlements of expired options, with what a fill says: a sell of all that was held, that no order asked for.

    `seq` is the number of the event, so that they stand among the fills in the order in which positions changed.
    """
    event = AccountEvent.objects.filter(
        book=OuterRef("book"), type=EventType.POSITION_SETTLED, symbol=OuterRef("symbol"), at=OuterRef("at")
    )
    entries = LedgerEntry.objects.filter(transaction=OuterRef("pk")).order_by().values("transaction")
    cash = entries.annotate(total=Sum(F("debit") - F("credit"), filter=Q(account=LedgerAccount.CASH))).values("total")
    gain = entries.annotate(total=Sum(F("credit") - F("debit"), filter=Q(account=LedgerAccount.REALIZED_PL)))
    money = {"output_field": AccountEvent._meta.get_field("amount")}
    return LedgerTransaction.objects.filter(book=book, kind=LedgerKind.SETTLEMENT).annotate(
        seq=Subquery(event.values("seq")[:1]),
        order_id=Value(None, output_field=UUIDField(null=True)),
        asset_class=Value(str(AssetClass.US_OPTION)),
        side=Value("sell"),
        gross_amount=Coalesce(Subquery(cash), Value(ZERO_MONEY), **money),
        realized_pl=Coalesce(Subquery(gain.values("total")), Value(ZERO_MONEY), **money),
        created_at=F("at"),
    )


def latest_book_time() -> datetime | None:
    """The latest time in any open book; None where there is none."""
    return Book.objects.filter(closed_at__isnull=True).aggregate(latest=Max("last_at"))["latest"]
