"""The market: clock, calendar, quotes, and moving the clock where it may be moved."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock
from marketdata.instruments import InvalidSymbol, parse_symbol
from marketdata.markets.current import current_market
from marketdata.quotes import Quote, fault
from marketdata.sessions import Session, calendar
from orders.matching import NoFillReason
from papertrade.api.kit import pagination
from papertrade.api.kit.authentication import MayMoveMarket, MayRead
from papertrade.api.kit.fields import instant
from papertrade.api.kit.parsing import read_object
from papertrade.api.kit.queries import parse_instant, read_date
from papertrade.api.kit.schema import answers, lists, object_body
from papertrade.api.kit.views import ApiView
from papertrade.api.paper import serializers as shapes
from papertrade.lib.errors import BadRequest, Conflict
from papertrade.lib.numbers import read_number
from papertrade.trading.accounts import server_policy
from papertrade.trading.clock import advance

OK = "ok"
MAX_SYMBOLS = 100
CALENDAR_DAYS = 30
MAX_PUSH_BYTES = 1_048_576
MAX_ADVANCE_SECONDS = Decimal(366 * 86_400)


class MarketClock(ApiView):
    permission_classes = [MayRead]

    @answers(shapes.Clock, "Exchange time")
    def get(self, request: Request) -> Response:
        return Response(clock_json())


class Advance(ApiView):
    permission_classes = [MayMoveMarket]

    @answers(
        shapes.Clock,
        "Move the clock; everything due by then is done first",
        body=object_body("to", "seconds"),
        codes=(409,),
    )
    def post(self, request: Request) -> Response:
        advance(to=_target(read_object(request.data, "to", "seconds")))
        return Response(clock_json())


def _target(given: dict[str, Any]) -> datetime:
    if (given["to"] is None) == (given["seconds"] is None):
        raise BadRequest("Send either to or seconds.", to="a time", seconds="a number of seconds")
    now = clock.read().now
    if given["to"] is not None:
        to = parse_instant(given["to"], "to")
        if to > now + timedelta(seconds=int(MAX_ADVANCE_SECONDS)):
            raise BadRequest("The time cannot be used.", to=f"must be at most {MAX_ADVANCE_SECONDS} seconds ahead")
        return to
    seconds = read_number(given["seconds"])
    if seconds is None or not 0 <= seconds <= MAX_ADVANCE_SECONDS:
        raise BadRequest("The seconds cannot be used.", seconds=f"must be a number from 0 to {MAX_ADVANCE_SECONDS}")
    return now + timedelta(microseconds=int(seconds * 1_000_000))


def clock_json() -> dict[str, Any]:
    """The clock on the wire."""
    reading, days = clock.read(), calendar()
    at = reading.now
    return {
        "timestamp": instant(at),
        "is_open": days.session_at(at) is not None,
        "next_open": instant(days.next_open(at).open),
        "next_close": instant(days.upcoming(at).close),
        "market": reading.market,
        "speed": format(reading.speed.normalize(), "f"),
    }


class TradingCalendar(ApiView):
    permission_classes = [MayRead]

    @lists(shapes.SessionShape, "Trading sessions", query={"start": "first date", "end": "last date"})
    def get(self, request: Request) -> Response:
        today = clock.read().now.date()
        start = read_date(request, "start") or today
        end = read_date(request, "end") or _days_after(max(start, today))
        days = calendar().between(start, end)
        return pagination.page_of(request, days, key=lambda day: day.date.isoformat(), render=_sessions_json)


def _days_after(start: date) -> date:
    return start + min(timedelta(days=CALENDAR_DAYS), date.max - start)


def _sessions_json(days: Iterable[Session]) -> list[dict[str, Any]]:
    return [{"date": day.date.isoformat(), "open": instant(day.open), "close": instant(day.close)} for day in days]


class Quotes(ApiView):
    permission_classes = [MayRead]
    max_body_bytes = MAX_PUSH_BYTES

    def get_permissions(self) -> list[Any]:
        return [MayMoveMarket()] if self.request.method == "POST" else super().get_permissions()

    @lists(shapes.QuoteShape, "Latest quotes", query={"symbols": f"up to {MAX_SYMBOLS} symbols, parted by commas"})
    def get(self, request: Request) -> Response:
        symbols = _symbols(request.query_params.get("symbols", ""))
        at = clock.read().now
        latest = current_market().latest(symbols, at=at)
        return pagination.listing(request, [quote_json(symbol, latest.get(symbol), at) for symbol in symbols])

    @answers(None, "Push quotes, where the market's feed is pushed", body=object_body("quotes"), codes=(409,))
    def post(self, request: Request) -> Response:
        read_object(request.data, "quotes")
        raise Conflict("This market has a feed of its own; quotes cannot be pushed to it.", code="feed_not_writable")


def _symbols(text: str) -> list[str]:
    symbols = list(dict.fromkeys(symbol.strip() for symbol in text.split(",") if symbol.strip()))
    if not 1 <= len(symbols) <= MAX_SYMBOLS:
        raise BadRequest("Say which symbols.", symbols=f"must be 1 to {MAX_SYMBOLS} symbols, parted by commas")
    for symbol in symbols:
        try:
            parse_symbol(symbol)
        except InvalidSymbol as problem:
            raise BadRequest("A symbol cannot be used.", symbols=str(problem)) from None
    return symbols


def quote_json(symbol: str, quote: Quote | None, at: datetime) -> dict[str, Any]:
    """A quote on the wire, with its age and what is wrong with it."""
    if quote is None:
        empty = dict.fromkeys(("bid", "ask", "bid_size", "ask_size", "quoted_at", "age_ms"))
        return {"symbol": symbol, **empty, "quality": quality(symbol, None, at), "feed": current_market().feed.name}
    shown = shapes.evidence(quote, at, {})
    return {
        "symbol": symbol,
        **{name: shown[name] for name in ("bid", "ask", "bid_size", "ask_size", "quoted_at")},
        "age_ms": int(shown["age_ms"]),
        "quality": quality(symbol, quote, at),
        "feed": quote.feed,
    }


def quality(symbol: str, quote: Quote | None, at: datetime) -> str:
    """`ok`, or the reason that would stop a fill under the server's policy."""
    policy, is_option = server_policy(), parse_symbol(symbol).is_option
    session = calendar().session_at(at)
    flaw = fault(
        quote, at=at, max_age=policy.max_age(is_option=is_option), session_open=session.open if session else None
    )
    if flaw is not None:
        return str(flaw)
    if session is None:
        return str(NoFillReason.MARKET_CLOSED)
    if is_option and quote.spread > policy.max_spread(quote.mid):
        return str(NoFillReason.OPTION_SPREAD_TOO_WIDE)
    return OK
