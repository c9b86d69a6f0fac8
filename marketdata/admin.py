"""The market in the admin: quotes kept as evidence, trading sessions, and the clock."""

from typing import Any

from django.contrib import admin

from marketdata.models import MarketClock, QuoteRecord, TradingSession
from papertrade.lib.admin import cells
from papertrade.lib.admin.filters import DateRangeFilter, SymbolFilter
from papertrade.lib.admin.history import HistoryAdmin, Links
from papertrade.lib.admin.paging import Keys

QUOTE_CELLS = (
    cells.money("bid"),
    cells.money("ask"),
    cells.quantity("bid_size"),
    cells.quantity("ask_size"),
    cells.when("quoted_at"),
    "feed",
)


@admin.register(QuoteRecord)
class QuoteAdmin(HistoryAdmin):
    """A quote that a decision used, named by its contents."""

    keys = Keys(newest=("symbol", "quoted_at", "pk"))
    date_field = "quoted_at"
    list_display = ("symbol", *QUOTE_CELLS, cells.wall("recorded_at"))
    list_filter = (SymbolFilter, DateRangeFilter)
    search_fields = ("id",)
    search_help_text = "A quote's id. Use the filter for symbols."
    page_fields = ("id", *list_display)

    def related(self, row: Any) -> Links:
        return [
            ("Fills on this quote", cells.list_of("orders_fill", symbol=row.symbol, quote=row.pk)),
            (
                "Ledger transactions on it",
                cells.list_of("portfolio_ledgertransaction", symbol=row.symbol, quote=row.pk),
            ),
            ("Order events that saw it", cells.list_of("portfolio_accountevent", symbol=row.symbol, quote=row.pk)),
            (f"All quotes of {row.symbol}", cells.list_of("marketdata_quoterecord", symbol=row.symbol)),
        ]


@admin.register(TradingSession)
class TradingSessionAdmin(HistoryAdmin):
    """Regular hours of a trading day, as the exchange publishes them."""

    date_field = "date"
    list_display = ("date", cells.when("open"), cells.when("close"))
    list_filter = (DateRangeFilter,)
    page_fields = list_display

    def related(self, row: Any) -> Links:
        return [("Sweeps", cells.list_of("orders_sweep", session_date=row.pk))]


@admin.register(MarketClock)
class MarketClockAdmin(HistoryAdmin):
    """Exchange time, and how far the market is."""

    list_display = (
        "market",
        "feed",
        cells.quantity("speed"),
        cells.when("through", label="done through"),
        cells.wall("heartbeat_at"),
    )
    page_fields = (
        *list_display,
        "through_book",
        cells.when("anchor_at"),
        cells.wall("anchor_wall"),
    )
