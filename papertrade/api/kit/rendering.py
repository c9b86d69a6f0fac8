"""JSON out, whatever the client says that it accepts."""

import json
from typing import Any

import orjson
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class EnvelopeRenderer(BaseRenderer):
    """Compact UTF-8 JSON. Everything it gets is already of JSON's types, and numbers are strings or whole."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if data is None:
            return b""
        try:
            return orjson.dumps(data)
        except TypeError:  # what it has no bytes for: half a surrogate pair, a whole number of more than 64 bits
            return spelled(data)


class NumbersRenderer(EnvelopeRenderer):
    """The same for answers that have JSON numbers with a decimal point: orjson writes small and large ones differently."""

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        return b"" if data is None else spelled(data)


def spelled(data: Any) -> bytes:
    """Compact UTF-8 JSON by Python's own encoder."""
    # Half a surrogate pair, repeated from a request, cannot be UTF-8: it goes back as the escape that it came as.
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


class OneFormat(DefaultContentNegotiation):
    """Each address has one format: `Accept` and `format` choose nothing, and so can refuse nothing."""

    def select_renderer(
        self, request: Request, renderers: list[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type
