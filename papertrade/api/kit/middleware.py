"""What every answer of the API carries: a request id, the rate-limit headers, and JSON whatever went wrong."""

import secrets
from collections.abc import Callable

import structlog
from django.http import HttpRequest, HttpResponse

from papertrade.api.kit.errors import plain
from papertrade.api.kit.hints import is_api
from papertrade.api.kit.throttling import rate_headers

REQUEST_ID_BYTES = 12

Answer = Callable[[HttpRequest], HttpResponse]


class ApiMiddleware:
    """Outermost of the middleware that answers, so that it sees every answer."""

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.request_id = f"cm_{secrets.token_hex(REQUEST_ID_BYTES)}"
        # Whatever is logged on the way to the answer carries its id.
        with structlog.contextvars.bound_contextvars(request_id=request.request_id):
            response = self.get_response(request)
        if is_api(request.path):
            if response.status_code >= 400 and "json" not in response.headers.get("Content-Type", ""):
                response = plain(request, response.status_code)
            counted = getattr(request, "rate_headers", None)  # without a key nothing was counted
            for name, value in (counted or rate_headers({})).items():
                response.headers[name] = value
        response.headers["X-Request-ID"] = request.request_id
        return response
