"""Watchlists: named lists of symbols that an account's owner keeps."""

from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import watchlists as lists
from accounts.models import Watchlist
from marketdata.instruments import InvalidSymbol, read_symbol
from papertrade.api.kit.parsing import read_object
from papertrade.api.kit.schema import call
from papertrade.api.kit.viewsets import AccountMixin, ListViewSet
from papertrade.api.paper import bodies
from papertrade.api.paper.serializers import WatchlistSerializer
from papertrade.trading import watchlists


class WatchlistViewSet(AccountMixin, ListViewSet):
    serializer_class = WatchlistSerializer
    lookup_url_kwarg = "watchlist_id"
    page_key = "id"

    def get_queryset(self) -> Any:
        return lists.of(account=self.account)

    def one(self, watchlist_id: str) -> Watchlist:
        return lists.get(account=self.account, watchlist_id=watchlist_id)

    @call("List watchlists", WatchlistSerializer, many=True)
    def list(self, request: Request, account_id: str) -> Response:
        return super().list(request)

    @call("Make a watchlist", WatchlistSerializer, status=201, body=bodies.WATCHLIST, codes=(409, 422))
    def create(self, request: Request, account_id: str) -> Response:
        given = read_object(request.data, "name", "symbols")
        return self.shown(watchlists.create(account=self.account, **given), status=201)

    @call("One watchlist", WatchlistSerializer)
    def retrieve(self, request: Request, account_id: str, watchlist_id: str) -> Response:
        return self.shown(self.one(watchlist_id))

    @call("Rename a watchlist, or replace its symbols", WatchlistSerializer, body=bodies.WATCHLIST, codes=(409, 422))
    def partial_update(self, request: Request, account_id: str, watchlist_id: str) -> Response:
        given = read_object(request.data, "name", "symbols")
        return self.shown(watchlists.change(self.one(watchlist_id), **given))

    @call("Delete a watchlist", None, status=204)
    def destroy(self, request: Request, account_id: str, watchlist_id: str) -> Response:
        lists.delete(self.one(watchlist_id))
        return Response(status=204)

    @call("Add a symbol to a watchlist", WatchlistSerializer, body=bodies.WATCHED, codes=(422,))
    @action(detail=True, methods=["post"], url_path="symbols", url_name="symbols")
    def add(self, request: Request, account_id: str, watchlist_id: str) -> Response:
        symbol = read_object(request.data, "symbol")["symbol"]
        return self.shown(watchlists.add(self.one(watchlist_id), symbol))

    @call("Remove a symbol from a watchlist", WatchlistSerializer)
    def remove(self, request: Request, account_id: str, watchlist_id: str, symbol: str) -> Response:
        try:
            gone = read_symbol(symbol).symbol
        except InvalidSymbol:
            gone = symbol  # then it is not on the list
        return self.shown(lists.remove(self.one(watchlist_id), gone))
