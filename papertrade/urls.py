"""Every address of the server."""

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import include, path
from django.views.defaults import page_not_found
from drf_spectacular.views import SpectacularSwaggerSplitView

from papertrade.api.kit.hints import is_api, twin
from papertrade.api.llms import llms
from papertrade.operations import probes

urlpatterns = [
    path("v1/", include("papertrade.api.urls")),
    path("", include("papertrade.api.alpaca.urls")),
    path(
        "docs/",
        SpectacularSwaggerSplitView.as_view(
            url_name="api:openapi", authentication_classes=[], permission_classes=[], throttle_classes=[]
        ),
        name="docs",
    ),
    path("llms.txt", llms, name="llms"),
    path("metrics", probes.metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("", include("papertrade.dashboard.urls")),
]


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Redirect to a page whose address was typed without its slash. A call of the API is never redirected, only told.

    A missing file gets no page: making one looks up who asks, and requests for files are not counted (`lib.strangers`).
    """
    if request.path.startswith(settings.STATIC_URL):
        return HttpResponse("There is no such file.\n", status=404, content_type="text/plain; charset=utf-8")
    other = twin(request.path)
    if request.method in {"GET", "HEAD"} and not is_api(request.path) and other is not None and other.endswith("/"):
        query = request.META.get("QUERY_STRING", "")
        return HttpResponseRedirect(f"{other}?{query}" if query else other)
    return page_not_found(request, exception)
