"""Averages, MACD and RSI of a symbol's bars: each point is made of a bar that is over, and of those before it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata.bars import Bar, Timeframe, bars, begin_of_bars, timeframe_of
from marketdata.feeds.past import EPOCH, MICROSECOND
from marketdata.history import Place
from marketdata.indicators import Indicator, Value, ema, macd, rsi, sma
from marketdata.markets.current import current_market
from papertrade.api.kit.schema import call
from papertrade.api.market.hosted.base import ASCENDING, HostedViewSet, pages
from papertrade.api.market.hosted.parameters import MacdFilter, WindowFilter, bounds
from papertrade.api.market.hosted.serializers import IndicatorAnswerSerializer, MacdAnswerSerializer
from papertrade.lib.errors import NotFound
from papertrade.lib.times import MOMENT

# Each of one window, with its default.
OF_ONE_WINDOW: dict[str, tuple[Callable[[int], Indicator], int]] = {
    "sma": (sma, 50),
    "ema": (ema, 50),
    "rsi": (rsi, 14),
}
A_YEAR = timedelta(days=366)  # how far back an ascending series begins by default, where the past is computed


class Point(NamedTuple):
    """A value, and the bar at whose end the indicator had it."""

    bar: Bar
    value: Value


class IndicatorViewSet(HostedViewSet):
    serializer_classes = {"of_one_window": IndicatorAnswerSerializer, "convergence": MacdAnswerSerializer}
    filterset_classes = {"of_one_window": WindowFilter, "convergence": MacdFilter}
    paged_actions = {"of_one_window", "convergence"}
    pagination_class = pages(10, 1_000)

    @call("SMA, EMA or RSI of a stock's or contract's bars", IndicatorAnswerSerializer)
    def of_one_window(self, request: Request, product: str, kind: str, symbol: str) -> Response:
        if kind not in OF_ONE_WINDOW:
            raise NotFound("The indicators are sma, ema, macd and rsi.")
        make, window = OF_ONE_WINDOW[kind]
        return self._show(product, symbol, make(self.query.get("window", window)))

    @call("MACD of a stock's or contract's bars", MacdAnswerSerializer)
    def convergence(self, request: Request, product: str, symbol: str) -> Response:
        windows = (("short_window", 12), ("long_window", 26), ("signal_window", 9))
        return self._show(product, symbol, macd(*(self.query.get(name, usual) for name, usual in windows)))

    def _show(self, product: str, symbol: str, indicator: Indicator) -> Response:
        name = self.instrument(product, symbol)
        timeframe = timeframe_of(1, self.query.get("timespan", "day"))
        assert timeframe is not None  # the parameter's words are all of them one
        place, (start, until) = self.paginator.place(self.request, name), bounds(self.query)
        until = min(until or self.now, self.now)
        if self.query.get("order") == ASCENDING:
            start = start or max(EPOCH, until - A_YEAR if current_market().computes_past else EPOCH)
            points = self._forward(name, indicator, timeframe, place.at + MOMENT if place else start, until)
        else:
            points = self._back(name, indicator, timeframe, start or EPOCH, place.at - MOMENT if place else until)
        shown = points[: self.paginator.limit]
        self.paginator.lead_on(Place(name, shown[-1].bar.begins) if len(points) > len(shown) else None)
        underlying = self._underlying(product, name, timeframe, shown) if self.query.get("expand_underlying") else None
        return self.answer(
            results={"values": [_value(point) for point in shown], "underlying": underlying},
            next_url=self.paginator.following,
        )

    def _forward(
        self, symbol: str, indicator: Indicator, timeframe: Timeframe, start: datetime, until: datetime
    ) -> list[Point]:
        """The points of a page and one more, ascending."""
        market, rows, wanted = current_market(), list[Bar](), self.paginator.limit + indicator.first
        first = begin_of_bars(market, timeframe, indicator.memory, start - MOMENT)
        for bar in bars(market, symbol, timeframe, start=first, until=until, now=self.now):
            wanted -= bar.begins >= start
            if not timeframe.is_over(bar, self.now) or wanted < 0:
                break
            rows.append(bar)
        return [point for point in self._points(indicator, rows) if point.bar.begins >= start]

    def _back(
        self, symbol: str, indicator: Indicator, timeframe: Timeframe, start: datetime, until: datetime
    ) -> list[Point]:
        """The points of a page and one more, the latest first."""
        market, wanted = current_market(), self.paginator.limit + 1 + indicator.memory
        first = begin_of_bars(market, timeframe, wanted, until)
        found = bars(market, symbol, timeframe, start=first, until=until, now=self.now)
        rows = [bar for bar in found if timeframe.is_over(bar, self.now)][-wanted:]
        points = [point for point in self._points(indicator, rows) if point.bar.begins >= start]
        return points[: -self.paginator.limit - 2 : -1]

    def _points(self, indicator: Indicator, rows: list[Bar]) -> list[Point]:
        prices = [getattr(bar, self.query.get("series_type", "close")) for bar in rows]
        return [Point(rows[value.place], value) for value in indicator.of(prices)]

    def _underlying(
        self, product: str, symbol: str, timeframe: Timeframe, points: list[Point]
    ) -> dict[str, Any] | None:
        if not points:
            return None
        shown = sorted((point.bar for point in points), key=lambda bar: bar.begins)
        ends = "/".join(str((bar.begins - EPOCH) // (1000 * MICROSECOND)) for bar in (shown[0], shown[-1]))
        path = f"/v1/{product}/aggs/{symbol}/1/{self.query.get('timespan', 'day')}/{ends}/"
        return {"url": self.request.build_absolute_uri(path), "aggregates": shown}


def _value(point: Point) -> dict[str, Any]:
    value = point.value
    return {
        "begins": point.bar.begins,
        "value": value.value,
        "signal": value.signal,
        "histogram": value.histogram,
    }
