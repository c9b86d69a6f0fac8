"""Requests per minute and per day, counted per key in Valkey. While Valkey is away nothing is counted and nobody refused."""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import redis
import structlog
from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from papertrade.lib.valkey import client

if TYPE_CHECKING:  # importing it here would go round in a circle
    from rest_framework.views import APIView

log = structlog.get_logger(__name__)

WINDOWS = {"Minute": 60, "Day": 86_400}
UNLIMITED = "unlimited"


def _limits() -> dict[str, int | None]:
    return {"Minute": settings.PAPERTRADE_RATE_LIMIT_MINUTE, "Day": settings.PAPERTRADE_RATE_LIMIT_DAY}


def rate_headers(used: Mapping[str, int]) -> dict[str, str]:
    """The headers of an answer, from the number of requests that each window has seen."""
    headers = {"X-RateLimit-Plan": settings.PAPERTRADE_RATE_PLAN}
    for window, limit in _limits().items():
        left = UNLIMITED if limit is None else str(max(0, limit - used.get(window, 0)))
        headers[f"X-RateLimit-Limit-{window}"] = UNLIMITED if limit is None else str(limit)
        headers[f"X-RateLimit-Remaining-{window}"] = left
    return headers


class KeyThrottle(BaseThrottle):
    """Fixed windows; the dashboard counts per user."""

    def __init__(self) -> None:
        self._wait: float | None = None

    def allow_request(self, request: Request, view: "APIView") -> bool:
        if request.user is None:
            return True
        limits, now = _limits(), time.time()
        used = self._count(request, now, [window for window, limit in limits.items() if limit is not None])
        for window, count in used.items():
            limit = limits[window]
            if limit is not None and count > limit:
                self._wait = WINDOWS[window] - now % WINDOWS[window]
        request._request.rate_headers = rate_headers(used)
        return self._wait is None

    def wait(self) -> float | None:
        return self._wait

    def _count(self, request: Request, now: float, windows: list[str]) -> dict[str, int]:
        if not windows:
            return {}
        who = f"key:{request.auth.pk}" if request.auth else f"user:{request.user.pk}"
        try:
            with client().pipeline(transaction=False) as pipe:
                for window in windows:
                    seconds = WINDOWS[window]
                    name = f"papertrade:rate:{who}:{window}:{int(now // seconds)}"
                    pipe.incr(name)
                    pipe.expire(name, seconds)
                counts = pipe.execute()
        except redis.RedisError as error:
            log.warning("rate_not_counted", error=str(error))
            return {}
        return dict(zip(windows, counts[::2], strict=True))
