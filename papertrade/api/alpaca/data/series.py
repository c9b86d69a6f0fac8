"""Bars, quotes and trades of a span of time: of many symbols in pages, or of one that the address names."""

from collections.abc import Iterable, Iterator
from datetime import datetime, time, timedelta
from itertools import islice
from typing import Any, NamedTuple

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock
from marketdata.bars import bars, read_timeframe
from marketdata.markets.current import current_market
from papertrade.api.alpaca.data import shapes
from papertrade.api.alpaca.errors import bad_input
from papertrade.api.alpaca.parameters import read_instant, symbol_of
from papertrade.api.alpaca.views import AlpacaViewSet
from papertrade.api.alpaca.wire import symbol_text
from papertrade.lib.times import EXCHANGE_ZONE

DEFAULT_LIMIT, MAX_LIMIT = 1_000, 10_000
MICROSECOND = timedelta(microseconds=1)


class Span(NamedTuple):
    """[start, until], both included; never later than exchange time."""

    start: datetime
    until: datetime
    descending: bool


class SeriesViewSet(AlpacaViewSet):
    """The list of one kind of thing. A page is filled symbol by symbol, each in the order of time."""

    option = False

    def bars(self, request: Request, symbol: str = "") -> Response:
        timeframe = read_timeframe(self.query.text("timeframe", "1Min"))
        if timeframe is None:
            raise bad_input("invalid timeframe: such as 1Min, 15Min, 1Hour, 1Day, 1Week or 1Month")

        def read(name: str, span: Span) -> Iterator[dict[str, Any]]:
            found = bars(current_market(), name, timeframe, start=span.start, until=span.until)
            return map(shapes.bar, found)

        return self._answer("bars", symbol, read)

    def quotes(self, request: Request, symbol: str = "") -> Response:
        def read(name: str, span: Span) -> Iterator[dict[str, Any]]:
            past = current_market().past_quotes(name, span.start - MICROSECOND, span.until)
            return (shapes.quote(quote, option=self.option) for quote in past)

        return self._answer("quotes", symbol, read)

    def trades(self, request: Request, symbol: str = "") -> Response:
        def read(name: str, span: Span) -> Iterator[dict[str, Any]]:
            past = current_market().past_quotes(name, span.start - MICROSECOND, span.until)
            return (trade for quote in past if (trade := shapes.trade(quote, option=self.option)) is not None)

        return self._answer("trades", symbol, read)

    def _answer(self, kind: str, symbol: str, read: Any) -> Response:
        symbols = [symbol_of(symbol)] if symbol else self.query.symbols()
        if not symbols:
            raise bad_input("symbols is required")
        limit = self.query.whole("limit", DEFAULT_LIMIT, most=MAX_LIMIT)
        found: dict[str, Any] = {}
        span, following = self._span(), None
        for name, begin in self._places(sorted(symbols), span):
            if begin.until < begin.start:
                continue
            series: Iterable[dict[str, Any]] = read(name, begin)
            if begin.descending:
                series = reversed(list(series))
            left = limit - sum(len(rows) for rows in found.values())
            page = list(islice(series, left + 1))
            if len(page) > left:
                last = page[left - 1]["t"] if left else ""
                following, page = f"{symbol_text(name)}|{last}", page[:left]
            if page:
                found[symbol_text(name)] = page
            if following:
                break
        if symbol:
            return Response(
                {"symbol": symbol_text(symbols[0]), kind: next(iter(found.values()), []), "next_page_token": following}
            )
        return Response({kind: found, "next_page_token": following})

    def _span(self) -> Span:
        """By default today, in New York, until now. Exchange time bounds both ends: a client's own clock may be ahead."""
        now = clock.read().now
        today = datetime.combine(now.astimezone(EXCHANGE_ZONE).date(), time.min, tzinfo=EXCHANGE_ZONE)
        until = min(self.query.instant("end", end_of_day=True) or now, now)
        descending = self.query.word("sort", ("asc", "desc"), "asc") == "desc"
        return Span(self.query.instant("start") or today, until, descending)

    def _places(self, symbols: list[str], span: Span) -> Iterator[tuple[str, Span]]:
        """Each symbol and its span; after a page token its symbol goes on from there, and those before it are done."""
        token = self.query.text("page_token")
        if not token:
            yield from ((name, span) for name in symbols)
            return
        reached, _, at = token.partition("|")
        for name in symbols:
            if name < symbol_of(reached):
                continue
            if name == symbol_of(reached) and at:
                last = read_instant(at, "page_token")
                rest = (
                    span._replace(until=last - MICROSECOND)
                    if span.descending
                    else span._replace(start=last + MICROSECOND)
                )
                yield name, rest
            else:
                yield name, span


class OptionSeriesViewSet(SeriesViewSet):
    option = True
