"""What every answer of the API carries: the rate-limit headers, and JSON whatever went wrong."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from papertrade.api.kit.errors import plain
from papertrade.api.kit.hints import is_api
from papertrade.api.kit.throttling import rate_headers

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
        return response
