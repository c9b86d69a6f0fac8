"""What there is: stocks by name, their expiries, option contracts, and the details of each."""

from datetime import date, datetime
from decimal import Decimal
from operator import attrgetter
from typing import NamedTuple

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import listing
from marketdata.instruments import Instrument, parse_symbol
from marketdata.markets.current import current_market
from papertrade.api.kit.schema import call
from papertrade.api.market.filters import SearchFilter
from papertrade.api.market.hosted.base import DESCENDING, OPTIONS, HostedViewSet
from papertrade.api.market.hosted.parameters import (
    AsOfFilter,
    ContractFilter,
    StockDetailFilter,
    StockFilter,
    not_in_the_future,
)
from papertrade.api.market.hosted.serializers import (
    ContractAnswerSerializer,
    ContractSerializer,
    ExpirationsAnswerSerializer,
    FoundTickerSerializer,
    RelatedTickerSerializer,
    StockTickerAnswerSerializer,
    StockTickerSerializer,
    TickerTypeSerializer,
)
from papertrade.lib.errors import BadRequest, NotFound
from papertrade.lib.times import EXCHANGE_ZONE, begin_of


class StockTicker(NamedTuple):
    """A stock that the market lists, in the hosted product's words."""

    symbol: str
    name: str
    active: bool = True
    market: str = "stocks"
    locale: str = "us"
    currency_name: str = "usd"


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
        stock = self.stock(symbol)
        return self.answer(ticker=stock, results=listing.expirations(stock, at=self.now))


class StockTickerViewSet(HostedViewSet):
    serializer_classes = {
        "every": StockTickerSerializer,
        "types": TickerTypeSerializer,
        "one": StockTickerAnswerSerializer,
        "related": RelatedTickerSerializer,
    }
    filterset_classes = {"every": StockFilter, "one": StockDetailFilter}
    paged_actions = {"every"}

    @call("The stocks that the market lists", StockTickerSerializer, many=True)
    def every(self, request: Request) -> Response:
        wanted, listed = self.query.get("ticker"), listing.search(self.query.get("search", ""))
        found = [StockTicker(stock.symbol, stock.name) for stock in listed if wanted in (None, stock.symbol)]
        rows, descending = found if self.query.get("active", True) else [], self.query.get("order") == DESCENDING
        return self.rows(self.paginator.by_text(rows, request, attrgetter("symbol"), descending=descending))

    @call("The kinds of stocks: none are told apart here", TickerTypeSerializer, many=True)
    def types(self, request: Request) -> Response:
        return self.listed([])

    @call("A stock", StockTickerAnswerSerializer)
    def one(self, request: Request, symbol: str) -> Response:
        not_in_the_future("date", self.query.get("date"), today(self.now))
        return self.answer(results=self._listed(symbol))

    @call("Stocks like another: none are known here", RelatedTickerSerializer, many=True)
    def related(self, request: Request, symbol: str) -> Response:
        self._listed(symbol)
        return self.listed([])

    def _listed(self, symbol: str) -> StockTicker:
        wanted = self.stock(symbol)
        found = next((stock for stock in listing.stocks() if stock.symbol == wanted), None)
        if found is None:
            raise NotFound("This market lists no such stock.")
        return StockTicker(found.symbol, found.name)


class Contract:
    """A contract in the hosted product's words."""

    exercise_style = "american"

    def __init__(self, contract: Instrument) -> None:
        self.symbol, self.underlying, self.right = contract.symbol, contract.underlying, contract.right
        self.expiry, self.strike, self.multiplier = contract.expiry, contract.strike, contract.multiplier


class ContractViewSet(HostedViewSet):
    serializer_classes = {"every": ContractSerializer, "one": ContractAnswerSerializer}
    filterset_classes = {"every": ContractFilter, "one": AsOfFilter}
    paged_actions = {"every"}

    @call("The option contracts of a stock", ContractSerializer, many=True)
    def every(self, request: Request) -> Response:
        contracts = self._contracts(self.query["underlying_ticker"], self._as_of())
        return self.rows(map(Contract, self.page_of_contracts(self.filter_queryset(contracts))))

    @call("An option contract, while it trades or as of a day on which it did", ContractAnswerSerializer)
    def one(self, request: Request, symbol: str) -> Response:
        contract, as_of = parse_symbol(self.instrument(OPTIONS, symbol)), self._as_of()
        if not listing.lists(contract) or listing.has_expired(contract, at=as_of):
            raise NotFound("This market has no such contract, or it had expired: say as_of.")
        return self.answer(results=Contract(contract))

    def _as_of(self) -> datetime:
        """Now, or the beginning of a day that is past. Raises BadRequest."""
        day: date | None = self.query.get("as_of")
        not_in_the_future("as_of", day, today(self.now))
        return self.now if day is None or day == today(self.now) else begin_of(day)

    def _contracts(self, underlying: str, at: datetime) -> list[Instrument]:
        market = current_market()
        if self.query.get("expired"):
            if not market.has_book:
                raise BadRequest("A simulated market lists what trades: say as_of a day.", expired="cannot be listed")
            return listing.ever_listed(underlying)
        spot = Decimal(0) if market.has_book else listing.spot_of(market.quotes_at([underlying], at).get(underlying))
        return [] if spot is None else listing.chain(underlying, spot=spot, at=at)


def today(now: datetime) -> date:
    """The date in New York."""
    return now.astimezone(EXCHANGE_ZONE).date()
