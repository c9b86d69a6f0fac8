"""Orders in the admin, with their fills and the sweeps that decided them."""

from typing import Any

from django.contrib import admin
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe

from accounts.filters import TagFilter
from marketdata.clock import wall_now
from marketdata.filters import QuoteFilter
from orders.models import Fill, Order, Sweep, SweepChunk
from orders.services import cancel
from papertrade.lib.admin import cells
from papertrade.lib.admin.actions import with_reason
from papertrade.lib.admin.filters import DateRangeFilter, SymbolFilter, presence
from papertrade.lib.admin.history import HistoryAdmin, HistoryInline, Links
from papertrade.lib.admin.paging import Keys
from portfolio.admin import BOOK, book_cells, book_links, quote_cells, quote_links
from portfolio.filters import BookFilter
from portfolio.models import LedgerTransaction

MOST_QUOTES = 20  # on an order's page; its list of fills has all
QUOTE_COLUMNS = ("quote__bid", "quote__ask", "quote__bid_size", "quote__ask_size", "quote__quoted_at", "quote__feed")


def _reason(order: Order) -> str:
    return order.reason or cells.NOTHING


def _limit(order: Order) -> Any:
    price = order.limit_price
    return "market" if price is None else cells.figure(price, cells.MIN_MONEY_DECIMALS)


def _spread(fill: Fill) -> str:
    quote = fill.quote
    return cells.NOTHING if quote.bid is None or quote.ask is None else cells.fixed(quote.ask - quote.bid, 2)


def _filled_on(order: Order) -> Any:
    """The quotes of its fills, first to last; the one that it was sent on may be another."""
    fills = order.fills.select_related("quote").order_by("seq")
    found = list(fills[: MOST_QUOTES + 1])
    if not found:
        return cells.NOTHING
    more = " ..." if len(found) > MOST_QUOTES else ""
    links = [(cells.page_link(fill.quote), cells.exchange_time(fill.quote.quoted_at)) for fill in found[:MOST_QUOTES]]
    return format_html("{}{}", format_html_join(mark_safe("<br>"), "{} at {}", links), more)


@admin.register(Order)
class OrderAdmin(HistoryAdmin):
    """Every order of every account and generation."""

    keys = Keys(in_scope=("book_id", "number"), by_time=("submitted_at", "pk"))
    date_field = "submitted_at"
    list_display = (
        cells.cell("number", lambda row: f"#{row.number}", label="order"),
        *book_cells(),
        "side",
        cells.quantity("qty"),
        "symbol",
        cells.cell("limit", _limit),
        "status",
        cells.quantity("filled_qty", label="filled"),
        cells.money("average_fill_price", label="average"),
        cells.cell("reason", _reason),
        cells.when("submitted_at"),
    )
    list_select_related = (BOOK,)
    list_filter = (BookFilter, SymbolFilter, "status", TagFilter, DateRangeFilter, "side", "asset_class")
    search_fields = ("id", "client_order_id")
    search_help_text = "An order's id or its client_order_id, whole. Use the filters for accounts and symbols."
    page_fields = (
        "id", cells.code("client_order_id"), *list_display, cells.text("note"), cells.of("tags", ", ".join),
        "type", "time_in_force", "asset_class", "position_intent", "extended_hours",
        cells.money("held_cash"), cells.quantity("held_qty"), cells.money("booked", label="booked cost"),
        cells.text("no_fill_reason"), cells.when("no_fill_at"), "session_date", cells.when("expires_at"), "evaluated_on",
        cells.when("accepted_at"), cells.when("filled_at"), cells.when("canceled_at"), cells.when("expired_at"),
        cells.when("rejected_at"), cells.when("updated_at"), cells.wall("recorded_at"), cells.cell("filled_on", _filled_on),
        *quote_cells("sent on"),
    )  # fmt: skip
    export_extra = ("book__generation_number", *QUOTE_COLUMNS)
    actions = ("cancel",)

    @admin.action(description="Cancel", permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: QuerySet[Order]) -> HttpResponse | None:
        rows = queryset.select_related("account").order_by("book_id", "number")
        return with_reason(
            self,
            request,
            rows,
            title="Cancel orders",
            done="canceled",
            do=lambda order, reason: cancel(account=order.account, order_id=order.pk, note=reason),
        )

    def offers(self, action: str, row: Order) -> bool:
        return row.is_open

    def related(self, row: Order) -> Links:
        return [
            *book_links(row.book),
            ("Events", cells.list_of("portfolio_accountevent", order_id=row.pk)),
            ("Fills", cells.list_of("orders_fill", order=row.pk)),
            *quote_links(row, "Quote it was sent on"),
        ]


