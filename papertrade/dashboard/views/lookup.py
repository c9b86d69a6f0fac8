"""What the order ticket looks up: stocks by ticker or name, and the option chain of one. JSON for the page's own scripts."""

from datetime import date

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_GET

from marketdata import clock, listing
from marketdata.instruments import is_symbol
from marketdata.markets.current import current_market
from papertrade.dashboard.chain import chain_rows
from papertrade.lib.errors import Unavailable

SEARCH_RESULTS = 8


@login_required
@require_GET
def symbols(request: HttpRequest) -> HttpResponse:
    """`?q=app`: the stocks it may mean, and which of them, or which other ticker, stands where no choice is made."""
    text = request.GET.get("q", "").strip()
    try:
        found = listing.search(text) if text else []
        meant = listing.meant_by(text, found)
    except Unavailable as busy:
        return JsonResponse({"message": busy.message}, status=503)
    shown = [{"symbol": stock.symbol, "name": stock.name} for stock in found[:SEARCH_RESULTS]]
    if meant and all(stock.symbol != meant for stock in found):
        shown = [*shown[: SEARCH_RESULTS - 1], {"symbol": meant, "name": ""}]
    return JsonResponse({"results": shown, "meant": meant})


@login_required
@require_GET
def chain(request: HttpRequest, underlying: str) -> HttpResponse:
    """`?expiry=2026-06-19`: the expiries, and the strikes of one around the stock's price with their quotes."""
    at = clock.read().now
    try:
        expiries = listing.expirations(underlying, at=at) if is_symbol(underlying) else []
        quote = current_market().latest([underlying], at=at).get(underlying) if expiries else None
        expiry, spot = _asked(request.GET.get("expiry", ""), expiries), listing.spot_of(quote)
        rows = chain_rows(expiry, stock=quote, at=at) if expiry and quote else []
    except Unavailable as busy:
        return JsonResponse({"message": busy.message}, status=503)
    return JsonResponse(
        {
            "expiries": [day.isoformat() for day in expiries],
            "expiry": expiry.isoformat() if expiry else None,
            "spot": None if spot is None else str(spot),
            "rows": rows,
        }
    )


def _asked(text: str, expiries: list[date]) -> date | None:
    return next((day for day in expiries if day.isoformat() == text), expiries[0] if expiries else None)
