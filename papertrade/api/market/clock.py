"""Exchange time: the clock, moving it where it may be moved, and the trading calendar."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock
from marketdata.sessions import calendar
from papertrade.api.kit.authentication import MayMoveMarket, MayRead
from papertrade.api.kit.feed import FeedNow, feed_now
from papertrade.api.kit.parsing import read_object
from papertrade.api.kit.rendering import NumbersRenderer
from papertrade.api.kit.schema import NUMBER, call, json_body
from papertrade.api.kit.viewsets import ApiViewSet, ListViewSet
from papertrade.api.market.filters import CalendarFilter
from papertrade.api.market.serializers import ClockSerializer, SessionSerializer
from papertrade.lib.errors import BadRequest
from papertrade.lib.numbers import read_number
from papertrade.lib.times import EXCHANGE_ZONE, read_instant
from papertrade.trading.clock import advance

CALENDAR_DAYS = 30
MAX_ADVANCE_SECONDS = Decimal(366 * 86_400)
ADVANCE = json_body(
    "AdvanceClock",
    {"to": {"type": ["string", "null"], "format": "date-time"}, "seconds": NUMBER},
    example={"seconds": 60},
)


@dataclass(frozen=True, slots=True)
class ClockNow:
    """Exchange time with what it means for trading."""

    timestamp: datetime
    is_open: bool
    next_open: datetime
    next_close: datetime
    market: str
    speed: str
    feed: FeedNow | None


def clock_now() -> ClockNow:
    """The clock as it stands."""
    reading, days = clock.read(), calendar()
    return ClockNow(
        timestamp=reading.now,
        is_open=days.session_at(reading.now) is not None,
        next_open=days.next_open(reading.now).open,
        next_close=days.upcoming(reading.now).close,
        market=reading.market,
        speed=format(reading.speed.normalize(), "f"),
        feed=feed_now(),
    )


class ClockViewSet(ApiViewSet):
    permission_classes = [MayRead]
    renderer_classes = [NumbersRenderer]
    serializer_class = ClockSerializer

    @call("Exchange time", ClockSerializer)
    def show(self, request: Request) -> Response:
        return self.shown(clock_now())

    @call("Move the clock; everything due by then is done first", ClockSerializer, body=ADVANCE, codes=(409,))
    @action(detail=False, methods=["post"], permission_classes=[MayMoveMarket])
    def advance(self, request: Request) -> Response:
        advance(to=_target(read_object(request.data, "to", "seconds")))
        return self.shown(clock_now())


def _target(given: dict[str, Any]) -> datetime:
    if (given["to"] is None) == (given["seconds"] is None):
        raise BadRequest("Send either to or seconds.", to="a time", seconds="a number of seconds")
    now = clock.read().now
    if given["to"] is not None:
        try:
            to = read_instant(given["to"])
        except ValueError as problem:
            raise BadRequest("The time cannot be used.", to=str(problem)) from None
        if to > now + timedelta(seconds=int(MAX_ADVANCE_SECONDS)):
            raise BadRequest("The time cannot be used.", to=f"must be at most {MAX_ADVANCE_SECONDS} seconds ahead")
        return to
    seconds = read_number(given["seconds"])
    if seconds is None or not 0 <= seconds <= MAX_ADVANCE_SECONDS:
        raise BadRequest("The seconds cannot be used.", seconds=f"must be a number from 0 to {MAX_ADVANCE_SECONDS}")
    return now + timedelta(microseconds=int(seconds * 1_000_000))


class CalendarViewSet(ListViewSet):
    permission_classes = [MayRead]
    serializer_class = SessionSerializer
    filterset_classes = {"list": CalendarFilter}
    page_key = "date"

    def get_queryset(self) -> Any:
        today = clock.read().now.astimezone(EXCHANGE_ZONE).date()
        start = self.query.get("start") or today
        return calendar().between(start, self.query.get("end") or _days_after(max(start, today)))

    @call("Trading sessions", SessionSerializer, many=True)
    def list(self, request: Request) -> Response:
        return super().list(request)


def _days_after(start: date) -> date:
    return start + min(timedelta(days=CALENDAR_DAYS), date.max - start)
