"""The tables of an account: what each shows, and where its rows come from."""

from collections.abc import Callable
from typing import Any

from django.db.models import Q, QuerySet

from accounts.labels import is_tag
from accounts.models import PaperAccount
from accounts.selectors import tagged
from orders import selectors as orders
from orders.models import Order
from orders.states import CLOSED, OPEN, Status
from papertrade.dashboard import words
from papertrade.dashboard.merged import Merged
from papertrade.dashboard.tables import Choice, Column, Rows, TableSpec
from portfolio import selectors as portfolio
from portfolio.models import AccountEvent, Book

SIDES = {"buy": "Buy", "sell": "Sell"}


def _field(name: str) -> Callable[[Any], Any]:
    def read(row: Any) -> Any:
        for part in name.split("."):
            row = getattr(row, part)
        return row

    return read


def _column(
    name: str, label: str, kind: str = "text", *, of: str = "", sortable: bool = True, only_in_csv: bool = False
) -> Column:
    path = of or name
    return Column(name, label, _field(path), kind, path.replace(".", "__") if sortable else "", only_in_csv)


def _by_symbol(rows: Rows, text: str) -> Rows:
    return rows.filter(symbol__icontains=text)


def _by_side(rows: Rows, word: str) -> Rows:
    return rows.filter(side=word)


def _held_by_symbol(rows: Rows, text: str) -> Rows:
    return [row for row in rows if text.upper() in row.symbol]


def _order_text(rows: Rows, text: str) -> Rows:
    return rows.filter(Q(symbol__icontains=text) | Q(client_order_id__icontains=text))


def _order_status(rows: Rows, word: str) -> Rows:
    return rows.filter(status__in={"open": OPEN, "closed": CLOSED}.get(word, {word}))


def _activity_kind(rows: Rows, word: str) -> Rows:
    return rows.filter(type__in=words.ACTIVITY_TYPES[word])


def _by_tag(rows: Rows, tag: str) -> Rows:
    return rows.filter(tagged(tag))


def _tags(row: Any) -> str:
    """The tags of an order in one cell of a file."""
    return ", ".join(row.tags)


