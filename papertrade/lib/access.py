"""The outermost middleware: a request gets its id and its trace, the answer carries the id, and the log a line."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

import structlog
from django.conf import settings
from django.core.signals import got_request_exception
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from papertrade.lib import tallies
from papertrade.lib.lines import milliseconds, say
from papertrade.lib.tracing import Trace, request_id_from, tracing

log = structlog.get_logger(__name__)

SINCE = "papertrade.since"  # in the WSGI environment: when the request was whole, by time.perf_counter
QUIET = frozenset({"/metrics"})  # asked every few seconds: a line only for a failure
LONGEST_PATH = 200


class Access:
    """Comes before all other middleware, so that nothing is answered without an id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        begun = time.perf_counter()
        request.request_id = request_id_from(request.headers.get("X-Request-ID", ""))
        with tracing(Trace(request.request_id, since=request.META.get(SINCE, begun))) as trace:
            response = self.get_response(request)
            response.headers["X-Request-ID"] = request.request_id
            if not _is_quiet(request, response):
                trace.user = trace.user or _signed_in(request)
                _count(request, response, trace)
                if settings.PAPERTRADE_ACCESS_LOG:
                    _tell(request, response, trace, begun)
        return response


def _tell(request: HttpRequest, response: HttpResponse, trace: Trace, begun: float) -> None:
    """The log line. It has neither the query, in which a stranger may have put anything, nor any header but the id."""
    now = time.perf_counter()
    say(
        "request",
        method=request.method,
        path=quote(request.path)[:LONGEST_PATH],
        status=response.status_code,
        ms=milliseconds(now - trace.since),
        queued_ms=milliseconds(begun - trace.since) or None,
        waited_ms=milliseconds(trace.waited) or None,
        database_ms=milliseconds(trace.database) or None,
        user=trace.user,
        key=trace.key,
        account=trace.account,
        orders=trace.orders or None,
    )


def _count(request: HttpRequest, response: HttpResponse, trace: Trace) -> None:
    seconds = time.perf_counter() - trace.since
    line = {}
    if seconds >= tallies.SLOW_SECONDS:
        route = request.resolver_match.route if request.resolver_match else ""
        line = {
            "request_id": trace.request_id,
            "what": f"{request.method} /{route}",
            "status": str(response.status_code),
            "user": trace.user,
            "key": trace.key,
            "account": trace.account,
            "waited_ms": str(milliseconds(trace.waited)),
            "database_ms": str(milliseconds(trace.database)),
            "at": datetime.now(UTC).isoformat(),
        }
    tallies.count_request(
        seconds=seconds,
        failed=response.status_code >= 500,
        user=trace.user,
        key=trace.key,
        orders=trace.orders,
        line=line,
    )


def tell_of_stream(path: str, status: int, trace: Trace) -> None:
    """The log line of a stream that has ended; the status is 0 where nothing was answered."""
    if settings.PAPERTRADE_ACCESS_LOG:
        say(
            "stream",
            path=quote(path)[:LONGEST_PATH],
            status=status,
            ms=milliseconds(time.perf_counter() - trace.since),
            user=trace.user,
            key=trace.key,
            account=trace.account,
        )


@receiver(got_request_exception)
def _tell_of_failure(sender: object, request: HttpRequest | None = None, **_: object) -> None:
    """The traceback of a page that failed. The APIs log what they answer themselves."""
    path = request.path if request is not None else ""
    log.exception("request_failed", path=quote(path)[:LONGEST_PATH])


def _is_quiet(request: HttpRequest, response: HttpResponse) -> bool:
    path = request.path_info
    return response.status_code < 400 and (path in QUIET or path.startswith(settings.STATIC_URL))


def _signed_in(request: HttpRequest) -> str:
    """The name of the session's user, if it has been looked up already."""
    user = vars(request).get("user")
    if isinstance(user, SimpleLazyObject):
        user = getattr(request, "_cached_user", None)
    return user.get_username() if user is not None else ""
