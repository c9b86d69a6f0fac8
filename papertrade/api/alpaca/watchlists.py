"""Watchlists: named lists of symbols that the account keeps."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from accounts import watchlists
from accounts.models import Watchlist
from marketdata import listing
from marketdata.markets.current import current_market
from papertrade.api.alpaca import shapes
from papertrade.api.alpaca.errors import UNPROCESSABLE, AlpacaError, bad_input, not_found
from papertrade.api.alpaca.parameters import symbol_of
from papertrade.api.alpaca.views import AlpacaViewSet
from papertrade.lib.errors import NotFound


class WatchlistViewSet(AlpacaViewSet):
    """By id, or by the query parameter `name` on the addresses that end in `:by_name`."""

    def list(self, request: Request) -> Response:
        return Response([shapes.watchlist(row) for row in watchlists.of(account=self.account)])

    def create(self, request: Request) -> Response:
        given = _body(request, "name", "symbols")
        return self._shown(
            watchlists.create(account=self.account, name=given["name"], symbols=_symbols(given["symbols"]))
        )

    def retrieve(self, request: Request, watchlist_id: str = "") -> Response:
        return self._shown(self._one(watchlist_id))

    def update(self, request: Request, watchlist_id: str = "") -> Response:
        given = _body(request, "name", "symbols")
        symbols = None if given["symbols"] is None else _symbols(given["symbols"])
        return self._shown(watchlists.change(self._one(watchlist_id), name=given["name"], symbols=symbols))

    def add(self, request: Request, watchlist_id: str = "") -> Response:
        row, symbol = self._one(watchlist_id), _body(request, "symbol")["symbol"]
        return self._shown(watchlists.add(row, _symbols([symbol])))

    def remove(self, request: Request, watchlist_id: str, symbol: str) -> Response:
        return self._shown(watchlists.remove(self._one(watchlist_id), symbol_of(symbol)))

    def destroy(self, request: Request, watchlist_id: str = "") -> Response:
        watchlists.delete(self._one(watchlist_id))
        return Response(status=204)

    def _one(self, watchlist_id: str) -> Watchlist:
        named = {"watchlist_id": watchlist_id} if watchlist_id else {"name": self.query.text("name")}
        try:
            return watchlists.get(account=self.account, **named)
        except NotFound:
            raise not_found("watchlist not found") from None

    def _shown(self, row: Watchlist) -> Response:
        names = {stock.symbol: stock.name for stock in listing.stocks()}
        assets = {symbol: shapes.asset(symbol, names.get(symbol, "")) for symbol in row.symbols}
        return Response(shapes.watchlist(row, assets))


def _body(request: Request, *names: str) -> dict[str, Any]:
    if not isinstance(request.data, dict):
        raise bad_input("send a JSON object")
    return {name: request.data.get(name) for name in names}


def _symbols(given: Any) -> list[str]:
    """Symbols that this market has. Raises AlpacaError."""
    if not isinstance(given, (list, type(None))) or not all(isinstance(symbol, str) for symbol in given or []):
        raise bad_input("symbols must be a list of symbols")
    found = [symbol_of(symbol) for symbol in given or []]
    for symbol in found:
        if not current_market().exists(symbol):
            raise AlpacaError(422, UNPROCESSABLE, f'asset "{symbol}" not found')
    return found
