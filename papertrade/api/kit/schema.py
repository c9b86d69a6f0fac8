"""What the OpenAPI schema says of each call, in one decorator beside the view, and the fixes that make it true."""

from collections.abc import Callable
from functools import cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from papertrade.api.paper.serializers import Error, OrderShape

generation = {"generation": "the run of the account; default the latest"}
PAGING = {"limit": "rows a page, default 100, at most 1000", "cursor": "from next_url"}
ALWAYS = (400, 401, 403, 404, 429, 503)

NUMBER = {"oneOf": [{"type": "string", "maxLength": 40}, {"type": "number"}, {"type": "null"}]}
TEXT = {"type": ["string", "null"]}
POLICY = {
    "type": ["object", "null"],
    "properties": {
        "stock_quote_max_age_seconds": {"type": "integer", "minimum": 1, "maximum": 86400},
        "option_quote_max_age_seconds": {"type": "integer", "minimum": 1, "maximum": 86400},
        "option_max_spread_ratio": NUMBER,
        "option_spread_floor": NUMBER,
        "size_cap": {"type": "boolean"},
    },
    "additionalProperties": False,
}
BODY_FIELDS: dict[str, dict[str, Any]] = {
    "name": {**TEXT, "maxLength": 100},
    "initial_cash": NUMBER,
    "policy": POLICY,
    "confirm": {"type": "boolean"},
    "reason": {**TEXT, "maxLength": 500},
    "to": {"type": ["string", "null"], "format": "date-time"},
    "seconds": NUMBER,
    "quotes": {"type": "array", "items": {"type": "object"}, "maxItems": 1000},
}
ORDER_FIELDS: dict[str, dict[str, Any]] = {
    "symbol": {"type": "string", "maxLength": 32},
    "qty": {"oneOf": [{"type": "string", "maxLength": 40}, {"type": "number", "exclusiveMinimum": 0}]},
    "side": {"type": "string", "enum": ["buy", "sell"]},
    "type": {"type": "string", "enum": ["market", "limit"]},
    "time_in_force": {"type": "string", "enum": ["day", "gtc"]},
    "limit_price": NUMBER,
    "position_intent": {"type": ["string", "null"], "enum": ["buy_to_open", "sell_to_close", "", None]},
    "client_order_id": {"type": ["string", "null"], "minLength": 1, "maxLength": 128},
    "extended_hours": {"type": ["boolean", "null"]},
    "order_class": {"type": ["string", "null"], "enum": ["simple", "", None]},
}
order_body = {
    "application/json": {
        "type": "object",
        "properties": ORDER_FIELDS,
        "required": ["symbol", "qty", "side", "type", "time_in_force"],
        "additionalProperties": False,
        "example": {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"},
    }
}


def object_body(*fields: str) -> dict[str, Any]:
    """A JSON object with some of these fields."""
    return {
        "application/json": {
            "type": "object",
            "properties": {name: BODY_FIELDS[name] for name in fields},
            "additionalProperties": False,
        }
    }


def answers(
    shape: type[serializers.Serializer] | None, summary: str, *, status: int = 200, body: Any = None,
    query: dict[str, str] | None = None, codes: tuple[int, ...] = (),
) -> Callable[[Any], Any]:  # fmt: skip
    """The call answers one object."""
    responses: dict[int, Any] = {status: shape or OpenApiResponse(description="Done, and nothing to say.")}
    if shape is OrderShape and status == 201 and body:
        responses[200] = OpenApiResponse(shape, description="The same order was sent before: this is it.")
    return _extend(summary, responses, body, query or {}, codes)


def lists(
    shape: type[serializers.Serializer], summary: str, *, query: dict[str, str] | None = None
) -> Callable[[Any], Any]:
    """The call answers a page of objects in the list envelope."""
    return _extend(summary, {200: _envelope(shape)}, None, {**PAGING, **(query or {})}, ())


@cache
def _envelope(shape: type[serializers.Serializer]) -> type[serializers.Serializer]:
    fields = {
        "__doc__": None,
        "status": serializers.ChoiceField(["OK"], read_only=True),
        "request_id": serializers.CharField(read_only=True),
        "results": shape(many=True, read_only=True),
        "next_url": serializers.URLField(allow_null=True, read_only=True),
    }
    return type(f"{shape.__name__.removesuffix('Shape')}List", (serializers.Serializer,), fields)


def _extend(
    summary: str, responses: dict[int, Any], body: Any, query: dict[str, str], codes: tuple[int, ...]
) -> Callable[[Any], Any]:
    refusals = (*ALWAYS, *codes, *((413, 415) if body else ()))
    return extend_schema(
        summary=summary,
        request=body,
        responses={**responses, **dict.fromkeys(refusals, Error)},
        parameters=[OpenApiParameter(name, str, description=text) for name, text in query.items()],
    )


class Schema(AutoSchema):
    """Groups calls by the second part of their path, and names components without the suffix of the code."""

    def get_tags(self) -> list[str]:
        parts = self.path.strip("/").split("/")
        return [parts[1] if len(parts) > 1 else "status"]

    def get_description(self) -> str:
        """None: the docstring of a view speaks to those who read the code, and the summary to those who call."""
        return ""

    def get_operation_id(self) -> str:
        words = [part.strip("{}").replace(":", "_").replace(".", "_") for part in self.path.strip("/").split("/")[1:]]
        return "_".join([self.method.lower(), *words])


@cache
def _document() -> bytes:
    return OpenApiJsonRenderer().render(SchemaGenerator().get_schema(public=True), renderer_context={})


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """The OpenAPI document. It needs no key, and is made once: making it costs more than many orders."""
    return HttpResponse(_document(), content_type=OpenApiJsonRenderer.media_type)


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
