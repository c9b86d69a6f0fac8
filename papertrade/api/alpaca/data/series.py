"""Bars, quotes and trades over a span of time, in pages: of a list of symbols, or of the one in the address."""

from collections.abc import Callable
from datetime import datetime, time
from functools import partial
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock
from marketdata.bars import read_timeframe
from marketdata.history import Reading, Span, bars_of, page, quotes_of, read_place, trades_of
from marketdata.markets.current import current_market
from papertrade.api.alpaca.data import shapes
from papertrade.api.alpaca.errors import bad_input
from papertrade.api.alpaca.parameters import symbol_of
from papertrade.api.alpaca.views import AlpacaViewSet
from papertrade.api.alpaca.wire import symbol_text
from papertrade.lib.times import EXCHANGE_ZONE

DEFAULT_LIMIT, MAX_LIMIT = 1_000, 10_000


class SeriesViewSet(AlpacaViewSet):
    """Lists of one kind of thing. A page is filled symbol by symbol, each in the order of time."""

    option = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.now = clock.read().now

    def bars(self, request: Request, symbol: str = "") -> Response:
        timeframe = read_timeframe(self.query.text("timeframe", "1Min"))
        if timeframe is None:
            raise bad_input("invalid timeframe: such as 1Min, 15Min, 1Hour, 1Day, 1Week or 1Month")
        return self._answer("bars", symbol, bars_of(current_market(), timeframe, now=self.now), shapes.bar)

    def quotes(self, request: Request, symbol: str = "") -> Response:
        return self._answer("quotes", symbol, quotes_of(current_market()), partial(shapes.quote, option=self.option))

    def trades(self, request: Request, symbol: str = "") -> Response:
        return self._answer("trades", symbol, trades_of(current_market()), partial(shapes.trade, option=self.option))

    def _answer(self, kind: str, symbol: str, reading: Reading, shape: Callable[[Any], dict[str, Any]]) -> Response:
        symbols = [symbol_of(symbol)] if symbol else self.query.symbols()
        if not symbols:
            raise bad_input("symbols is required")
        limit = self.query.whole("limit", DEFAULT_LIMIT, most=MAX_LIMIT)
        try:
            after = read_place(token) if (token := self.query.text("page_token")) else None
        except ValueError:
            raise bad_input("page_token is not one of next_page_token") from None
        rows, following = page(reading, symbols, self._span(), limit=limit, after=after)
        found = {symbol_text(name): list(map(shape, things)) for name, things in rows.items()}
        following_token = following and str(following)
        if symbol:
            series = next(iter(found.values()), [])
            return Response({"symbol": symbol_text(symbols[0]), kind: series, "next_page_token": following_token})
        return Response({kind: found, "next_page_token": following_token})

    def _span(self) -> Span:
        """By default today, in New York, until now. Exchange time bounds both ends: a client's own clock may be ahead."""
        today = datetime.combine(self.now.astimezone(EXCHANGE_ZONE).date(), time.min, tzinfo=EXCHANGE_ZONE)
        until = min(self.query.instant("end", end_of_day=True) or self.now, self.now)
        descending = self.query.word("sort", ("asc", "desc"), "asc") == "desc"
        return Span(self.query.instant("start") or today, until, descending)


class OptionSeriesViewSet(SeriesViewSet):
    option = True
