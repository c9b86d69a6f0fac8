"""How the server is: the parts it stands on, each with how long it took to answer. Needs no key."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import Error, connection
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketdata import book, clock
from marketdata.models import MarketClock
from papertrade.api.fields import Text
from papertrade.api.schema import answers
from papertrade.errors import PapertradeError

FEED_SILENT = timedelta(seconds=15)
OK, DEGRADED, DOWN = "ok", "degraded", "down"


class Service(serializers.Serializer):
    status = Text()
    latency_ms = serializers.FloatField(read_only=True)


class StatusShape(serializers.Serializer):
    """ok, or degraded where a part does not answer."""

    status = Text()
    request_id = Text()
    services = serializers.DictField(child=Service(), read_only=True)


class Status(APIView):
    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    throttle_classes: list[Any] = []

    @answers(StatusShape, "How the server is")
    def get(self, request: Request) -> Response:
        services = {name: _timed(check) for name, check in CHECKS.items()}
        healthy = all(service["status"] == OK for service in services.values())
        body = {"status": OK if healthy else DEGRADED, "request_id": request._request.request_id, "services": services}
        return Response(body)


def _timed(check: Callable[[], bool]) -> dict[str, Any]:
    started = time.perf_counter()
    try:
        status = OK if check() else DOWN
    except (Error, PapertradeError, clock.ClockNotStarted):
        status = DOWN
    return {"status": status, "latency_ms": round((time.perf_counter() - started) * 1000, 3)}


def _database() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone() == (1,)


def _quote_book() -> bool:
    return bool(book.ping())


def _feed() -> bool:
    """Whether the feed process moved the market, or at least its own heart, a moment ago."""
    beat = MarketClock.objects.values_list("heartbeat_at", flat=True).first()
    return beat is not None and clock.wall_now() - beat < FEED_SILENT


CHECKS: dict[str, Callable[[], bool]] = {"database": _database, "valkey": _quote_book, "feed": _feed}
