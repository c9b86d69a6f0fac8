"""How the server is: the parts it stands on, each with how long it took to answer. Needs no key."""

import time
from collections.abc import Callable
from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.services import MAX_ACTIVE_ACCOUNTS
from marketdata import clock
from papertrade import __version__
from papertrade.api.kit.feed import FeedSerializer, feed_now
from papertrade.api.kit.fields import Count, Instant, Text, Word
from papertrade.api.kit.rendering import NumbersRenderer
from papertrade.api.kit.schema import call
from papertrade.api.kit.serializers import WireSerializer
from papertrade.api.kit.viewsets import ApiViewSet
from papertrade.operations.health import CHECKS, well, went_on_at

OK, DEGRADED, DOWN = "ok", "degraded", "down"


class ServiceSerializer(WireSerializer):
    """One part, and how long it took to answer."""

    status = Word([OK, DOWN], called="ServiceStatus")
    latency_ms = serializers.FloatField(read_only=True)


class LimitsSerializer(WireSerializer):
    """The server's limits for an account, a user and a key; null where there is none."""

    open_orders = Count()
    active_accounts = Count()
    requests_minute = Count(allow_null=True)
    requests_day = Count(allow_null=True)


class StatusSerializer(WireSerializer):
    """ok, or degraded where a part does not answer. `feed` is null but in a live market."""

    status = Word([OK, DEGRADED], called="ServerStatus")
    request_id = Text()
    version = Text()
    services = serializers.DictField(child=ServiceSerializer(), read_only=True)
    clock_went_on_at = Instant(allow_null=True)  # wall time: after sleep, or where the clock was set back
    clock_skew_seconds = serializers.FloatField(read_only=True)  # of the machine that answers, against the database's
    limits = LimitsSerializer()
    feed = FeedSerializer(allow_null=True)


class StatusViewSet(ApiViewSet):
    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    throttle_classes: list[Any] = []
    renderer_classes = [NumbersRenderer]
    serializer_class = StatusSerializer

    @call("How the server is", StatusSerializer)
    def show(self, request: Request) -> Response:
        services = {name: _timed(check) for name, check in CHECKS.items()}
        healthy = all(service["status"] == OK for service in services.values())
        return self.shown(
            {
                "status": OK if healthy else DEGRADED,
                "request_id": request._request.request_id,
                "version": __version__,
                "services": services,
                "clock_went_on_at": went_on_at(),
                "clock_skew_seconds": round(clock.skew().total_seconds(), 3),
                "limits": {
                    "open_orders": settings.PAPERTRADE_MAX_OPEN_ORDERS,
                    "active_accounts": MAX_ACTIVE_ACCOUNTS,
                    "requests_minute": settings.PAPERTRADE_RATE_LIMIT_MINUTE,
                    "requests_day": settings.PAPERTRADE_RATE_LIMIT_DAY,
                },
                "feed": feed_now(),
            }
        )


def _timed(check: Callable[[], bool]) -> dict[str, Any]:
    started = time.perf_counter()
    status = OK if well(check) else DOWN
    return {"status": status, "latency_ms": round((time.perf_counter() - started) * 1000, 3)}
