"""The operators' page of a live market: the provider's lines, what they serve, what is left out, and what to do."""

from django.conf import settings
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from marketdata import clock, feed_state
from papertrade.dashboard.words import GRADE


def live_page(request: HttpRequest) -> HttpResponse:
    """The page about the live market's provider."""
    if settings.PAPERTRADE_MARKET != clock.LIVE:
        raise Http404("This market is not live.")
    status = feed_state.in_force()
    lines = [] if status is None else [(line, GRADE.get(line.grade, "")) for line in status.lines]
    context = {
        **admin.site.each_context(request),
        "title": "Live market",
        "status": status,
        "lines": lines,
        "delay": settings.PAPERTRADE_DELAY_SECONDS,
    }
    return TemplateResponse(request, "admin/live.html", context)
