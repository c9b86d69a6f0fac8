"""Addresses of market data, of many symbols and of one."""

from papertrade.api.alpaca.data.latest import (
    LatestViewSet,
    OptionLatestViewSet,
    OptionSnapshotViewSet,
    SnapshotViewSet,
)
from papertrade.api.alpaca.data.other import CorporateActionViewSet, MetaViewSet, NewsViewSet, ScreenerViewSet
from papertrade.api.alpaca.data.series import OptionSeriesViewSet, SeriesViewSet
from papertrade.api.alpaca.routes import at

STOCKS, OPTIONS = "v2/stocks", "v1beta1/options"

urlpatterns = [
    *(at(f"{STOCKS}/{kind}", SeriesViewSet, get=kind) for kind in ("bars", "quotes", "trades")),
    *(at(f"{STOCKS}/{kind}/latest", LatestViewSet, get=kind) for kind in ("bars", "quotes", "trades")),
    at(f"{STOCKS}/snapshots", SnapshotViewSet, get="list"),
    at(f"{STOCKS}/meta/exchanges", MetaViewSet, get="exchanges"),
    at(f"{STOCKS}/meta/conditions/<str:kind>", MetaViewSet, get="conditions"),
    at(f"{STOCKS}/<str:symbol>/snapshot", SnapshotViewSet, get="retrieve"),
    *(at(f"{STOCKS}/<str:symbol>/{kind}", SeriesViewSet, get=kind) for kind in ("bars", "quotes", "trades")),
    *(at(f"{STOCKS}/<str:symbol>/{kind}/latest", LatestViewSet, get=kind) for kind in ("bars", "quotes", "trades")),
    *(at(f"{OPTIONS}/{kind}", OptionSeriesViewSet, get=kind) for kind in ("bars", "trades", "quotes")),
    *(at(f"{OPTIONS}/{kind}/latest", OptionLatestViewSet, get=kind) for kind in ("quotes", "trades")),
    at(f"{OPTIONS}/snapshots", OptionSnapshotViewSet, get="list"),
    at(f"{OPTIONS}/snapshots/<str:underlying>", OptionSnapshotViewSet, get="chain"),
    at(f"{OPTIONS}/meta/exchanges", MetaViewSet, get="exchanges"),
    at(f"{OPTIONS}/meta/conditions/<str:kind>", MetaViewSet, get="conditions"),
    at("v1beta1/screener/stocks/most-actives", ScreenerViewSet, get="most_actives"),
    at("v1beta1/screener/stocks/movers", ScreenerViewSet, get="movers"),
    at("v1beta1/news", NewsViewSet, get="list"),
    *(at(f"{version}/corporate-actions", CorporateActionViewSet, get="list") for version in ("v1", "v1beta1")),
]
