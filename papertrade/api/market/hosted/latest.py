"""The present: last quotes and trades, snapshots of stocks, the movers, option chains and contracts."""

from collections.abc import Collection
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import listing
from marketdata.bars import Bar, bar_of_day, bar_of_day_before, last_minute
from marketdata.contract_now import ContractNow
from marketdata.feeds.past import DECIMALS, PastTrade
from marketdata.instruments import parse_symbol
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from papertrade.api.kit.schema import call
from papertrade.api.kit.viewsets import Rows
from papertrade.api.market.hosted.base import OPTIONS, HostedViewSet, pages
from papertrade.api.market.hosted.parameters import (
    LastOptionQuoteFilter,
    MoverFilter,
    OrderedChainFilter,
    SnapshotFilter,
)
from papertrade.api.market.hosted.serializers import (
    ContractSnapshotAnswerSerializer,
    ContractSnapshotSerializer,
    LastStockQuoteAnswerSerializer,
    LastTradeAnswerSerializer,
    SnapshotsAnswerSerializer,
    StockSnapshotAnswerSerializer,
)
from papertrade.lib.errors import NotFound

DIRECTIONS = {"gainers": 1, "losers": -1}
SNAPSHOTS, MOVERS = 250, 20


class LastTrade(NamedTuple):
    """A trade, and whose it is."""

    symbol: str
    trade: PastTrade

    @property
    def is_middle(self) -> bool:
        return self.trade.is_middle


class StockNow:
    """A stock as it stands: each part is read where it is shown."""

    def __init__(self, quote: Quote, now: datetime) -> None:
        self.symbol, self.quote, self.now = quote.symbol, quote, now

    @cached_property
    def day(self) -> Bar | None:
        """The New York day so far."""
        return bar_of_day(current_market(), self.symbol, self.now, self.now)

    @cached_property
    def day_before(self) -> Bar | None:
        return bar_of_day_before(current_market(), self.symbol, self.now)

    @property
    def minute(self) -> Bar | None:
        return last_minute(current_market(), self.symbol, self.now)

    @cached_property
    def last_trade(self) -> LastTrade | None:
        trade = current_market().last_trade(self.symbol, self.quote, at=self.now)
        return None if trade is None else LastTrade(self.symbol, trade)

    @property
    def change(self) -> float | None:
        """The last trade's price less the close of the day before, USD."""
        if self.last_trade is None or self.day_before is None:
            return None
        return round(self.last_trade.trade.price - self.day_before.close, DECIMALS)

    @property
    def change_percent(self) -> float | None:
        return None if self.change is None or self.day_before is None else 100 * self.change / self.day_before.close


class DayOfContract(NamedTuple):
    """A contract's New York day so far, and the close before it; USD."""

    bar: Bar
    previous_close: float | None
    last_updated: datetime

    @property
    def change(self) -> float | None:
        return None if self.previous_close is None else round(self.bar.close - self.previous_close, DECIMALS)

    @property
    def change_percent(self) -> float | None:
        return None if self.change is None or not self.previous_close else 100 * self.change / self.previous_close


class ContractShown(ContractNow):
    """A contract in a chain. Its day is not read there: that would cost more than all the rest of it."""

    day: DayOfContract | None = None

    @property
    def last_trade(self) -> PastTrade | None:
        return current_market().last_trade(self.contract.symbol, self.quote, at=self.at)


class ContractAlone(ContractShown):
    """A contract by itself, with its day."""

    @cached_property
    def day(self) -> DayOfContract | None:  # type: ignore[override]
        symbol, market = self.contract.symbol, current_market()
        bar, before = bar_of_day(market, symbol, self.at, self.at), bar_of_day_before(market, symbol, self.at)
        if bar is None or self.quote is None:
            return None
        return DayOfContract(bar, before and before.close, self.quote.quoted_at)


