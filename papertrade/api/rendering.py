"""JSON out: an object as it is, a list in its envelope."""

import json
from typing import Any

from rest_framework.renderers import BaseRenderer


class EnvelopeRenderer(BaseRenderer):
    """Compact UTF-8 JSON. Everything it gets is already of JSON's types."""

    media_type = "application/json"
    format = "json"
    charset = None

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        if data is None:
            return b""
        return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
