"""Every address of the server."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import TemplateView
from drf_spectacular.views import SpectacularSwaggerSplitView

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
    path("llms.txt", TemplateView.as_view(template_name="llms.txt", content_type="text/plain; charset=utf-8")),
    path("healthz", probes.alive, name="alive"),
    path("readyz", probes.ready, name="ready"),
    path("metrics", probes.metrics, name="metrics"),
    path("admin/", admin.site.urls),
    path("", include("papertrade.dashboard.urls")),
]
