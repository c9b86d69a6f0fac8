"""In which zone the pages write times: the exchange's, or the viewer's own, which a cookie names."""

from collections.abc import Callable
from datetime import tzinfo
from zoneinfo import ZoneInfo, available_timezones

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from papertrade.lib.times import EXCHANGE_ZONE

COOKIE = "zone"
ZONES = available_timezones()


class ViewersZone:
    """Puts the viewer's zone in force while a page is made. API and admin keep to UTC."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with timezone.override(zone_of(request)):
            return self.get_response(request)

    def process_view(self, request: HttpRequest, *_: object) -> None:
        match = request.resolver_match
        if match is not None and match.app_name != "dashboard":
            timezone.deactivate()


def zone_of(request: HttpRequest) -> tzinfo:
    """The zone that the cookie names, else New York."""
    name = request.COOKIES.get(COOKIE, "")
    return ZoneInfo(name) if name in ZONES and name != EXCHANGE_ZONE.key else EXCHANGE_ZONE
