"""Addresses of the hosted product's market data. `product` is stocks or options: both answer these calls alike."""

from django.urls import URLPattern, path
from rest_framework.viewsets import ViewSetMixin

from papertrade.api.market.hosted.indicators import IndicatorViewSet
from papertrade.api.market.hosted.latest import ChainViewSet, LastViewSet, StockSnapshotViewSet
from papertrade.api.market.hosted.reference import ContractViewSet, StockTickerViewSet, TickerViewSet
from papertrade.api.market.hosted.series import BarViewSet, DayBarViewSet, OpenCloseViewSet, TickViewSet


def at(address: str, view: type[ViewSetMixin], action: str, name: str) -> URLPattern:
    """What is read at an address."""
    return path(address, view.as_view({"get": action}), name=name)


SYMBOL, DAY = "<str:symbol>", "<str:day>"
BARS = f"{SYMBOL}/<str:multiplier>/<str:timespan>/<str:from_date>/<str:to_date>"

urlpatterns = [
    at("tickers/search/", TickerViewSet, "search", "ticker-search"),
    at(f"tickers/expirations/{SYMBOL}/", TickerViewSet, "expirations", "ticker-expirations"),
    at("stocks/tickers/", StockTickerViewSet, "every", "stock-tickers"),
    at("stocks/tickers/types/", StockTickerViewSet, "types", "stock-types"),
    at(f"stocks/tickers/{SYMBOL}/", StockTickerViewSet, "one", "stock-ticker"),
    at(f"stocks/tickers/{SYMBOL}/related/", StockTickerViewSet, "related", "stock-related"),
    at("stocks/snapshot/", StockSnapshotViewSet, "every", "stock-snapshots"),
    at(f"stocks/snapshot/{SYMBOL}/", StockSnapshotViewSet, "one", "stock-snapshot"),
    at("stocks/snapshot/movers/<str:direction>/", StockSnapshotViewSet, "movers", "stock-movers"),
    at(f"stocks/aggs/grouped/{DAY}/", DayBarViewSet, "grouped", "stock-grouped"),
    at(f"options/chain/{SYMBOL}/", ChainViewSet, "chain", "option-chain"),
    at(f"options/snapshot/<str:underlying>/{SYMBOL}/", ChainViewSet, "snapshot", "option-snapshot"),
    at("options/contracts/", ContractViewSet, "every", "option-contracts"),
    at(f"options/contracts/{SYMBOL}/", ContractViewSet, "one", "option-contract"),
    at(f"<str:product>/trades/{SYMBOL}/", TickViewSet, "trades", "trades"),
    at(f"<str:product>/trades/{SYMBOL}/last/", LastViewSet, "trade", "last-trade"),
    at(f"<str:product>/quotes/{SYMBOL}/", TickViewSet, "quotes", "quotes"),
    at(f"<str:product>/quotes/{SYMBOL}/last/", LastViewSet, "quote", "last-quote"),
    at(f"<str:product>/aggs/{SYMBOL}/prev/", DayBarViewSet, "previous", "previous-bar"),
    at(f"<str:product>/aggs/{BARS}/", BarViewSet, "between", "bars"),
    at(f"<str:product>/open-close/{SYMBOL}/{DAY}/", OpenCloseViewSet, "show", "open-close"),
    at(f"<str:product>/indicators/macd/{SYMBOL}/", IndicatorViewSet, "convergence", "macd"),
    at(f"<str:product>/indicators/<str:kind>/{SYMBOL}/", IndicatorViewSet, "of_one_window", "indicator"),
]
