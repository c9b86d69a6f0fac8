"""`/llms.txt`: all that an agent needs to trade here, as it is on this server and at this moment."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import Error
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from marketdata import clock
from marketdata.listing import example_contract
from marketdata.sessions import calendar
from orders.reasons import TABLES
from papertrade.api.codes import STATUSES
from papertrade.api.kit.fields import instant
from papertrade.lib.errors import PapertradeError

TEXT = "text/plain; charset=utf-8"
MARKETS = {
    "simulated": "Every price is invented; nothing here is a real quote.",
    "recorded": "Prices of the past are replayed.",
    "live": "Prices are a provider's; orders go nowhere and move no money.",
}


@require_safe
def llms(request: HttpRequest) -> HttpResponse:
    """The page. It needs no key, and tells nothing about any account."""
    context = {
        "base_url": request.build_absolute_uri("/v1"),
        "statuses": STATUSES.items(),
        "reasons": [(place.replace("`", ""), codes.items()) for place, codes in TABLES],
        **_market(),
    }
    return render(request, "llms.txt", context, content_type=TEXT)


def _market() -> dict[str, Any]:
    """Which market this is, and how it is; without its time where it has not been started, or the database is away."""
    market = {"market": settings.PAPERTRADE_MARKET, "market_words": MARKETS[settings.PAPERTRADE_MARKET]}
    try:
        reading = clock.read()
        session = calendar().session_at(reading.now)
    except (clock.ClockNotStarted, Error):
        return market
    changes_at = session.close if session else calendar().next_open(reading.now).open
    return {
        **market,
        "now": instant(reading.now),
        "is_open": session is not None,
        "changes_at": instant(changes_at),
        "speed": f"{reading.speed.normalize():f}",
        "contract": _contract(reading.now),
    }


def _contract(at: datetime) -> str | None:
    try:
        return example_contract(at=at)
    except (PapertradeError, Error):  # the quote book is away, or the database: the page is still worth reading
        return None
