"""The clock and the calendar of the exchange."""

from datetime import timedelta

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock as market_clock
from marketdata.sessions import Session, calendar
from papertrade.api.alpaca import shapes
from papertrade.api.alpaca.views import AlpacaViewSet

SETTLES_AFTER_SESSIONS = 1  # T+1 since May 2024


class ClockViewSet(AlpacaViewSet):
    def retrieve(self, request: Request) -> Response:
        now, days = market_clock.read().now, calendar()
        return Response(
            shapes.clock(
                now,
                is_open=days.session_at(now) is not None,
                next_open=days.next_open(now).open,
                next_close=days.upcoming(now).close,
            )
        )


class CalendarViewSet(AlpacaViewSet):
    def list(self, request: Request) -> Response:
        days = calendar()
        start = self.query.day("start") or days.sessions[0].date
        end = self.query.day("end") or days.sessions[-1].date
        following = {
            day.date: after for day, after in zip(days.sessions, days.sessions[SETTLES_AFTER_SESSIONS:], strict=False)
        }
        by_settlement = self.query.word("date_type", ("trading", "settlement"), "trading") == "settlement"
        if by_settlement:
            wanted: list[Session] = [
                day
                for day in days.between(start - timedelta(days=7), end)
                if day.date in following and start <= following[day.date].date <= end
            ]
        else:
            wanted = list(days.between(start, end))
        return Response([shapes.session(day, following.get(day.date)) for day in wanted])
