"""How the server is: the parts it stands on, each with how long it took to answer. Needs no key."""

import time
from collections.abc import Callable
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from papertrade.api.kit.fields import Text
from papertrade.api.kit.schema import answers
from papertrade.operations.health import CHECKS, well

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
    status = OK if well(check) else DOWN
    return {"status": status, "latency_ms": round((time.perf_counter() - started) * 1000, 3)}
