"""The equity curve in columns: numbers, no gaps, and profit against the equity at the start of the span."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock
from marketdata.sessions import Session, calendar
from papertrade.api.alpaca.errors import bad_input
from papertrade.api.alpaca.views import AlpacaViewSet
from papertrade.lib.times import EXCHANGE_ZONE, MOMENT
from portfolio.history import TIMEFRAMES, equity_at, history
from portfolio.models import Book
from portfolio.selectors import book_of, summary

_PERIOD = re.compile(r"(\d{1,4})([DWMA])")
DAYS_OF = {"W": 7, "M": 31, "A": 366}
DAILY = "1D"
LONGEST_PERIOD = timedelta(days=100_000)  # so that what begins or ends a period is a time
MINUTES_UP_TO, QUARTERS_UP_TO = timedelta(days=7), timedelta(days=30)
MAX_POINTS = 20_000


class Span(NamedTuple):
    """What is asked for: after `start` and up to `end`, in steps of a timeframe."""

    start: datetime
    end: datetime
    timeframe: str


class PortfolioHistoryViewSet(AlpacaViewSet):
    def retrieve(self, request: Request) -> Response:
        book, now = book_of(account=self.account), clock.read().now
        span = self._span(book, now)
        return Response(columns(book, span, now))

    def _span(self, book: Book, now: datetime) -> Span:
        query = self.query
        start, end = (
            query.instant("start"),
            query.instant("end", end_of_day=True) or query.instant("date_end", end_of_day=True),
        )
        if start and end and "period" in query:
            raise bad_input("at most two of period, start and end are accepted")
        if start is not None and "period" in query:
            end = _after(start, query.text("period"), now)
        end = min(end or now, now)
        if start is None:
            start = _before(end, query.text("period", "1M"), book)
        timeframe = query.text("timeframe") or _usual_timeframe(end - start)
        if timeframe not in TIMEFRAMES:
            raise bad_input(f"invalid timeframe: must be one of {', '.join(TIMEFRAMES)}")
        if end - start > QUARTERS_UP_TO + timedelta(days=2) and timeframe != DAILY:
            raise bad_input(f"a period of more than 30 days needs timeframe {DAILY}")
        return Span(start, end, timeframe)


def _before(end: datetime, period: str, book: Book) -> datetime:
    """Where a period that ends at `end` begins; `D` counts sessions, and begins just before the first one's open."""
    if period.lower() == "all":
        return book.generation.opened_at - MOMENT
    number, unit = _read_period(period)
    if unit != "D":
        return end - _length(number, unit)
    begun = [session for session in calendar().sessions if session.open <= end]
    return begun[-min(number, len(begun))].open - MOMENT if begun else end - timedelta(days=number)


def _after(start: datetime, period: str, now: datetime) -> datetime:
    """Where a period that begins at `start` ends."""
    if period.lower() == "all":
        return now
    number, unit = _read_period(period)
    if unit != "D":
        return start + _length(number, unit)
    following = [session for session in calendar().sessions if session.close > start][:number]
    return following[-1].close if following else now


def _read_period(period: str) -> tuple[int, str]:
    """How many of which unit. Raises AlpacaError."""
    match = _PERIOD.fullmatch(period.upper())
    if match is None or not int(match[1]):
        raise bad_input("invalid period: must be a number and one of D, W, M, A, such as 1M")
    return int(match[1]), match[2]


def _length(number: int, unit: str) -> timedelta:
    return min(timedelta(days=DAYS_OF[unit] * number), LONGEST_PERIOD)


def _usual_timeframe(length: timedelta) -> str:
    if length < MINUTES_UP_TO:
        return "1Min"
    return "15Min" if length < QUARTERS_UP_TO else DAILY


def columns(book: Book, span: Span, now: datetime) -> dict[str, Any]:
    """Each point's time in UNIX seconds, its equity, and profit.

    Within a day profit is against the base value; of days each is against the one before, as Alpaca's own examples are.
    """
    base = equity_at(book=book, at=span.start)
    base = book.generation.initial_cash if base is None else base
    points = _daily(book, span, now) if span.timeframe == DAILY else _intraday(book, span, base)
    equities = [equity for _, equity in points]
    against = [base, *equities][: len(equities)] if span.timeframe == DAILY else [base] * len(equities)
    profits = [equity - before for equity, before in zip(equities, against, strict=True)]
    return {
        "timestamp": [int(at.timestamp()) for at, _ in points],
        "equity": [float(equity) for equity in equities],
        "profit_loss": [float(profit) for profit in profits],
        "profit_loss_pct": [
            float(round(profit / before, 6)) if before else 0.0 for profit, before in zip(profits, against, strict=True)
        ],
        "base_value": float(base),
        "base_value_asof": span.start.astimezone(EXCHANGE_ZONE).date().isoformat(),
        "timeframe": span.timeframe,
    }


def _intraday(book: Book, span: Span, base: Decimal) -> list[tuple[datetime, Decimal]]:
    """A point for each stretch of a session, under the time at which it begins: what the account came to in it last, or
    before it.
    """
    found = iter(history(book=book, timeframe=span.timeframe, after=span.start, until=span.end, limit=MAX_POINTS))
    following, equity, points = next(found, None), base, []
    for begins, ends in _stretches(book, span):
        while following is not None and following.timestamp < ends:
            equity, following = following.equity, next(found, None)
        points.append((begins, equity))
    return points


def _stretches(book: Book, span: Span) -> Iterator[tuple[datetime, datetime]]:
    """Begin and end of each bucket of the timeframe in the span's sessions; a session's last bucket includes the close."""
    step = TIMEFRAMES[span.timeframe]
    for session in _sessions(book, span):
        midnight = session.open.astimezone(EXCHANGE_ZONE).replace(hour=0, minute=0)
        begins = session.open
        ends = begins - (begins - midnight) % step + step
        while begins <= span.end and begins < session.close:
            last = ends >= session.close
            if ends > max(span.start, book.generation.opened_at):
                yield begins, session.close + MOMENT if last else ends
            begins, ends = ends, ends + step


def _daily(book: Book, span: Span, now: datetime) -> list[tuple[datetime, Decimal]]:
    """A point for each session, held or flat: the last equity known by its close, or now in the one in progress."""
    found = history(book=book, timeframe=DAILY, after=span.start, until=span.end, limit=MAX_POINTS)
    known = {point.timestamp.astimezone(EXCHANGE_ZONE).date(): point.equity for point in found}
    equity = equity_at(book=book, at=span.start)
    points = []
    for session in _sessions(book, span):
        equity = known.get(session.date, equity)
        at = min(session.close, now)
        standing = summary(book=book).equity if session.contains(now) else equity
        points.append((at, book.generation.initial_cash if standing is None else standing))
    return points


def _sessions(book: Book, span: Span) -> list[Session]:
    opened = book.generation.opened_at
    first, last = max(span.start, opened).astimezone(EXCHANGE_ZONE).date(), span.end.astimezone(EXCHANGE_ZONE).date()
    return [
        session for session in calendar().between(first, last) if session.open <= span.end and session.close > opened
    ]
