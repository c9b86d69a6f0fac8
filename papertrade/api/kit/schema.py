"""What the OpenAPI document says of each call: from the viewset itself, and one decorator for what no code says."""

from collections.abc import Callable
from functools import cache
from typing import Any, cast

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers

from papertrade.api.kit.serializers import ErrorSerializer
from papertrade.lib.numbers import MAX_NUMBER_LENGTH

ALWAYS = (400, 401, 403, 404, 429, 503)
BODY_REFUSALS = (413, 415)

# Parts of the bodies that are sent.
NUMBER = {"oneOf": [{"type": "string", "maxLength": MAX_NUMBER_LENGTH}, {"type": "number"}, {"type": "null"}]}
TEXT = {"type": ["string", "null"]}


def json_body(
    called: str, properties: dict[str, Any], *, required: tuple[str, ...] = (), example: Any = None
) -> dict[str, Any]:
    """A JSON object with these fields and no others, under a name of its own in the document."""
    schema = {"type": "object", "title": called, "properties": properties, "additionalProperties": False}
    if required:
        schema["required"] = list(required)
    if example is not None:
        schema["example"] = example
    return {"application/json": schema}


def call(
    summary: str,
    answer: type[serializers.Serializer] | None,
    *,
    many: bool = False,
    status: int = 200,
    body: dict[str, Any] | None = None,
    replayed: str = "",
    codes: tuple[int, ...] = (),
    streamed: str = "",
) -> Callable[[Any], Any]:
    """What a call does and answers: `many` rows in the list envelope, or one object, or None for nothing.

    `replayed` says what an answer of 200 means where the same request was sent before, `codes` which refusals the call has
    besides those of every call, `streamed` what clients that accept `text/event-stream` go on to receive.
    """
    said = None if answer is None else answer(many=True) if many else answer
    responses: dict[Any, Any] = {status: said or OpenApiResponse(description="Done.")}
    if replayed:
        responses[200] = OpenApiResponse(said, description=replayed)
    if streamed:
        responses[200, "text/event-stream"] = OpenApiResponse(str, description=streamed)
    refusals = (*ALWAYS, *codes, *(BODY_REFUSALS if body else ()))
    return extend_schema(
        summary=summary, request=body, responses={**responses, **dict.fromkeys(refusals, ErrorSerializer)}
    )


class Schema(AutoSchema):
    """Groups calls by the second part of their path, and names operations by method and path."""

    def get_tags(self) -> list[str]:
        parts = self.path.strip("/").split("/")
        return [parts[1] if len(parts) > 1 else "status"]

    def get_description(self) -> str:
        """None: the docstring of a view speaks to those who read the code, and the summary to those who call."""
        return ""

    def get_operation_id(self) -> str:
        words = [part.strip("{}").replace(":", "_").replace(".", "_") for part in self.path.strip("/").split("/")[1:]]
        return "_".join([self.method.lower(), *words])

    def get_filter_backends(self) -> list[Any]:
        """Every call's parameters are those of its filter set, whether it lists or not."""
        return getattr(self.view, "filter_backends", [])

    def _get_pagination_parameters(self) -> list[dict[str, Any]]:
        """Also of an object that goes on: its pages are not a list in the envelope."""
        paginator = self._get_paginator()
        return [] if paginator is None else paginator.get_schema_operation_parameters(self.view)

    def get_paginated_name(self, serializer_name: str) -> str:
        return f"{serializer_name}List"

    def _get_paginator(self) -> Any:
        return getattr(self.view, "paginator", None)


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document, made once per process: making it takes as long as many orders."""
    return cast("dict[str, Any]", SchemaGenerator().get_schema(public=True))


@cache
def _rendered() -> bytes:
    return OpenApiJsonRenderer().render(document(), renderer_context={})


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document. It needs no key."""
    return HttpResponse(_rendered(), content_type=OpenApiJsonRenderer.media_type)


class KeyScheme(OpenApiAuthenticationExtension):
    target_class = "papertrade.api.kit.authentication.KeyAuthentication"
    name = "key"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A key: cm_..."}


class DashboardScheme(OpenApiAuthenticationExtension):
    target_class = "papertrade.api.kit.authentication.DashboardAuthentication"
    name = "dashboard"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "A dashboard session, with CSRF."}
