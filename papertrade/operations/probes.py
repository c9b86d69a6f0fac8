"""What machines ask of the server: is the process alive, may it be sent requests, and its metrics."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import resolve
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from papertrade.operations import gauges, health

PROBES = frozenset({"/healthz", "/readyz"})


class Probes:
    """Answers health checks before all middleware that minds who asks: they call a machine by its address, not by its name."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info not in PROBES:
            return self.get_response(request)
        request.resolver_match = match = resolve(request.path_info)
        return match.func(request)


@require_safe
@never_cache
def alive(request: HttpRequest) -> HttpResponse:
    """The process answers. It asks nothing else: a restart mends no database."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """200 where requests can be served, else 503 with the reasons."""
    reasons = health.not_ready()
    return JsonResponse(
        {"status": "not ready" if reasons else "ok", "reasons": reasons}, status=503 if reasons else 200
    )


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus's text format, for the metrics token and for signed-in staff."""
    if not _may_read_metrics(request):
        refusal = HttpResponse("Send the header Authorization: Bearer and PAPERTRADE_METRICS_TOKEN.\n", status=401)
        refusal.headers["WWW-Authenticate"] = 'Bearer realm="papertrade metrics"'
        refusal.headers["Content-Type"] = "text/plain; charset=utf-8"
        return refusal
    return HttpResponse(gauges.scrape(), content_type=CONTENT_TYPE_LATEST)


def _may_read_metrics(request: HttpRequest) -> bool:
    """Being on loopback is no right: behind a proxy on the same machine everybody is."""
    token, given = settings.PAPERTRADE_METRICS_TOKEN, request.headers.get("Authorization", "")
    if token and constant_time_compare(given, f"Bearer {token}"):
        return True
    return request.user.is_active and request.user.is_staff