def _of_its_order(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """What the order of a fill says; a settlement has none."""
    return lambda row: "" if row.order_id is None else read(row.order)


def _ledger_kind(rows: Rows, word: str) -> Rows:
    return rows.filter(kind=word)


def _waits_for(position: portfolio.PositionView) -> str:
    """What keeps an expired option from being settled."""
    return words.reason(position.unsettled_reason) if position.unsettled_reason else ""


POSITIONS = TableSpec(
    name="positions",
    title="Positions",
    columns=(
        _column("symbol", "Symbol", "symbol"),
        _column("qty", "Quantity", "held"),
        _column("qty_available", "Available", "quantity", only_in_csv=True),
        _column("avg_entry_price", "Average cost", "price"),
        _column("market_price", "Mark", "mark"),
        _column("market_value", "Market value", "money"),
        _column("unrealized_pl", "Unrealized P/L", "unrealized"),
        _column("unrealized_plpc", "Unrealized %", "signed_percent", only_in_csv=True),
        _column("realized_pl", "Realized P/L", "signed"),
        _column("marked_at", "Marked", "when", only_in_csv=True),
        Column("waits_for", "Waits for", _waits_for, only_in_csv=True),
        _column("id", "Position id", only_in_csv=True),
    ),
    search=_held_by_symbol,
    search_label="Symbol",
    empty="No open positions.",
    glance=("symbol", "qty", "avg_entry_price", "market_price", "market_value", "unrealized_pl"),
    row_action="close",
)


class OpenFirst:
    """Orders with the open ones in front. Two indexed reads: sorting a million orders by status would not be one."""

    def __init__(self, orders: QuerySet[Order]) -> None:
        self._open = orders.filter(status__in=OPEN)
        self._closed = orders.filter(status__in=CLOSED)

    def __getitem__(self, place: slice) -> list[Order]:
        front = list(self._open[place])
        if len(front) == place.stop - place.start:
            return front
        before = place.start - self._open.count() if not front else 0
        return front + list(self._closed[max(0, before) : max(0, before) + place.stop - place.start - len(front)])


ORDERS = TableSpec(
    name="orders",
    title="Orders",
    columns=(
        _column("number", "No.", "order"),
        _column("symbol", "Symbol", "symbol"),
        _column("side", "Side", "side"),
        _column("qty", "Quantity", "quantity"),
        _column("filled_qty", "Filled", "filled"),
        _column("type", "Type", only_in_csv=True),
        _column("limit_price", "Limit", "limit"),
        Column("average_fill_price", "Filled at", _field("average_fill_price"), "price", only_in_csv=True),
        _column("time_in_force", "In force", only_in_csv=True),
        _column("status", "Status", "order_status"),
        Column("reason", "Reason", _field("reason"), "reason", only_in_csv=True),
        _column("submitted_at", "Submitted", "when"),
        _column("filled_at", "Filled at time", "when", only_in_csv=True),
        _column("client_order_id", "Client order id", only_in_csv=True),
        _column("id", "Order id", only_in_csv=True),
        Column("tags", "Tags", _tags, only_in_csv=True),
        _column("note", "Note", only_in_csv=True),
    ),
    search=_order_text,
    search_label="Symbol or client order id",
    choices=(
        Choice(
            "status",
            "Status",
            {"open": "Open", "closed": "Closed", **{str(code): words.status(code).capitalize() for code in Status}},
            _order_status,
        ),
        Choice("side", "Side", SIDES, _by_side),
        Choice("tag", "Tag", None, _by_tag, accepts=is_tag),
    ),
    empty="No orders.",
    row_action="cancel",
    arrange=OpenFirst,
    glance=("number", "symbol", "side", "qty", "filled_qty", "limit_price", "status"),
)

FILLS = TableSpec(
    name="fills",
    title="Fills",
    columns=(
        _column("created_at", "Time", "when"),
        _column("symbol", "Symbol", "symbol"),
        _column("side", "Side", "side"),
        _column("qty", "Quantity", "quantity"),
        _column("price", "Price", "price"),
        _column("gross_amount", "Amount", "money"),
        _column("realized_pl", "Realized P/L", "signed"),
        _column("order_id", "Order", "order_link", sortable=False),
        Column("client_order_id", "Client order id", _of_its_order(_field("client_order_id")), only_in_csv=True),
        _column("id", "Fill id", only_in_csv=True),
        _column("bid", "Bid at fill", "bid", of="quote.bid"),
        _column("ask", "Ask at fill", "ask", of="quote.ask"),
        _column("bid_size", "Bid size", of="quote.bid_size", only_in_csv=True),
        _column("ask_size", "Ask size", of="quote.ask_size", only_in_csv=True),
        _column("quoted_at", "Quoted", "when", of="quote.quoted_at", only_in_csv=True),
        _column("kind", "Kind", sortable=False, only_in_csv=True),
        Column("tags", "Tags of the order", _of_its_order(_tags), only_in_csv=True),
    ),
    search=_by_symbol,
    search_label="Symbol",
    choices=(Choice("side", "Side", SIDES, _by_side),),
    empty="No fills.",
    glance=("created_at", "symbol", "side", "qty", "price", "gross_amount", "realized_pl", "order_id"),
)

LEDGER = TableSpec(
    name="ledger",
    title="Ledger",
    columns=(
        _column("sequence", "No.", "count"),
        _column("at", "Time", "when"),
        _column("kind", "Kind", "ledger_kind"),
        _column("symbol", "Symbol", "symbol"),
        _column("qty", "Quantity", "quantity"),
        _column("price", "Price", "price"),
        Column(
            "entries", "Entries: debit, credit", lambda row: " · ".join(map(_entry_words, row.entries.all())), "entries"
        ),
        _column("hash", "Hash", "hash", sortable=False),
    ),
    search=_by_symbol,
    search_label="Symbol",
    choices=(Choice("kind", "Kind", words.LEDGER_KIND, _ledger_kind),),
    empty="No transactions.",
)

ACTIVITY = TableSpec(
    name="activity",
    title="Activity",
    columns=(
        _column("at", "Time", "when", sortable=False),
        _column("type", "What", "event", sortable=False),
        _column("symbol", "Symbol", "symbol", sortable=False),
        Column("detail", "Details", lambda row: "", "detail", on_page_only=True),
        _column("reason", "Why", "reason", sortable=False),
        _column("order_id", "Order", "order_link", sortable=False),
        _column("seq", "No.", "count", sortable=False),
        _column("order_status", "Status", only_in_csv=True, sortable=False),
        _column("fill_id", "Fill id", only_in_csv=True, sortable=False),
        _column("qty", "Quantity", only_in_csv=True, sortable=False),
        _column("price", "Price", "price", only_in_csv=True, sortable=False),
        _column("amount", "Amount", only_in_csv=True, sortable=False),
        _column("recorded_at", "Recorded", "when", only_in_csv=True, sortable=False),
    ),
    search=_by_symbol,
    search_label="Symbol",
    choices=(Choice("kind", "Kind", words.ACTIVITY, _activity_kind),),
    empty="Nothing happened yet.",
)

TABLES = {spec.name: spec for spec in (POSITIONS, ORDERS, FILLS, LEDGER, ACTIVITY)}


def _entry_words(entry: Any) -> str:
    side, amount = ("debit", entry.debit) if entry.debit else ("credit", entry.credit)
    return f"{side} {entry.account} {amount}"


def rows_of(name: str, *, account: PaperAccount, book: Book) -> Rows:
    """The rows of one of the tables, in its own order."""
    generation = book.generation_number
    if name == POSITIONS.name:
        return portfolio.positions(book=book)
    if name == ORDERS.name:
        return orders.orders_of(account=account, generation=generation)
    if name == FILLS.name:
        fills = orders.fills_of(account=account, generation=generation).select_related(
            "order", "quote", "book__generation"
        )
        return Merged(fills, portfolio.settlements(book=book).select_related("quote"), order="-seq")
    if name == ACTIVITY.name:
        return AccountEvent.objects.filter(book=book).order_by("-seq")
    return portfolio.ledger_transactions(book=book)


def with_their_orders(events: list[AccountEvent]) -> None:
    """Give each event the order that it is about as `about`, read at once; None where it is about none."""
    orders = Order.objects.in_bulk({event.order_id for event in events if event.order_id})
    for event in events:
        event.about = orders.get(event.order_id)
