"""The metrics, for a machine that scrapes them. Health and readiness are answered before Django: `papertrade.web.probes`."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST

from papertrade.operations import gauges


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
    """Whether the request has the token or is from signed-in staff. Coming from loopback gives no right: a proxy does too."""
    token, given = settings.PAPERTRADE_METRICS_TOKEN, request.headers.get("Authorization", "")
    if token and constant_time_compare(given, f"Bearer {token}"):
        return True
    return request.user.is_active and request.user.is_staff
