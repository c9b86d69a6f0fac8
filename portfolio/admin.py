"""The books in the admin: positions, the ledger with its entries, snapshots, and the event log."""

from typing import Any

from django.contrib import admin

from accounts.models import Generation, PaperAccount
from marketdata.filters import QuoteFilter
from marketdata.models import QuoteRecord
from papertrade.lib.admin import cells
from papertrade.lib.admin.filters import DateRangeFilter, SymbolFilter
from papertrade.lib.admin.history import HistoryAdmin, HistoryInline, Links
from papertrade.lib.admin.paging import Keys
from portfolio.filters import BookFilter, EventFilter
from portfolio.models import AccountEvent, AuditReport, Book, EquitySnapshot, LedgerEntry, LedgerTransaction, Position

BOOK = "book__account"


def book_cells(label: str = "account") -> tuple[cells.Cell, cells.Cell]:
    """Account and generation of a row of a book."""
    return (
        cells.link("book.account", label=label),
        cells.of(
            "book",
            lambda book: cells.page_link(Generation(pk=book.generation_id), f"#{book.generation_number}"),
            label="generation",
        ),
    )


def book_links(book: Book) -> Links:
    """Up from a row of a book."""
    return [
        ("Account", cells.page_of(PaperAccount, book.account_id)),
        (f"Generation #{book.generation_number}", cells.page_of(Generation, book.generation_id)),
    ]


def quote_cells(label: str = "") -> tuple[cells.Cell, ...]:
    """The quote that a row was decided on, as it was then."""
    return (
        cells.link("quote", label=label),
        cells.money("quote.bid", label="bid"),
        cells.money("quote.ask", label="ask"),
        cells.when("quote.quoted_at", label="quoted at"),
    )


def quote_links(row: Any, label: str = "Quote") -> Links:
    """To the evidence of a row."""
    return [(label, cells.page_of(QuoteRecord, row.quote_id))] if row.quote_id else []


@admin.register(Position)
class PositionAdmin(HistoryAdmin):
    """What each book holds, or held."""

    keys = Keys(in_scope=("book_id", "symbol"))
    date_field = "updated_at"
    list_display = (
        cells.cell("symbol", lambda row: row.symbol),
        *book_cells(),
        cells.quantity("qty"),
        cells.quantity("held_qty"),
        cells.money("cost_basis"),
        cells.money("realized_pl", label="realized P/L"),
        cells.money("mark_price"),
        cells.when("mark_at"),
        "unsettled",
        cells.when("updated_at"),
    )
    list_select_related = (BOOK,)
    list_filter = (BookFilter, SymbolFilter, "unsettled", "asset_class", DateRangeFilter)
    search_fields = ("id",)
    search_help_text = "A position's id. Use the filters for accounts and symbols."
    page_fields = (
        "id",
        *list_display,
        "asset_class",
        "multiplier",
        "expires_on",
        cells.money("trade_pl", label="P/L since it was flat"),
    )
    export_extra = ("book__account_id", "book__generation_number")

    def related(self, row: Position) -> Links:
        scope = {"account": row.book.account_id, "generation": row.book.generation_number, "symbol": row.symbol}
        return [
            *book_links(row.book),
            (f"Orders of {row.symbol}", cells.list_of("orders_order", **scope)),
            (f"Fills of {row.symbol}", cells.list_of("orders_fill", **scope)),
            (f"Ledger of {row.symbol}", cells.list_of("portfolio_ledgertransaction", **scope)),
        ]


class EntryInline(HistoryInline):
    """The debits and credits of a ledger transaction."""

    model = LedgerEntry
    readonly_fields = ("line", cells.text("account"), cells.side("debit"), cells.side("credit"))
    verbose_name_plural = "entries"


@admin.register(LedgerTransaction)
class LedgerTransactionAdmin(HistoryAdmin):
    """The double-entry ledger: each transaction with its entries and its place in the chain of hashes."""

    keys = Keys(in_scope=("book_id", "sequence"), by_symbol=("at", "pk"), by_time=("at", "pk"))
    date_field = "at"
    list_display = (
        cells.cell("sequence", lambda row: f"#{row.sequence}"),
        cells.text("kind"),
        *book_cells(),
        "symbol",
        cells.quantity("qty"),
        cells.money("price"),
        cells.cell("entries", lambda row: " · ".join(_entry(entry) for entry in row.entries.all())),
        cells.when("at"),
    )
    list_select_related = (BOOK,)
    list_prefetch = ("entries",)
    list_filter = (BookFilter, SymbolFilter, "kind", DateRangeFilter, QuoteFilter)
    search_fields = ("id",)
    search_help_text = "A transaction's id. Use the filters for accounts and symbols."
    inlines = (EntryInline,)
    page_fields = (
        "id", cells.cell("sequence", lambda row: f"#{row.sequence}"), cells.text("kind"), *book_cells(), cells.when("at"),
        cells.wall("recorded_at"), "order_number", "symbol", cells.quantity("qty"), cells.money("price"), *quote_cells(),
        cells.text("description"), cells.code("previous_hash"), cells.code("hash"),
    )  # fmt: skip
    export_extra = ("book__account_id", "book__generation_number")

    def related(self, row: LedgerTransaction) -> Links:
        return [
            *book_links(row.book),
            ("Fill", cells.list_of("orders_fill", ledger_transaction=row.pk)),
            *quote_links(row),
        ]


