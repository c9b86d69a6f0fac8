"""JSON out, whatever the client says that it accepts."""

import json
from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class EnvelopeRenderer(BaseRenderer):
    """Compact UTF-8 JSON. Everything it gets is already of JSON's types."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if data is None:
            return b""
        # Half a surrogate pair, repeated from a request, has no UTF-8: it goes back as the escape that it came as.
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode(errors="backslashreplace")


class OneFormat(DefaultContentNegotiation):
    """Each address has one format: `Accept` and `format` choose nothing, and so can refuse nothing."""

    def select_renderer(
        self, request: Request, renderers: list[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type
