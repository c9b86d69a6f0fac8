"""A limit by address on requests of strangers, before anything is looked up for them.

A request without credentials, or with some that were not found good lately, is a stranger's. Each web process counts by itself,
in memory: a flood must cost nothing outside it. Credentials that were good lately are never counted, so that one bad neighbour
behind an address stops only newcomers there, and only for the rest of a minute.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.cookie import parse_cookie
from django.utils.functional import SimpleLazyObject

from papertrade.lib import metrics
from papertrade.lib.addresses import client_network

WINDOW_SECONDS = 60
KNOWN_SECONDS = 600.0
MOST_KNOWN = 10_000
MOST_ADDRESSES = 50_000  # in a minute; those that come after them share one count
OTHERS = "others"
TOO_MANY = "Too many requests without a valid key from this address. Wait a minute, then send your key.\n"
CREDENTIALS = ("HTTP_AUTHORIZATION", "HTTP_APCA_API_KEY_ID", "HTTP_APCA_API_SECRET_KEY")
DIGEST_BYTES = 16


class Known:
    """Credentials that were good lately, as digests; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._until: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, credentials: bytes) -> bool:
        return self._until.get(credentials, 0.0) > time.monotonic()

    def add(self, credentials: bytes) -> None:
        """They were good just now."""
        with self._lock:
            self._until[credentials] = time.monotonic() + KNOWN_SECONDS
            self._until.move_to_end(credentials)
            if len(self._until) > MOST_KNOWN:
                self._until.popitem(last=False)

    def discard(self, credentials: bytes) -> None:
        """They are good no more."""
        with self._lock:
            self._until.pop(credentials, None)


class Counts:
    """Requests by address, in the current minute."""

    def __init__(self) -> None:
        self._minute = 0
        self._of: dict[str, int] = {}
        self._lock = threading.Lock()

    def another(self, address: str) -> int:
        """Count one request; how many that makes of this address."""
        minute = wall_seconds() // WINDOW_SECONDS
        with self._lock:
            if minute != self._minute:
                self._minute, self._of = minute, {}
            if address not in self._of and len(self._of) >= MOST_ADDRESSES:
                address = OTHERS
            self._of[address] = count = self._of.get(address, 0) + 1
        return count

    def of(self, address: str) -> int:
        """How many there were."""
        if self._minute != wall_seconds() // WINDOW_SECONDS:
            return 0
        return self._of.get(address, self._of.get(OTHERS, 0))


class Door:
    """What this process knows of its clients: credentials that were good lately, and how many strangers each address sent."""

    def __init__(self) -> None:
        self.known, self.counts = Known(), Counts()

    def turns_away(self, credentials: bytes, network: str) -> bool:
        """Whether this is one stranger too many, for whom nothing is looked up. Counts strangers, and nobody else."""
        limit = settings.PAPERTRADE_STRANGER_LIMIT_MINUTE
        if limit is None or credentials in self.known or self.counts.another(network) <= limit:
            return False
        metrics.REFUSED.labels("stranger").inc()
        return True

    def has_turned_away(self, credentials: bytes, network: str) -> bool:
        """Whether one stranger too many came from there in this minute already. Nobody is counted."""
        limit = settings.PAPERTRADE_STRANGER_LIMIT_MINUTE
        return limit is not None and credentials not in self.known and self.counts.of(network) > limit

    def known_as(self, credentials: bytes) -> bytes:
        """The credentials, if they were good lately; nothing for all strangers alike."""
        return credentials if credentials in self.known else b""

    def remember(self, credentials: bytes, *, good: bool) -> None:
        """Keep what a look-up found out about them."""
        if not good:
            self.known.discard(credentials)
        elif credentials:
            self.known.add(credentials)


door = Door()


class Strangers:
    """The middleware. It comes before any that looks up sessions."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        credentials = credentials_of(request.META)
        if not is_a_file(request) and door.turns_away(credentials, client_network(request)):
            seconds = str(seconds_left())
            return HttpResponse(
                TOO_MANY, status=429, content_type="text/plain; charset=utf-8", headers={"Retry-After": seconds}
            )
        response = self.get_response(request)
        if was_let_in(request):
            door.remember(credentials, good=True)
        elif response.status_code == 401:
            door.remember(credentials, good=False)
        return response


def wall_seconds() -> int:
    """Whole seconds of the wall clock."""
    return int(time.time())


def seconds_left() -> int:
    """How long until strangers are counted anew."""
    return WINDOW_SECONDS - wall_seconds() % WINDOW_SECONDS


def credentials_of(environ: Mapping[str, Any]) -> bytes:
    """A digest of whatever says who is asking, from a request's WSGI environment; empty where nothing does."""
    cookies = environ.get("HTTP_COOKIE", "")
    session = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME, "") if cookies else ""
    authorization, key_id, secret = (environ.get(name, "") for name in CREDENTIALS)
    return digest_of(authorization, key_id, secret, session)


def digest_of(authorization: str = "", key_id: str = "", secret: str = "", session: str = "") -> bytes:
    """A digest of credentials, however they came; empty where there are none."""
    given = (authorization, key_id, secret, session)
    if not any(given):
        return b""
    return hashlib.blake2b("\0".join(given).encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()


def is_a_file(request: HttpRequest) -> bool:
    """Styles and scripts cost no look-up, and a page has many."""
    return request.path_info.startswith(settings.STATIC_URL)


def was_let_in(request: HttpRequest) -> bool:
    """Whether the request was found to be somebody's. Looks nobody up who was not looked up already."""
    user = vars(request).get("user")  # of a key
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)  # of a session, once somebody asked for it
    return user is not None and user.is_authenticated
