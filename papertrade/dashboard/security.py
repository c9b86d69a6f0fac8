"""What keeps the pages safe: the content security policy, and a limit on guessing passwords."""

from collections.abc import Callable

import redis
import structlog
from django.http import HttpRequest, HttpResponse

from marketdata.book import client

log = structlog.get_logger(__name__)

# The two inline style sheets that shipped parts bring along, named by their hashes: plotly.js's one for maps, which no page
# here draws, and the reset on Swagger UI's page. Another version has another hash; the browser tests notice.
PLOTLY_STYLE = "'sha256-ji27qzEtxXZW+7dun6UwjHXJ18e6WAin1VvNtkzIE/o='"
SWAGGER_STYLE = "'sha256-MMpT0iDxyjALd9PdfepImGX3DBfJPXZ4IlDWdPAgtn0='"
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": f"'self' {PLOTLY_STYLE} {SWAGGER_STYLE}",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "base-uri": "'none'",
}
# Plotly sets style attributes on the SVG it draws, and Swagger UI on its elements. Neither can run a script.
STYLE_ATTRIBUTES = "style-src-attr 'unsafe-inline'"
HEADER = "; ".join([*(f"{name} {sources}" for name, sources in POLICY.items()), STYLE_ATTRIBUTES])

FAILURES_PER_USER = 5
FAILURES_PER_ADDRESS = 50
WINDOW_SECONDS = 900


class ContentSecurityPolicy:
    """Puts the policy on every answer: scripts and styles come from this server's own files, and from nowhere else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", HEADER)
        return response


class SignInThrottle:
    """Counts failed sign-ins in Valkey, by name and address together and by address alone.

    Without Valkey nobody is locked out: passwords are generated or at least ten characters, so that guessing is slow.
    """

    def __init__(self, request: HttpRequest, username: str) -> None:
        address = request.META.get("REMOTE_ADDR", "")
        self._limits = {
            f"papertrade:signin:{address}:{username.lower()[:150]}": FAILURES_PER_USER,
            f"papertrade:signin:{address}": FAILURES_PER_ADDRESS,
        }

    def blocked(self) -> bool:
        """Whether there were too many failures in the last quarter of an hour."""
        try:
            counts = client().mget(list(self._limits))
        except redis.RedisError as error:
            log.warning("sign_in_not_counted", error=str(error))
            return False
        return any(int(count or 0) >= limit for count, limit in zip(counts, self._limits.values(), strict=True))

    def failed(self) -> None:
        """Count one more failure."""
        try:
            with client().pipeline(transaction=False) as pipe:
                for name in self._limits:
                    pipe.incr(name)
                    pipe.expire(name, WINDOW_SECONDS)
                pipe.execute()
        except redis.RedisError as error:
            log.warning("sign_in_not_counted", error=str(error))

    def succeeded(self) -> None:
        """Forget this name's failures."""
        try:
            client().delete(next(iter(self._limits)))
        except redis.RedisError as error:
            log.warning("sign_in_not_counted", error=str(error))
