"""What every answer of the API carries: the rate-limit headers, and JSON whatever went wrong."""

import zlib
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers

from papertrade.api.kit.errors import plain
from papertrade.api.kit.hints import is_api
from papertrade.api.kit.throttling import rate_headers

COMPRESS_FROM_BYTES = 1400  # what fits one packet gains nothing
COMPRESSION_LEVEL = 1
GZIP = 16 + zlib.MAX_WBITS

Answer = Callable[[HttpRequest], HttpResponse]


class ApiMiddleware:
    """Outermost of the middleware that answers, so that it sees every answer."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if is_api(request.path):
            if response.status_code >= 400 and "json" not in response.headers.get("Content-Type", ""):
                wait = response.headers.get("Retry-After")
                response = plain(request, response.status_code)
                if wait:
                    response.headers["Retry-After"] = wait
            counted = getattr(request, "rate_headers", None)  # without a key nothing was counted
            for name, value in (counted or rate_headers({})).items():
                response.headers[name] = value
            _compress(request, response)
        return response


def _compress(request: HttpRequest, response: HttpResponse) -> None:
    """A long answer compressed where the client takes it: a list repeats its names and most of its values in every row.

    Nothing under /v1/ answers what is secret and what the asker chose in one body, so that lengths tell nobody anything.
    """
    if response.streaming or len(response.content) < COMPRESS_FROM_BYTES:
        return
    patch_vary_headers(response, ["Accept-Encoding"])
    if "gzip" in request.headers.get("Accept-Encoding", "") and "Content-Encoding" not in response.headers:
        response.content = zlib.compress(response.content, COMPRESSION_LEVEL, GZIP)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(len(response.content))
