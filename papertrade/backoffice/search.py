"""One field for any id: of an order, a client order, an account, a key, a request, a ledger transaction, a fill.

Each look-up uses an index, and finds only rows that the asker may read. What is typed is posted; a whole key is cut to its
prefix before it appears in an address.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import urlencode

from accounts.models import ApiKey, Generation, PaperAccount, User
from accounts.services import PREFIX_LENGTH, TOKEN_MARK
from marketdata.models import QuoteRecord
from orders.models import Fill, Order, Sweep
from papertrade.lib.admin import cells
from portfolio.models import REQUESTED_EVENTS, AccountEvent, LedgerTransaction, Position

MOST = 20  # of a kind
LONGEST = 200
MAX_DIGITS = 18

BY_UUID: tuple[type[Model], ...] = (
    Order, PaperAccount, Fill, LedgerTransaction, QuoteRecord, Generation, ApiKey, Position,
)  # fmt: skip
BY_NUMBER: tuple[type[Model], ...] = (AccountEvent, Sweep)


def search(request: HttpRequest) -> HttpResponse:
    """Go to the only row that has this id, or list those that have."""
    text = (request.POST or request.GET).get("q", "").replace("\x00", "").strip()[:LONGEST]
    if request.method == "POST" or is_a_key(text):
        shown = text[: len(TOKEN_MARK) + PREFIX_LENGTH] if is_a_key(text) else text
        return HttpResponseRedirect(f"{reverse('admin:search')}?{urlencode({'q': shown})}")
    found = list(find(request, text)) if text else []
    if len(found) == 1:
        return redirect(cells.page_of(type(found[0]), found[0].pk))
    context = {
        **admin.site.each_context(request),
        "title": "Search",
        "text": text,
        "found": [(row._meta.verbose_name, cells.page_link(row), _whose(row)) for row in found],
    }
    return TemplateResponse(request, "admin/search.html", context)


def _whose(row: Any) -> Any:
    """The account that a row belongs to."""
    account = getattr(row, "account", None)
    return cells.page_link(account) if isinstance(account, PaperAccount) else cells.NOTHING


def is_a_key(text: str) -> bool:
    """Whether the text is a key with its secret, or with part of it."""
    return text.startswith(TOKEN_MARK) and len(text) > len(TOKEN_MARK) + 2 * PREFIX_LENGTH


def find(request: HttpRequest, text: str) -> Iterator[Any]:
    """The rows that have this id, of all kinds that the asker may read."""
    for rows in _look_ups(text):
        if admin.site._registry[rows.model].has_view_permission(request):
            yield from rows[:MOST]


def _look_ups(text: str) -> Iterator[QuerySet[Any]]:
    try:
        identity = UUID(text)
    except ValueError:
        identity = None
    if identity is not None:
        for model in BY_UUID:
            yield model._default_manager.filter(pk=identity)
    if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS:
        for model in BY_NUMBER:
            yield model._default_manager.filter(pk=int(text))
    if (
        identity is None or not Order.objects.filter(pk=identity).exists()
    ):  # where a client chose none, it is the order's own
        yield Order.objects.filter(client_order_id=text).select_related("account").order_by("-pk")
    yield ApiKey.objects.filter(prefix=text.removeprefix(TOKEN_MARK))
    yield of_request(text)
    yield User.objects.filter(username=text)


def of_request(request_id: str) -> QuerySet[AccountEvent]:
    """What a request did to orders and accounts, by the index that is made for it."""
    rows = AccountEvent.objects.filter(request_id=request_id, type__in=REQUESTED_EVENTS)
    return rows.exclude(request_id="").select_related("account").order_by("pk")
