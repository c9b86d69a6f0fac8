"""Alpaca's addresses, as its clients write them: without a last slash, and never redirected."""

from django.urls import re_path

from papertrade.api.alpaca.account import AccountViewSet, ConfigurationViewSet
from papertrade.api.alpaca.activities import ActivityViewSet
from papertrade.api.alpaca.assets import AnnouncementViewSet, AssetViewSet, OptionContractViewSet
from papertrade.api.alpaca.clock import CalendarViewSet, ClockViewSet
from papertrade.api.alpaca.data.urls import urlpatterns as data_urls
from papertrade.api.alpaca.errors import endpoint_not_found
from papertrade.api.alpaca.history import PortfolioHistoryViewSet
from papertrade.api.alpaca.orders import OrderViewSet
from papertrade.api.alpaca.positions import PositionViewSet
from papertrade.api.alpaca.routes import at
from papertrade.api.alpaca.watchlists import WatchlistViewSet

app_name = "alpaca"


urlpatterns = [
    at("v2/account", AccountViewSet, get="retrieve"),
    at("v2/account/configurations", ConfigurationViewSet, get="retrieve", patch="partial_update"),
    at("v2/account/activities", ActivityViewSet, get="list"),
    at("v2/account/activities/<str:kind>", ActivityViewSet, get="list"),
    at("v2/account/portfolio/history", PortfolioHistoryViewSet, get="retrieve"),
    at("v2/assets", AssetViewSet, get="list"),
    at("v2/assets/<str:named>", AssetViewSet, get="retrieve"),
    at("v2/calendar", CalendarViewSet, get="list"),
    at("v2/clock", ClockViewSet, get="retrieve"),
    at("v2/corporate_actions/announcements", AnnouncementViewSet, get="list"),
    at("v2/corporate_actions/announcements/<str:announcement_id>", AnnouncementViewSet, get="retrieve"),
    at("v2/options/contracts", OptionContractViewSet, get="list"),
    at("v2/options/contracts/<str:named>", OptionContractViewSet, get="retrieve"),
    at("v2/orders", OrderViewSet, get="list", post="create", delete="destroy_all"),
    at("v2/orders:by_client_order_id", OrderViewSet, get="by_client_order_id"),
    at("v2/orders/<str:order_id>", OrderViewSet, get="retrieve", patch="partial_update", delete="destroy"),
    at("v2/positions", PositionViewSet, get="list", delete="destroy_all"),
    at("v2/positions/<str:symbol>", PositionViewSet, get="retrieve", delete="destroy"),
    at("v2/positions/<str:symbol>/exercise", PositionViewSet, post="exercise"),
    at("v2/positions/<str:symbol>/do-not-exercise", PositionViewSet, post="exercise"),
    at("v2/watchlists", WatchlistViewSet, get="list", post="create"),
    at("v2/watchlists:by_name", WatchlistViewSet, get="retrieve", put="update", post="add", delete="destroy"),
    at(
        "v2/watchlists/<str:watchlist_id>",
        WatchlistViewSet,
        get="retrieve",
        put="update",
        post="add",
        delete="destroy",
    ),
    at("v2/watchlists/<str:watchlist_id>/<str:symbol>", WatchlistViewSet, delete="remove"),
    *data_urls,
    re_path(r"^v2(?:/.*)?$", endpoint_not_found),
    re_path(r"^v1beta\d(?:/.*)?$", endpoint_not_found),
]
