"""The market's quotes in the hosted product's own shapes, so that its clients' market-data calls work against this server.

Here, and only here, prices are JSON numbers and times nanoseconds, as the hosted product sends them.
"""

from datetime import datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock, listing
from marketdata.contract_now import ContractNow
from marketdata.instruments import Instrument, InvalidSymbol, read_symbol
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from papertrade.api.kit.authentication import MayRead
from papertrade.api.kit.schema import call
from papertrade.api.kit.viewsets import ApiViewSet, Rows
from papertrade.api.market.filters import ChainFilter, SearchFilter
from papertrade.api.market.hosted_serializers import (
    ContractSnapshotAnswerSerializer,
    ContractSnapshotSerializer,
    ExpirationsAnswerSerializer,
    FoundTickerSerializer,
    LastStockQuoteAnswerSerializer,
    StockSnapshotAnswerSerializer,
)
from papertrade.lib.errors import NotFound


class HostedViewSet(ApiViewSet):
    """Market data that any valid key reads, one object in the envelope."""

    permission_classes = [MayRead]

    def answer(self, **fields: Any) -> Response:
        """One object, or several fields of it, in the envelope."""
        return self.shown({"status": "OK", "request_id": self.request._request.request_id, **fields})


class StockViewSet(HostedViewSet):
    serializer_classes = {"last_quote": LastStockQuoteAnswerSerializer, "snapshot": StockSnapshotAnswerSerializer}

    @call("The latest quote of a stock, as the hosted product sends it", LastStockQuoteAnswerSerializer)
    def last_quote(self, request: Request, symbol: str) -> Response:
        return self.answer(results=stock_quote(symbol, clock.read().now))

    @call("A stock, as the hosted product sends it", StockSnapshotAnswerSerializer)
    def snapshot(self, request: Request, symbol: str) -> Response:
        return self.answer(ticker=stock_quote(symbol, clock.read().now))


class OptionViewSet(HostedViewSet):
    serializer_classes = {"chain": ContractSnapshotSerializer, "snapshot": ContractSnapshotAnswerSerializer}
    filterset_classes = {"chain": ChainFilter}
    paged_actions = {"chain"}
    page_key = "symbol"

    @call("The option chain of a stock, as the hosted product sends it", ContractSnapshotSerializer, many=True)
    def chain(self, request: Request, symbol: str) -> Response:
        self.at = clock.read().now
        self.stock = stock_quote(symbol, self.at)
        spot = listing.spot_of(self.stock)
        listed = listing.chain(self.stock.symbol, spot=spot, at=self.at) if spot else []
        return self.listed(self.filter_queryset(listed))

    def complete(self, rows: Rows) -> Rows:
        """The contracts of a page with their quotes."""
        quotes = current_market().latest([contract.symbol for contract in rows], at=self.at)
        return [ContractNow(contract, quotes.get(contract.symbol), self.stock, self.at) for contract in rows]

    @call("One option contract, as the hosted product sends it", ContractSnapshotAnswerSerializer)
    def snapshot(self, request: Request, underlying: str, symbol: str) -> Response:
        at, contract, stock = clock.read().now, _instrument(symbol), _stock(underlying)
        if contract is None or not contract.is_option or stock is None or contract.underlying != stock.symbol:
            raise NotFound("There is no such contract of this stock.")
        quote = current_market().latest([contract.symbol], at=at).get(contract.symbol)
        if quote is None:
            raise NotFound("This market has no quote of the contract.")
        return self.answer(results=ContractNow(contract, quote, stock_quote(stock.symbol, at), at))


class TickerViewSet(HostedViewSet):
    serializer_classes = {"search": FoundTickerSerializer, "expirations": ExpirationsAnswerSerializer}
    filterset_classes = {"search": SearchFilter}
    paged_actions = {"search"}
    page_key = "place"

    @call("Stocks by ticker or name, the closest first", FoundTickerSerializer, many=True)
    def search(self, request: Request) -> Response:
        return self.listed(listing.search(self.query.get("query", "")))

    @call("The expiries of a stock's options that still trade", ExpirationsAnswerSerializer)
    def expirations(self, request: Request, symbol: str) -> Response:
        stock = _stock(symbol)
        if stock is None:
            raise NotFound("There is no such stock.")
        return self.answer(ticker=stock.symbol, results=listing.expirations(stock.symbol, at=clock.read().now))


def _instrument(symbol: str) -> Instrument | None:
    try:
        return read_symbol(symbol)
    except InvalidSymbol:
        return None


def _stock(symbol: str) -> Instrument | None:
    instrument = _instrument(symbol)
    return None if instrument is None or instrument.is_option else instrument


def stock_quote(symbol: str, at: datetime) -> Quote:
    """The latest quote of a stock. Raises NotFound, Unavailable."""
    stock = _stock(symbol)
    quote = current_market().latest([stock.symbol], at=at).get(stock.symbol) if stock else None
    if quote is None:
        raise NotFound("This market has no quote of such a stock.")
    return quote
