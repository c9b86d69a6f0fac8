"""A symbol's mid price over the last sessions, with a trader's own fills and waiting limits on it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from marketdata import clock
from marketdata.instruments import in_words
from marketdata.markets.current import current_market
from marketdata.sessions import calendar
from orders.models import Fill, Order
from papertrade.reports.axis import TradingAxis
from papertrade.reports.figures import Figure, Frame, Line, Mark, price_chart
from portfolio.models import Book

SESSIONS = 5
STEP = timedelta(minutes=5)
MOST_MARKS = 300


@dataclass(frozen=True, slots=True)
class SymbolChart:
    """The figure, and of what grade its prices are: simulated, recorded or live."""

    figure: Figure
    grade: str


def symbol_chart(symbol: str, books: Iterable[Book], working: Iterable[Order], *, zone: tzinfo) -> SymbolChart | None:
    """The chart up to now; None where the market keeps no past prices of the symbol."""
    now, days, market = clock.read().now, calendar(), current_market()
    sessions = days.last(SESSIONS, now)
    times = [
        session.open + number * STEP
        for session in sessions
        for number in range((min(session.close, now) - session.open) // STEP + 1)
    ]
    if times and times[-1] < now and days.session_at(now):
        times.append(now)
    mids = market.mids(symbol, times)
    points = [(at, mid) for at, mid in zip(times, mids or (), strict=False) if mid is not None]
    if not points:
        return None
    fills = Fill.objects.filter(book__in=list(books), symbol=symbol, created_at__gte=points[0][0]).order_by("-seq")
    marks = [
        Mark(fill.created_at, fill.side, f"{fill.side} {fill.qty.normalize():f} at {fill.price.normalize():f}")
        for fill in fills[:MOST_MARKS]
    ]
    limits = [(order.side, order.limit_price) for order in working if order.limit_price is not None]
    frame = Frame(TradingAxis(days, points[0][0], max(points[-1][0], now)), zone, datetime.now(UTC).year)
    line = Line(in_words(symbol), points, "accent")
    return SymbolChart(price_chart(line, sorted(marks, key=lambda mark: mark.at), limits, frame), market.name)
