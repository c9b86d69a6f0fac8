"""The past: trades, quotes and bars of a symbol, the bars of all stocks on a day, and one session of a symbol."""

from datetime import date, datetime
from typing import NamedTuple

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import listing
from marketdata.bars import (
    DAY,
    ONE_MINUTE,
    Bar,
    Timeframe,
    bar_of_day,
    bar_of_day_before,
    bar_of_session,
    bars,
    timeframe_of,
)
from marketdata.history import Reading, Span, bars_of, page, quotes_of, trades_of
from marketdata.markets.current import current_market
from marketdata.sessions import calendar
from papertrade.api.kit.schema import call
from papertrade.api.kit.viewsets import Rows
from papertrade.api.market.hosted.base import ASCENDING, DESCENDING, HostedViewSet, pages
from papertrade.api.market.hosted.parameters import (
    AdjustedFilter,
    BarFilter,
    TickFilter,
    bounds,
    day_in_path,
    not_in_the_future,
    stretch_in_path,
)
from papertrade.api.market.hosted.serializers import (
    AggregateSerializer,
    NamedAggregateSerializer,
    OpenCloseSerializer,
    PastTradeSerializer,
    PreviousBarAnswerSerializer,
    QuoteRowSerializer,
)
from papertrade.lib.errors import BadRequest, NotFound
from papertrade.lib.times import DAY as ONE_DAY
from papertrade.lib.times import EXCHANGE_ZONE, MOMENT, begin_of


class HistoryViewSet(HostedViewSet):
    """Pages of one symbol's past."""

    def history(self, reading: Reading, symbol: str, span: Span) -> Rows:
        """The page that is asked for."""
        place = self.paginator.place(self.request, symbol)
        found = page(reading, [symbol], span, limit=self.paginator.limit, after=place)
        return self.paginator.of_history(found, symbol)


class TickViewSet(HistoryViewSet):
    """Trades and quotes, of a span of time or of the last session's day."""

    serializer_classes = {"trades": PastTradeSerializer, "quotes": QuoteRowSerializer}
    filterset_classes = {"trades": TickFilter, "quotes": TickFilter}
    paged_actions = {"trades", "quotes"}
    pagination_class = pages(1_000, 10_000)

    @call("Trades of a stock or contract, or the middles of its quotes", PastTradeSerializer, many=True)
    def trades(self, request: Request, product: str, symbol: str) -> Response:
        return self._ticks(trades_of(current_market()), self.instrument(product, symbol))

    @call("Quotes of a stock or contract", QuoteRowSerializer, many=True)
    def quotes(self, request: Request, product: str, symbol: str) -> Response:
        return self._ticks(quotes_of(current_market()), self.instrument(product, symbol))

    def _ticks(self, reading: Reading, symbol: str) -> Response:
        start, until = bounds(self.query)
        until = min(until or self.now, self.now)
        descending = self.query.get("order", DESCENDING) == DESCENDING
        return self.rows(self.history(reading, symbol, Span(start or _day_of_session(until), until, descending)))


def _day_of_session(at: datetime) -> datetime:
    """The midnight in New York that began the day of the session in progress, or of the last before."""
    found = calendar().last(1, at)
    return DAY.begin(found[0].open if found else at)


class BarViewSet(HistoryViewSet):
    serializer_classes = {"between": AggregateSerializer}
    filterset_classes = {"between": BarFilter}
    paged_actions = {"between"}
    pagination_class = pages(5_000, 10_000)

    @call("Bars of a stock or contract: of trades, or of the middles of quotes", AggregateSerializer, many=True)
    def between(
        self, request: Request, product: str, symbol: str, multiplier: str, timespan: str, from_date: str, to_date: str
    ) -> Response:
        timeframe = timeframe_in_path(multiplier, timespan)
        start, until = stretch_in_path("from_date", from_date).first, stretch_in_path("to_date", to_date).last
        span = Span(start, min(until, self.now), self.query.get("sort", ASCENDING) == DESCENDING)
        reading = bars_of(current_market(), timeframe, now=self.now)
        return self.rows(self.history(reading, self.instrument(product, symbol), span))


class NamedBar(NamedTuple):
    """A bar, and whose it is."""

    symbol: str
    bar: Bar


class DayBarViewSet(HostedViewSet):
    serializer_classes = {"previous": PreviousBarAnswerSerializer, "grouped": NamedAggregateSerializer}
    filterset_classes = {"previous": AdjustedFilter, "grouped": AdjustedFilter}
    paged_actions = ()

    @call("The bar of the last session's day before today", PreviousBarAnswerSerializer)
    def previous(self, request: Request, product: str, symbol: str) -> Response:
        name = self.instrument(product, symbol)
        bar = bar_of_day_before(current_market(), name, self.now)
        rows = [] if bar is None else [NamedBar(name, bar)]
        return self.answer(ticker=name, adjusted=self.query.get("adjusted", True), results=rows)

    @call("The bars of all stocks on a day", NamedAggregateSerializer, many=True)
    def grouped(self, request: Request, day: str) -> Response:
        at = begin_of(_day(day, self.now))
        stocks = sorted(stock.symbol for stock in listing.stocks())
        current_market().remember(stocks)
        found = [(symbol, bar_of_day(current_market(), symbol, at, self.now)) for symbol in stocks]
        return self.listed(NamedBar(symbol, bar) for symbol, bar in found if bar is not None)


class OpenCloseViewSet(HostedViewSet):
    serializer_class = OpenCloseSerializer
    filterset_classes = {"show": AdjustedFilter}

    @call("One session of a stock or contract, and what was before and after it", OpenCloseSerializer)
    def show(self, request: Request, product: str, symbol: str, day: str) -> Response:
        name, on = self.instrument(product, symbol), _day(day, self.now)
        session = calendar().on(on)
        if session is None:
            raise NotFound("The exchange was closed on this day.")
        market, begins, ends = current_market(), begin_of(on), min(begin_of(on + ONE_DAY) - MOMENT, self.now)
        within = bar_of_session(market, name, session, self.now)
        if within is None:
            raise NotFound("This market has nothing of it on this day.")
        before = next(bars(market, name, ONE_MINUTE, start=begins, until=session.open - MOMENT, now=self.now), None)
        after = list(bars(market, name, ONE_MINUTE, start=session.close, until=ends, now=self.now))
        return self.answer(
            symbol=name,
            day=on,
            open=within.open,
            high=within.high,
            low=within.low,
            close=within.close,
            volume=within.volume,
            before=before and before.open,
            after=after[-1].close if after else None,
            otc=False,
            adjusted=self.query.get("adjusted", True),
        )


def _day(text: str, now: datetime) -> date:
    day = day_in_path(text)
    not_in_the_future("date", day, now.astimezone(EXCHANGE_ZONE).date())
    return day


def timeframe_in_path(multiplier: str, timespan: str) -> Timeframe:
    """Raises BadRequest."""
    number = int(multiplier) if multiplier.isascii() and multiplier.isdigit() and len(multiplier) < 5 else 0
    found = timeframe_of(number, timespan)
    if found is None:
        wanted = "minutes or hours within a day, 1 day, 1 week, or months, quarters or years that divide or are a year"
        raise BadRequest("The bars cannot be made.", timespan=f"must be {wanted}")
    return found
