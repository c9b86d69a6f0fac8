"""Pages that keep themselves true: each says what state it shows, and is sent again only when that has changed.

A page's script asks for the page anew every few seconds, with the state it has as `If-None-Match`. The state is named in the
page and not in a header, so that the browser itself, which must see messages and another theme, never gets a 304.
"""

import hashlib
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render

from papertrade.dashboard.market_bar import MarketBar, market_bar


def respond(
    request: HttpRequest, template: str, context: dict[str, Any], *state: object, status: int = 200
) -> HttpResponse:
    """The page, or 304 where the asker has it. `state` is all that the page shows and that may change by itself."""
    bar = market_bar()
    version = hashlib.sha256(repr((bar_state(bar), request.GET.urlencode(), *state)).encode()).hexdigest()[:16]
    if request.headers.get("If-None-Match") == version:
        return HttpResponseNotModified()
    page = render(request, template, {**context, "version": version, "bar": bar}, status=status)
    page.headers.setdefault("Cache-Control", "no-cache")
    return page


def bar_state(bar: MarketBar | None) -> object:
    """What changes in the market bar. Of a clock that runs not the time: the page lets it run on."""
    if bar is None:
        return None
    return bar.market, bar.is_open, bar.changes_at, bar.speed, bar.now if bar.still else None
