"""A limit by address on requests of strangers, before anything is looked up for them.

Whoever has no credentials, or some that nobody has seen to be good, is a stranger. Each web process counts by itself, in
memory: a flood must cost nothing outside it. Credentials that were good lately are never counted, so that one bad neighbour
behind an address stops only newcomers there, and those for the rest of a minute.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from papertrade.lib import metrics
from papertrade.lib.addresses import client_network

WINDOW_SECONDS = 60
KNOWN_SECONDS = 600.0
MOST_KNOWN = 10_000
MOST_ADDRESSES = 50_000  # of a minute; further ones share a count
OTHERS = "others"
TOO_MANY = "Too many requests without a valid key from this address. Wait a minute, then send your key.\n"
CREDENTIALS = ("Authorization", "APCA-API-KEY-ID", "APCA-API-SECRET-KEY")
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
    """Requests by address, within a minute of the clock."""

    def __init__(self) -> None:
        self._minute = 0
        self._of: dict[str, int] = {}
        self._lock = threading.Lock()

    def another(self, address: str) -> int:
        """Count one; how many it makes."""
        minute = wall_seconds() // WINDOW_SECONDS
        with self._lock:
            if minute != self._minute:
                self._minute, self._of = minute, {}
            if address not in self._of and len(self._of) >= MOST_ADDRESSES:
                address = OTHERS
            self._of[address] = count = self._of.get(address, 0) + 1
        return count


class Strangers:
    """The middleware. Before any that looks up sessions."""

    known, counts = Known(), Counts()  # of the process

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        limit = settings.PAPERTRADE_STRANGER_LIMIT_MINUTE
        credentials = credentials_of(request)
        counted = limit is not None and credentials not in self.known and not is_a_file(request)
        if counted and self.counts.another(client_network(request)) > limit:
            metrics.REFUSED.labels("stranger").inc()
            seconds = str(WINDOW_SECONDS - wall_seconds() % WINDOW_SECONDS)
            return HttpResponse(
                TOO_MANY, status=429, content_type="text/plain; charset=utf-8", headers={"Retry-After": seconds}
            )
        response = self.get_response(request)
        if credentials and was_let_in(request):
            self.known.add(credentials)
        elif response.status_code == 401:
            self.known.discard(credentials)
        return response


def wall_seconds() -> int:
    """Whole seconds of the wall clock."""
    return int(time.time())


def credentials_of(request: HttpRequest) -> bytes:
    """A digest of whatever says who is asking; empty where nothing does."""
    given = [request.headers.get(name, "") for name in CREDENTIALS]
    given.append(request.COOKIES.get(settings.SESSION_COOKIE_NAME, ""))
    if not any(given):
        return b""
    return hashlib.blake2b("\0".join(given).encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()


def is_a_file(request: HttpRequest) -> bool:
    """Styles and scripts cost no look-up, and a page has many."""
    return request.path_info.startswith(settings.STATIC_URL)


def was_let_in(request: HttpRequest) -> bool:
    """Whether somebody was found behind the request. Looks nobody up that was not looked up already."""
    user = vars(request).get("user")  # of a key
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)  # of a session, once somebody asked for it
    return user is not None and user.is_authenticated
