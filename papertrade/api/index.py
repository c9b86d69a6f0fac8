"""`GET /v1/`: what there is, for whoever types the address or follows it with a program. It needs no key."""

from functools import cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from papertrade import __version__
from papertrade.api.kit.schema import document

METHODS = ("get", "post", "patch", "delete")


@require_safe
def index(request: HttpRequest) -> JsonResponse:
    """Every call with its summary, and where to read on."""
    return JsonResponse(
        {
            "name": "papertrade",
            "version": __version__,
            "market": settings.PAPERTRADE_MARKET,
            "authentication": "Authorization: Bearer cm_your_key",
            "documentation": {
                name: request.build_absolute_uri(path)
                for name, path in {"people": "/docs/", "agents": "/llms.txt", "openapi": "/v1/openapi.json"}.items()
            },
            "calls": _calls(),
        }
    )


@cache
def _calls() -> list[dict[str, Any]]:
    return [
        {"method": method.upper(), "path": path, "summary": operations[method]["summary"]}
        for path, operations in document()["paths"].items()
        for method in METHODS
        if method in operations
    ]
