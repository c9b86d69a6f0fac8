"""What the calls of the hosted product's market data share: its envelope, its pages, and the symbol of an address."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock
from marketdata.history import Page, Place, read_place
from marketdata.instruments import Instrument, InvalidSymbol, is_symbol, parse_symbol, read_symbol
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from papertrade.api.kit.authentication import MayRead
from papertrade.api.kit.filters import CountParameter, TextParameter
from papertrade.api.kit.pagination import KeysetPagination, bad_cursor
from papertrade.api.kit.rendering import NumbersRenderer
from papertrade.api.kit.viewsets import ApiViewSet, Rows
from papertrade.lib.errors import NotFound

STOCKS, OPTIONS = "stocks", "options"
ASCENDING, DESCENDING = "asc", "desc"
DEFAULT_LIMIT, MAX_LIMIT = 100, 1_000
ContractKey = Callable[[Instrument], Any]
# What contracts may be sorted by; ties by symbol.
CONTRACT_KEYS: dict[str, ContractKey] = {
    "ticker": lambda contract: (contract.symbol,),
    "underlying_ticker": lambda contract: (contract.underlying, contract.symbol),
    "expiration_date": lambda contract: (contract.expiry, contract.symbol),
    "strike_price": lambda contract: (contract.strike, contract.symbol),
}


class HostedPagination(KeysetPagination):
    """Pages whose token is called `page`. It names the last row, so a page costs the same however long the list is."""

    token_name = "page"
    default_limit = DEFAULT_LIMIT

    def contracts(self, rows: Iterable[Instrument], request: Request, *, sort: str, descending: bool) -> Rows:
        """The page of contracts that are in memory."""
        self.begin(request)
        key = CONTRACT_KEYS[sort]
        ordered = sorted(rows, key=key, reverse=descending)
        if self.token is not None:
            if not is_symbol(self.token) or not (last := parse_symbol(self.token)).is_option:
                raise bad_cursor()
            ordered = [row for row in ordered if (key(row) < key(last) if descending else key(row) > key(last))]
        return self.cut(ordered, lambda row: row.symbol)

    def by_text(
        self, rows: Iterable[Any], request: Request, key: Callable[[Any], str], *, descending: bool = False
    ) -> Rows:
        """The page of rows that are in memory, by a text that is unique to each."""
        self.begin(request)
        rest = [
            row
            for row in sorted(rows, key=key, reverse=descending)
            if self.token is None or (key(row) < self.token if descending else key(row) > self.token)
        ]
        return self.cut(rest[: self.limit + 1], key)

    def place(self, request: Request, symbol: str) -> Place | None:
        """Where a symbol's history goes on, from the page's token. Raises BadRequest."""
        self.begin(request)
        if self.token is None:
            return None
        try:
            place = read_place(self.token)
        except ValueError:
            raise bad_cursor() from None
        if place.symbol != symbol:
            raise bad_cursor()
        return place

    def lead_on(self, place: Place | None) -> None:
        """The next page begins there."""
        self.following = place and self._next_url(place)

    def of_history(self, page: Page[Any], symbol: str) -> Rows:
        """The rows of a page of one symbol's history."""
        self.lead_on(page.following)
        return page.rows.get(symbol, [])


def pages(limit: int, most: int) -> type[HostedPagination]:
    """Pages of so many rows, unless a client says another number."""
    parameters = {
        "limit": CountParameter(f"rows per page; {limit} by default", least=1, most=most),
        "page": TextParameter("from next_url"),
    }
    return type("HostedPages", (HostedPagination,), {"default_limit": limit, "parameters": parameters})


class HostedViewSet(ApiViewSet):
    """Market data that any valid key may read. `now` is exchange time, and nothing later is ever answered."""

    permission_classes = [MayRead]
    renderer_classes = [NumbersRenderer]
    pagination_class = pages(DEFAULT_LIMIT, MAX_LIMIT)
    paginator: HostedPagination
    now: datetime

    def enter(self, request: Request) -> None:
        self.now = clock.read().now

    def answer(self, **fields: Any) -> Response:
        """One object, or several fields of it, in the envelope."""
        return self.shown({"status": "OK", "request_id": self.request._request.request_id, **fields})

    def rows(self, rows: Iterable[Any]) -> Response:
        """The rows of a page, in the list envelope."""
        return self.paginator.get_paginated_response(self.get_serializer(list(rows), many=True).data)

    def page_of_contracts(self, contracts: Iterable[Instrument]) -> Rows:
        """As `sort`, `order`, `limit` and `page` say."""
        sort, descending = self.query.get("sort", "ticker"), self.query.get("order") == DESCENDING
        return self.paginator.contracts(contracts, self.request, sort=sort, descending=descending)

    def instrument(self, product: str, symbol: str) -> str:
        """The symbol in an address under `stocks` or `options`. Raises NotFound where it is not one of that kind."""
        found = _instrument(symbol)
        if product not in (STOCKS, OPTIONS) or found is None or found.is_option != (product == OPTIONS):
            raise NotFound("There is no such stock, or contract.")
        return found.symbol

    def stock(self, symbol: str) -> str:
        """The ticker of a stock. Raises NotFound."""
        return self.instrument(STOCKS, symbol)

    def stock_quote(self, symbol: str) -> Quote:
        """The latest quote of a stock. Raises NotFound, Unavailable."""
        return self.latest_quote(self.stock(symbol))

    def latest_quote(self, symbol: str) -> Quote:
        """The latest quote of a symbol. Raises NotFound, Unavailable."""
        quote = current_market().latest([symbol], at=self.now).get(symbol)
        if quote is None:
            raise NotFound("This market has no quote of it.")
        return quote


def _instrument(symbol: str) -> Instrument | None:
    try:
        return read_symbol(symbol)
    except InvalidSymbol:
        return None
