"""What keeps the pages safe: the content security policy, and a limit on guessing passwords."""

import hashlib
from collections.abc import Callable

import redis
import structlog
from django.http import HttpRequest, HttpResponse

from papertrade.lib import metrics
from papertrade.lib.addresses import client_network
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

FAILURES_PER_NAME = 5  # and address
NAMES_PER_ADDRESS = 100
WINDOW_SECONDS = 900
KNOWN_SECONDS = 30 * 86_400


class ContentSecurityPolicy:
    """Puts the policy on every answer: scripts and styles come from this server's own files, and from nowhere else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", HEADER)
        return response


class SignInThrottle:
    """Counts sign-ins that have not succeeded in Valkey, by name and address together, and the names tried from an address.

    Never by name alone: a stranger could then lock the account's holder out. Never all tries of an address: one who guesses a
    name would lock out everybody behind it. So five tries a name and address, and a hundred names an address, of which those
    that have signed in from there before are not one. An attempt is counted before the password is looked at, so that many at
    once, on any web process, cannot all pass. Without Valkey nobody is locked out: passwords are generated or at least ten
    characters, so that guessing is slow.
    """

    def __init__(self, request: HttpRequest, username: str) -> None:
        self._address = client_network(request)
        self._who = hashlib.sha256(username.lower().encode()).hexdigest()  # people type passwords into the wrong field
        self._tries = f"papertrade:signin:{self._address}:{self._who}"
        self._names = f"papertrade:signin:names:{self._address}"
        self._known = f"papertrade:signin:known:{self._address}:{self._who}"

    def allows_another(self) -> bool:
        """Count an attempt; False where there were too many in the last quarter of an hour."""
        try:
            with client().pipeline() as pipe:
                pipe.incr(self._tries)
                pipe.expire(self._tries, WINDOW_SECONDS, nx=True)
                pipe.exists(self._known)
                pipe.sadd(self._names, self._who)
                pipe.expire(self._names, WINDOW_SECONDS, nx=True)
                pipe.scard(self._names)
                tries, _, known, _, _, names = pipe.execute()
        except redis.RedisError as error:
            log.warning("sign_in_not_counted", error=str(error))
            return True
        return tries <= FAILURES_PER_NAME and (bool(known) or names <= NAMES_PER_ADDRESS)

    def succeeded(self) -> None:
        """Forget this name's failures, and know it at this address for a while."""
        try:
            with client().pipeline() as pipe:
                pipe.delete(self._tries)
                pipe.srem(self._names, self._who)
                pipe.set(self._known, 1, ex=KNOWN_SECONDS)
                pipe.execute()
        except redis.RedisError as error:
            log.warning("sign_in_not_counted", error=str(error))

    def tell(self, outcome: str, **who: str) -> None:
        """Log and count a try. The name only of one that succeeded: what was typed otherwise may be a password."""
        metrics.SIGN_INS.labels(outcome).inc()
        log.info(f"sign_in_{outcome}", address=self._address, **who)
