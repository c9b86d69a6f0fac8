"""Addresses under /v1/. Each ends in a slash, but for the two spellings that clients send."""

from django.urls import path

from papertrade.api import status
from papertrade.api.kit.schema import openapi
from papertrade.api.market import clock, hosted
from papertrade.api.paper import accounts, orders, portfolio

ACCOUNT = "paper/accounts/<str:account_id>/"

urlpatterns = [
    path("paper/accounts/", accounts.Accounts.as_view()),
    path(ACCOUNT, accounts.Account.as_view()),
    path(f"{ACCOUNT}reset/", accounts.Reset.as_view()),
    path(f"{ACCOUNT}account/", accounts.AccountSummary.as_view()),
    path(f"{ACCOUNT}generations/", accounts.Generations.as_view()),
    path(f"{ACCOUNT}orders/", orders.Orders.as_view()),
    path(f"{ACCOUNT}orders/preview/", orders.OnePreview.as_view()),
    path(f"{ACCOUNT}orders/<str:order_id>/", orders.OneOrder.as_view()),
    path(f"{ACCOUNT}orders/<str:order_id>/events/", orders.OrderEvents.as_view()),
    path(f"{ACCOUNT}orders:by_client_order_id", orders.ByClientOrderId.as_view()),
    path(f"{ACCOUNT}orders:by_client_order_id/", orders.ByClientOrderId.as_view(schema=None)),
    path(f"{ACCOUNT}fills/", orders.Fills.as_view()),
    path(f"{ACCOUNT}positions/", portfolio.Positions.as_view()),
    path(f"{ACCOUNT}positions/<str:symbol>/", portfolio.OnePosition.as_view()),
    path(f"{ACCOUNT}portfolio/history/", portfolio.History.as_view()),
    path(f"{ACCOUNT}ledger/", portfolio.Ledger.as_view()),
    path(f"{ACCOUNT}ledger/verify/", portfolio.LedgerVerification.as_view()),
    path(f"{ACCOUNT}events/", portfolio.Events.as_view()),
    path("market/clock/", clock.MarketClock.as_view()),
    path("market/clock/advance/", clock.Advance.as_view()),
    path("market/calendar/", clock.TradingCalendar.as_view()),
    path("market/quotes/", clock.Quotes.as_view()),
    path("stocks/quotes/<str:symbol>/last/", hosted.LastStockQuotes.as_view()),
    path("stocks/snapshot/<str:symbol>/", hosted.StockSnapshots.as_view()),
    path("options/chain/<str:symbol>/", hosted.Chain.as_view()),
    path("options/snapshot/<str:underlying>/<str:symbol>/", hosted.ContractSnapshots.as_view()),
    path("tickers/search/", hosted.Search.as_view()),
    path("tickers/expirations/<str:symbol>/", hosted.Expirations.as_view()),
    path("status/", status.Status.as_view()),
    path("openapi.json", openapi, name="openapi"),
]
