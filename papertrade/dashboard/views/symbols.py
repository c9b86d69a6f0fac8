"""One symbol: its quote and price, and what the user's accounts hold and want of it."""

from dataclasses import dataclass
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.models import PaperAccount
from accounts.selectors import accounts_of
from marketdata import clock, listing
from marketdata.instruments import is_symbol, parse_symbol
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from orders.models import Order
from orders.states import OPEN
from papertrade.dashboard.live import respond
from papertrade.lib.errors import Unavailable
from papertrade.reports.symbol_chart import symbol_chart
from portfolio.models import Book
from portfolio.selectors import PositionView, books_of, positions


@dataclass(frozen=True, slots=True)
class Holding:
    """What one account holds of the symbol."""

    account: PaperAccount
    position: PositionView


def _of_user(request: HttpRequest) -> tuple[list[PaperAccount], dict[Any, Book]]:
    accounts = list(accounts_of(user=request.user))
    return accounts, books_of(accounts=accounts)


def _working(books: dict[Any, Book], symbol: str) -> list[Order]:
    found = Order.objects.filter(book__in=list(books.values()), symbol=symbol, status__in=OPEN)
    return list(found.select_related("account", "book__generation").order_by("book", "-number"))


@login_required
@require_GET
def symbol(request: HttpRequest, name: str) -> HttpResponse:
    """Quote, chart, and the positions and open orders of all accounts in it."""
    if not is_symbol(name):
        raise Http404("That cannot be a symbol.")
    accounts, books = _of_user(request)
    quote = _quote(name)
    held = [
        Holding(account, position)
        for account in accounts
        for position in positions(book=books[account.pk])
        if position.symbol == name
    ]
    working = _working(books, name)
    company = listing.name_of(parse_symbol(name).underlying)
    context = {
        "name": name,
        "company": company,
        "quote": quote,
        "held": held,
        "working": working,
        "accounts": accounts,
    }
    return respond(request, "dashboard/symbol.html", context)


def _quote(name: str) -> Quote | None:
    try:
        return current_market().latest([name], at=clock.read().now).get(name)
    except Unavailable:
        return None


@login_required
@require_GET
def chart(request: HttpRequest, name: str) -> JsonResponse:
    """The symbol's chart, for the page's script."""
    if not is_symbol(name):
        raise Http404("That cannot be a symbol.")
    _, books = _of_user(request)
    found = symbol_chart(name, books.values(), _working(books, name), zone=timezone.get_current_timezone())
    if found is None:
        return JsonResponse({"figures": {}, "notes": [f"The market has no past prices of {name}."]})
    return JsonResponse({"figures": {"price": found.figure}, "notes": [f"Mid prices, {found.grade}."]})
