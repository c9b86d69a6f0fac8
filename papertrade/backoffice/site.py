"""The admin site: its name, the order of its lists, and what stands above every page (exchange time, warnings)."""

from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.urls import path

from marketdata import clock
from papertrade.backoffice.as_them import as_them
from papertrade.backoffice.home import home
from papertrade.backoffice.live import live_page
from papertrade.dashboard.forms import StaffSignInForm
from papertrade.lib.admin.cells import NOTHING, exchange_time
from papertrade.operations import health

# In the order in which an auditor follows them; an app's other models come after these, by name.
APPS = ["accounts", "orders", "portfolio", "marketdata"]
MODELS = [
    "User", "PaperAccount", "Generation", "ApiKey", "Order", "Fill", "Sweep", "AccountEvent", "Position",
    "LedgerTransaction", "EquitySnapshot", "Audit", "AuditReport", "QuoteRecord", "TradingSession", "MarketClock",
]  # fmt: skip


class Site(AdminSite):
    site_header = "papertrade operations"
    site_title = "papertrade"
    index_title = "Operations"
    index_template = "admin/home.html"
    login_form = StaffSignInForm
    empty_value_display = NOTHING
    enable_nav_sidebar = False  # its room belongs to the columns

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        context = super().each_context(request)
        if self.has_permission(request):
            context["exchange_time"] = _exchange_time()
            context["warnings"] = health.warnings()
            context["is_live"] = settings.PAPERTRADE_MARKET == clock.LIVE
        return context

    def get_urls(self) -> list[Any]:
        own = [
            path("live/", self.admin_view(live_page), name="live"),
            path("search/", self.admin_view(search_page), name="search"),
            path("as/<int:user_id>/", self.admin_view(as_them), name="as_them"),
            path("as/<int:user_id>/<path:path>", self.admin_view(as_them)),
        ]
        return [*own, *super().get_urls()]

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().index(request, {**home(request), **(extra_context or {})})

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=lambda model: (_place(MODELS, model["object_name"]), model["name"]))
        return sorted(apps, key=lambda app: (_place(APPS, app["app_label"]), app["name"]))


def search_page(request: HttpRequest) -> HttpResponse:
    """One field for any id."""
    from papertrade.backoffice.search import search  # it knows the admins, which are made on this site

    return search(request)


def _place(names: list[str], name: str) -> int:
    return names.index(name) if name in names else len(names)


def _exchange_time() -> str:
    """Exchange time; empty before the market's first start."""
    try:
        return exchange_time(clock.read().now.replace(microsecond=0))
    except clock.ClockNotStarted:
        return ""