@admin.register(Fill)
class FillAdmin(HistoryAdmin):
    """Every execution, with the quote that it was made on."""

    keys = Keys(in_scope=("book_id", "seq"), by_symbol=("created_at", "pk"), by_time=("created_at", "pk"))
    date_field = "created_at"
    list_display = (
        cells.cell("seq", lambda row: f"#{row.seq}", label="fill"),
        *book_cells(),
        "side",
        cells.quantity("qty"),
        "symbol",
        cells.money("price"),
        cells.money("gross_amount"),
        cells.money("realized_pl", label="realized P/L"),
        *quote_cells()[1:3],
        cells.age("created_at", label="quote age"),
        cells.when("created_at", label="filled at"),
    )
    list_select_related = (BOOK, "quote")
    list_filter = (BookFilter, SymbolFilter, "side", "asset_class", DateRangeFilter, QuoteFilter)
    search_fields = ("id", "order")
    search_help_text = (
        "A fill's or an order's id. Use the filters for accounts and symbols. "
        "Options that settled are ledger transactions of kind settlement."
    )
    page_fields = (
        "id",
        cells.cell("seq", lambda row: f"#{row.seq}", label="event"),
        *list_display[1:9],
        *quote_cells(),
        cells.of("quote.bid_size", lambda size: cells.figure(size, 0), label="bid size"),
        cells.of("quote.ask_size", lambda size: cells.figure(size, 0), label="ask size"),
        cells.text("quote.feed", label="feed"),
        cells.age("created_at", label="quote age"),
        cells.cell("spread", _spread),
        cells.when("price_since", label="price stood since"),
        cells.when("created_at", label="filled at"),
        cells.wall("recorded_at"),
        cells.link("order"),
        cells.link("ledger_transaction"),
    )
    export_extra = ("book__generation_number", *QUOTE_COLUMNS)

    def related(self, row: Fill) -> Links:
        links = [*book_links(row.book), ("Order", cells.page_of(Order, row.order_id)), *quote_links(row)]
        if row.ledger_transaction_id:
            links.append(("Ledger transaction", cells.page_of(LedgerTransaction, row.ledger_transaction_id)))
        return links


def _took(sweep: Sweep) -> str:
    """How long it took, or how long it has been going on."""
    return cells.seconds((sweep.finished_at or wall_now()) - sweep.created_at)


def _workers(sweep: Sweep) -> str:
    names = sweep.chunks.exclude(worker="").order_by("worker").values_list("worker", flat=True).distinct()
    return ", ".join(names) or cells.NOTHING


class ChunkInline(HistoryInline):
    """Who did which part of a sweep."""

    model = SweepChunk
    readonly_fields = (
        "number",
        cells.code("first_book_id"),
        cells.code("last_book_id"),
        "orders",
        "worker",
        cells.wall("done_at"),
    )
    verbose_name_plural = "chunks"


@admin.register(Sweep)
class SweepAdmin(HistoryAdmin):
    """The sweeps over the books at open and close: how far each is, since when, and who works on it."""

    date_field = "session_date"
    list_display = (
        "kind",
        "session_date",
        "round",
        cells.when("at"),
        cells.cell(
            "progress", lambda sweep: f"{sweep.orders_done:,} of {sweep.orders:,}", label="done, orders and positions"
        ),
        cells.cell("chunks", lambda sweep: f"{sweep.chunks_done:,} of {sweep.chunk_count:,}"),
        cells.wall("created_at", label="since"),
        cells.cell("took", _took),
    )
    list_filter = (
        "kind",
        presence("finished_at", title="state", present="finished", absent="going on"),
        DateRangeFilter,
    )
    page_fields = (
        *list_display,
        cells.wall("finished_at"),
        cells.cell("workers", _workers),
        cells.cell("symbols", lambda sweep: f"{len(sweep.quotes):,}", label="quotes pinned"),
    )
    inlines = (ChunkInline,)
    export_without = ("quotes",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Sweep]:
        done = Q(chunks__done_at__isnull=False)
        return (
            super()
            .get_queryset(request)
            .defer("quotes")
            .annotate(
                orders=Coalesce(Sum("chunks__orders"), 0),
                orders_done=Coalesce(Sum("chunks__orders", filter=done), 0),
                chunk_count=Count("chunks"),
                chunks_done=Count("chunks", filter=done),
            )
        )
