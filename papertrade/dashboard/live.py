"""Pages that keep themselves true: each says what state it shows, and is sent again only when that has changed.

A page's script asks for the page anew every few seconds, with the state it has as `If-None-Match`. The state is named in the
page and not in a header, so that the browser itself, which must see messages and another theme, never gets a 304.

The state is made of all that the template is given, so that nothing can be shown and forgotten. What moves faster than the
page says it, such as a mark that is taken anew every second or a duration that runs, has a `state_of` of its own, here or
beside the view that shows it; a type that nobody has thought of is an error.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import astuple, fields, is_dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import singledispatch
from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from django.shortcuts import render

from marketdata.quotes import Quote
from papertrade.dashboard.market_bar import MarketBar, market_bar
from portfolio.selectors import PositionView

# Made anew for each request, and no part of what a page shows.
PER_REQUEST = frozenset({"client_order_id"})


def respond(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """The page, or 304 where the asker has it."""
    bar = market_bar()
    shown = {name: value for name, value in context.items() if name not in PER_REQUEST}
    state = state_of(bar), request.GET.urlencode(), state_of(shown)
    version = hashlib.sha256(repr(state).encode()).hexdigest()[:16]
    if request.headers.get("If-None-Match") == version:
        return HttpResponseNotModified()
    page = render(request, template, {**context, "version": version, "bar": bar})
    page.headers.setdefault("Cache-Control", "no-cache")
    return page


@singledispatch
def state_of(value: Any) -> object:
    """What of a value changes when what is shown of it changes: the same in every process."""
    if is_dataclass(value) and not isinstance(value, type):
        return [(field.name, state_of(getattr(value, field.name))) for field in fields(value)]
    raise TypeError(
        f"A page shows a {type(value).__qualname__}, and papertrade.dashboard.live does not know its state."
    )


for plain in (type(None), bool, int, float, str, Decimal, date, timedelta, UUID):
    state_of.register(plain, lambda value: value)


@state_of.register
def _(value: Model) -> object:
    return [(name, state_of(part)) for name, part in vars(value).items() if not name.startswith("_")]


@state_of.register
def _(value: Mapping) -> object:  # type: ignore[type-arg]
    return [(str(key), state_of(part)) for key, part in value.items()]


@state_of.register(list)
@state_of.register(tuple)
@state_of.register(QuerySet)
def _(value: Iterable[Any]) -> object:
    return [state_of(part) for part in value]


@state_of.register(set)
@state_of.register(frozenset)
def _(value: Iterable[Any]) -> object:
    return sorted(map(repr, value))


@state_of.register
def _(quote: Quote) -> object:
    return quote.id


@state_of.register
def _(position: PositionView) -> object:
    return astuple(replace(position, marked_at=position.marked_at.replace(second=0, microsecond=0)))


@state_of.register
def _(bar: MarketBar) -> object:
    """Of a clock that runs not the time: the page lets it run on."""
    return bar.market, bar.warning, bar.is_open, bar.changes_at, bar.speed, bar.trouble, bar.now if bar.still else None