def _entry(entry: LedgerEntry) -> str:
    side, amount = ("debit", entry.debit) if entry.debit else ("credit", entry.credit)
    return f"{side} {entry.account} {cells.fixed(amount, cells.MIN_MONEY_DECIMALS)}"


@admin.register(EquitySnapshot)
class EquitySnapshotAdmin(HistoryAdmin):
    """What each book was worth, minute by minute."""

    keys = Keys(newest=("at", "pk"), in_scope=("book_id", "at", "pk"))
    date_field = "at"
    list_display = (
        cells.when("at"),
        *book_cells(),
        cells.money("equity"),
        cells.money("cash"),
        cells.money("market_value"),
        cells.money("realized_pl", label="realized P/L"),
        cells.money("unrealized_pl", label="unrealized P/L"),
        cells.quantity("drawdown"),
    )
    list_select_related = (BOOK,)
    list_filter = (BookFilter, DateRangeFilter)
    page_fields = list_display
    export_extra = ("book__account_id", "book__generation_number")

    def related(self, row: EquitySnapshot) -> Links:
        return book_links(row.book)


@admin.register(AccountEvent)
class AccountEventAdmin(HistoryAdmin):
    """Everything that happened to every account, with the quote that it was decided on."""

    keys = Keys(in_scope=("account_id", "seq"), by_symbol=("at", "pk"), by_time=("at", "pk"))
    date_field = "at"
    list_display = (
        cells.cell("seq", lambda row: f"#{row.seq}", label="event"),
        cells.text("type"),
        *book_cells(),
        "symbol",
        cells.text("order_status", label="status"),
        cells.text("reason"),
        *quote_cells()[1:3],
        cells.age("at", label="quote age"),
        cells.when("at"),
        cells.code("request_id", label="request"),
    )
    list_select_related = (BOOK, "quote")
    list_filter = (EventFilter, SymbolFilter, "type", DateRangeFilter, QuoteFilter)
    search_fields = ("id", "order_id")
    search_help_text = "An event's or an order's id. Use the filters for accounts and symbols."
    page_fields = (
        cells.cell("seq", lambda row: f"#{row.seq}", label="event"),
        cells.text("type"),
        *book_cells(),
        cells.when("at"),
        cells.wall("recorded_at"),
        "symbol",
        "order_status",
        cells.text("reason"),
        *quote_cells(),
        cells.of("quote.bid_size", lambda size: cells.figure(size, 0), label="bid size"),
        cells.of("quote.ask_size", lambda size: cells.figure(size, 0), label="ask size"),
        cells.age("at", label="quote age"),
        cells.code("request_id", label="request"),
    )
    export_extra = (
        "book__generation_number",
        "quote__bid",
        "quote__ask",
        "quote__bid_size",
        "quote__ask_size",
        "quote__quoted_at",
        "quote__feed",
    )

    def related(self, row: AccountEvent) -> Links:
        links = book_links(row.book)
        if row.order_id:
            links += [
                ("Order", cells.page_of_name("orders_order", row.order_id)),
                ("Events of the order", cells.list_of("portfolio_accountevent", order_id=row.order_id)),
            ]
        if row.fill_id:
            links.append(("Fill", cells.page_of_name("orders_fill", row.fill_id)))
        return [*links, *quote_links(row)]


@admin.register(AuditReport)
class AuditReportAdmin(HistoryAdmin):
    """What audits of the books found."""

    date_field = "finished_at"
    list_display = (
        cells.wall("finished_at"),
        cells.text("scope"),
        "extent",
        cells.text("by"),
        "books",
        "difference_count",
        cells.wall("started_at"),
    )
    list_filter = (DateRangeFilter,)
    page_fields = (
        *list_display,
        "sealed",
        cells.cell("differences", lambda report: "\n".join(f"{row}: {problem}" for row, problem in report.differences)),
    )
