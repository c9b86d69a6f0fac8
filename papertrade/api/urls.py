"""Addresses under /v1/, each with a name. All end in a slash, but for the one that clients send without."""

from django.urls import path

from papertrade.api.index import index
from papertrade.api.kit.routers import Router
from papertrade.api.kit.schema import openapi
from papertrade.api.market.clock import CalendarViewSet, ClockViewSet
from papertrade.api.market.hosted.urls import urlpatterns as hosted
from papertrade.api.market.quotes import QuoteViewSet
from papertrade.api.paper.accounts import AccountViewSet, GenerationViewSet
from papertrade.api.paper.fills import FillViewSet
from papertrade.api.paper.orders import OrderViewSet
from papertrade.api.paper.portfolio import EventViewSet, HistoryViewSet, LedgerViewSet
from papertrade.api.paper.positions import PositionViewSet
from papertrade.api.paper.reports import CompareViewSet, ExecutionViewSet, PerformanceViewSet, TradeViewSet
from papertrade.api.paper.watchlists import WatchlistViewSet
from papertrade.api.status import StatusViewSet

app_name = "api"
ACCOUNTS = "paper/accounts"
ACCOUNT = f"{ACCOUNTS}/<str:account_id>"

router = Router()
router.register(ACCOUNTS, AccountViewSet, "account")
router.register(f"{ACCOUNT}/generations", GenerationViewSet, "generation")
router.register(f"{ACCOUNT}/orders", OrderViewSet, "order")
router.register(f"{ACCOUNT}/fills", FillViewSet, "fill")
router.register(f"{ACCOUNT}/positions", PositionViewSet, "position")
router.register(f"{ACCOUNT}/portfolio/history", HistoryViewSet, "history")
router.register(f"{ACCOUNT}/ledger", LedgerViewSet, "ledger")
router.register(f"{ACCOUNT}/events", EventViewSet, "event")
router.register(f"{ACCOUNT}/performance", PerformanceViewSet, "performance")
router.register(f"{ACCOUNT}/execution", ExecutionViewSet, "execution")
router.register(f"{ACCOUNT}/trades", TradeViewSet, "trade")
router.register(f"{ACCOUNT}/watchlists", WatchlistViewSet, "watchlist")
router.register("paper/compare", CompareViewSet, "compare")
router.register("market/clock", ClockViewSet, "clock")
router.register("market/calendar", CalendarViewSet, "session")
router.register("market/quotes", QuoteViewSet, "quote")
router.register("status", StatusViewSet, "status")

by_client_order_id = OrderViewSet.as_view({"get": "by_client_order_id"})
also_with_a_slash = OrderViewSet.as_view({"get": "by_client_order_id"}, schema=None)

urlpatterns = [
    path("", index, name="index"),
    *router.urls,
    path(f"{ACCOUNT}/orders:by_client_order_id", by_client_order_id, name="order-by-client-order-id"),
    path(f"{ACCOUNT}/orders:by_client_order_id/", also_with_a_slash),
    path(
        f"{ACCOUNT}/watchlists/<str:watchlist_id>/symbols/<str:symbol>/",
        WatchlistViewSet.as_view({"delete": "remove"}),
        name="watchlist-symbol",
    ),
    *hosted,
    path("openapi.json", openapi, name="openapi"),
]
