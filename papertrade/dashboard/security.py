"""What keeps the pages safe: the content security policy, and a limit on guessing passwords."""

import hashlib
from collections.abc import Callable
from ipaddress import ip_address, ip_network

import redis
import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse

from papertrade.lib import metrics
from papertrade.lib.valkey import client

log = structlog.get_logger(__name__)

# The inline style sheet of Swagger UI's page, named by its hash. Another version has another hash; the browser tests notice.
SWAGGER_STYLE = "'sha256-MMpT0iDxyjALd9PdfepImGX3DBfJPXZ4IlDWdPAgtn0='"
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": f"'self' {SWAGGER_STYLE}",
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
IPV6_PREFIX = 64


class ContentSecurityPolicy:
    """Puts the policy on every answer: scripts and styles come from this server's own files, and from nowhere else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", HEADER)
        return response


class SignInThrottle:
    """Counts sign-ins that have not succeeded in Valkey, by name and address together and by address alone.

    Never by name alone: a stranger could then lock the account's holder out. An attempt is counted before the password is
    looked at, so that many at once, on any web process, cannot all pass. Without Valkey nobody is locked out: passwords are
    generated or at least ten characters, so that guessing is slow.
    """

    def __init__(self, request: HttpRequest, username: str) -> None:
        self._address = address = client_network(request)
        who = hashlib.sha256(username.lower().encode()).hexdigest()  # people type passwords into the wrong field
        self._limits = {
            f"papertrade:signin:{address}:{who}": FAILURES_PER_USER,
            f"papertrade:signin:{address}": FAILURES_PER_ADDRESS,
        }

    def allows_another(self) -> bool:
        """Count an attempt; False where there were too many in the last quarter of an hour."""
        try:
            with client().pipeline() as pipe:
                for name in self._limits:
                    pipe.incr(name)
                    pipe.expire(name, WINDOW_SECONDS, nx=True)
                counts = pipe.execute()[::2]
        except redis.RedisError as error:
            log.warning("sign_in_not_counted", error=str(error))
            return True
        return all(count <= limit for count, limit in zip(counts, self._limits.values(), strict=True))

    def succeeded(self) -> None:
        """Forget this name's failures, and take this attempt back from the address."""
        name, address = self._limits
        try:
            with client().pipeline() as pipe:
                pipe.delete(name)
                pipe.decr(address)
                pipe.execute()
        except redis.RedisError as error:
            log.warning("sign_in_not_counted", error=str(error))

    def tell(self, outcome: str, **who: str) -> None:
        """Log and count a try. The name only of one that succeeded: what was typed otherwise may be a password."""
        metrics.SIGN_INS.labels(outcome).inc()
        log.info(f"sign_in_{outcome}", address=self._address, **who)


def client_network(request: HttpRequest) -> str:
    """Where a request comes from: an IPv4 address, or the /64 that an IPv6 client has to itself.

    Behind the TLS proxy it is the last entry of X-Forwarded-For, which the proxy wrote; those before it anybody can write.
    """
    address = request.META.get("REMOTE_ADDR", "")
    if settings.PAPERTRADE_BEHIND_TLS:
        address = request.headers.get("X-Forwarded-For", address).rsplit(",", 1)[-1].strip()
    try:
        place = ip_address(address)
    except ValueError:
        return "unknown"
    return str(ip_network((place, IPV6_PREFIX), strict=False)) if place.version == 6 else str(place)
