"""Answers are compressed for whoever takes it, except small ones of the API, where it would cost more than it saves."""

import os
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.middleware.gzip import GZipMiddleware

LEAST_API_BYTES = 2_000
API_PREFIX = "/v1/"
# Of files that are compressed already, or that nobody reads as they come.
PACKED = frozenset({".png", ".woff2", ".gz", ".zip"})


class Compression(GZipMiddleware):
    """Django's gzip, which pads HTML so that its length tells nothing, with a floor for the API's answers."""

    get_response: Callable[[HttpRequest], HttpResponse]

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        small = (
            request.path.startswith(API_PREFIX) and not response.streaming and len(response.content) < LEAST_API_BYTES
        )
        if small or os.path.splitext(request.path)[1] in PACKED:
            return response
        return super().process_response(request, response)