class LastViewSet(HostedViewSet):
    serializer_classes = {"quote": LastStockQuoteAnswerSerializer, "trade": LastTradeAnswerSerializer}
    filterset_classes = {"quote": LastOptionQuoteFilter}

    @call("The latest quote of a stock or contract, as the hosted product sends it", LastStockQuoteAnswerSerializer)
    def quote(self, request: Request, product: str, symbol: str) -> Response:
        return self.answer(results=self.latest_quote(self.instrument(product, symbol)))

    @call("The last trade of a stock or contract, or the middle of its quote", LastTradeAnswerSerializer)
    def trade(self, request: Request, product: str, symbol: str) -> Response:
        name = self.instrument(product, symbol)
        quote = current_market().latest([name], at=self.now).get(name)
        trade = current_market().last_trade(name, quote, at=self.now)
        if trade is None:
            raise NotFound("This market has no trade of it, and no quote with a middle.")
        return self.answer(results=LastTrade(name, trade))


class StockSnapshotViewSet(HostedViewSet):
    serializer_classes = {
        "every": SnapshotsAnswerSerializer,
        "one": StockSnapshotAnswerSerializer,
        "movers": SnapshotsAnswerSerializer,
    }
    filterset_classes = {"every": SnapshotFilter, "movers": MoverFilter}
    paged_actions = {"every"}
    pagination_class = pages(SNAPSHOTS, SNAPSHOTS)

    @call("Many stocks as they stand, by ticker", SnapshotsAnswerSerializer)
    def every(self, request: Request) -> Response:
        named = [*self.query.get("tickers", []), *self.query.get("ticker.any_of", [])]
        rows = self.paginator.by_text(self._stocks(named), request, attrgetter("symbol"))
        return self._snapshots(rows)

    @call("A stock as it stands, as the hosted product sends it", StockSnapshotAnswerSerializer)
    def one(self, request: Request, symbol: str) -> Response:
        return self.answer(ticker=StockNow(self.stock_quote(symbol), self.now))

    @call("The stocks that rose or fell most since the close before", SnapshotsAnswerSerializer)
    def movers(self, request: Request, direction: str) -> Response:
        if direction not in DIRECTIONS:
            raise NotFound("The movers are gainers or losers.")
        moved = [((stock.change_percent or 0) * DIRECTIONS[direction], stock) for stock in self._stocks([])]
        ranked = sorted(moved, key=lambda row: (-row[0], row[1].symbol))
        return self._snapshots([stock for by, stock in ranked if by > 0][: self.query.get("limit", MOVERS)])

    def _stocks(self, named: Collection[str]) -> list[StockNow]:
        """By ticker, of those named or all that are listed, the ones that have a quote."""
        quotes = current_market().latest(list(named) or [stock.symbol for stock in listing.stocks()], at=self.now)
        stocks = sorted(symbol for symbol in quotes if not parse_symbol(symbol).is_option)
        current_market().remember(stocks)
        return [StockNow(quotes[symbol], self.now) for symbol in stocks]

    def _snapshots(self, rows: Rows) -> Response:
        return self.answer(tickers=rows, count=len(rows), next_url=self.paginator.following)


class ChainViewSet(HostedViewSet):
    serializer_classes = {"chain": ContractSnapshotSerializer, "snapshot": ContractSnapshotAnswerSerializer}
    filterset_classes = {"chain": OrderedChainFilter}
    paged_actions = {"chain"}

    @call("The option chain of a stock, as the hosted product sends it", ContractSnapshotSerializer, many=True)
    def chain(self, request: Request, symbol: str) -> Response:
        stock = self.stock_quote(symbol)
        spot = listing.spot_of(stock)
        listed = listing.chain(stock.symbol, spot=spot, at=self.now) if spot else []
        page = self.page_of_contracts(self.filter_queryset(listed))
        quotes = current_market().latest([contract.symbol for contract in page], at=self.now, watch=False)
        return self.rows(ContractShown(contract, quotes.get(contract.symbol), stock, self.now) for contract in page)

    @call("One option contract, as the hosted product sends it", ContractSnapshotAnswerSerializer)
    def snapshot(self, request: Request, underlying: str, symbol: str) -> Response:
        contract, stock = parse_symbol(self.instrument(OPTIONS, symbol)), self.stock(underlying)
        if contract.underlying != stock:
            raise NotFound("There is no such contract of this stock.")
        quote = self.latest_quote(contract.symbol)
        return self.answer(results=ContractAlone(contract, quote, self.latest_quote(stock), self.now))
