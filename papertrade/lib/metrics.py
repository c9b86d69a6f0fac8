"""What the processes count and time, for Prometheus. Knows no table.

Web workers, Celery workers, feed and beat are many processes, and a scrape reaches one of them. So each adds to files of its
own in the var folder (the client library's multi-process mode: about a microsecond a count, no server, no lock between
processes), and a scrape adds up the files of the machine. What is a state and no count is read at the scrape:
`papertrade.operations.gauges`.
"""

import os
import socket
import time
from collections import Counter as Counting
from collections.abc import Callable, Collection

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from papertrade.lib import tallies

FOLDER = settings.PAPERTRADE_VAR / "metrics"
FOLDER.mkdir(parents=True, exist_ok=True)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(FOLDER)  # read when the library is imported

from prometheus_client import Counter, Histogram, values  # noqa: E402

HOST = socket.gethostname()
# Containers that share a folder each have a process 1.
values.ValueClass = values.MultiProcessValue(lambda: f"{HOST}-{os.getpid()}")

BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
NO_ROUTE = "none"  # never the path itself: whoever sends nonsense would make a series of each

REQUESTS = Counter("papertrade_requests", "Requests answered.", ["route", "method", "status"])
REQUEST_SECONDS = Histogram(
    "papertrade_request_seconds", "Time to an answer.", ["route", "method"], buckets=BUCKETS_SECONDS
)
ORDERS = Counter("papertrade_orders", "Committed changes of orders.", ["status", "reason"])
UNIT_SECONDS = Histogram(
    "papertrade_unit_seconds",
    "Time for each part of a transaction on one book: waiting for the lock, deciding and writing, the commit.",
    ["part"],
    buckets=BUCKETS_SECONDS,
)
CHUNK_SECONDS = Histogram(
    "papertrade_chunk_seconds", "Time for one chunk of a sweep.", ["kind"], buckets=BUCKETS_SECONDS
)
BOOK_ERRORS = Counter(
    "papertrade_book_errors",
    "Writes refused by a constraint of the books, and differences found by audits.",
    ["found_by"],
)
REFUSED = Counter("papertrade_refused", "Requests refused before Django: too large, too slow, server busy.", ["code"])
CUT_OFF = Counter("papertrade_cut_off", "Connections ended for being slow, idle or too many.", ["why"])
# Of the live market's provider, by the words in which it is counted (marketdata.feeds.live.protocol.Count and the intake).
LIVE = {
    word: Counter(f"papertrade_live_{word}", meaning, ["reason"])
    for word, meaning in {
        "messages": "Messages with quotes from the provider, good or bad.",
        "bad": "Messages that were not a usable quote.",
        "taken": "Quotes that the market took.",
        "conflated": "Quotes replaced by a newer one of the same symbol before a step took them.",
        "refused": "Quotes that the market did not take: out_of_order, duplicate, crowded and so on.",
        "reconnects": "Connections to the provider that ended.",
        "gap_seconds": "Seconds without a stream while the exchange was open.",
        "rest_calls": "Requests to the provider, by purpose.",
        "rest_failures": "Requests to the provider that failed.",
    }.items()
}
STEP_SECONDS = Histogram(
    "papertrade_step_seconds", "Time for one step of the market, during which requests wait.", buckets=BUCKETS_SECONDS
)
SIGN_INS = Counter("papertrade_sign_ins", "Attempts to sign in: succeeded, failed, locked_out.", ["outcome"])


class RequestMetrics:
    """Counts and times every answer, also those of the middleware below it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        route = request.resolver_match.route if request.resolver_match else NO_ROUTE
        method = request.method if request.method in METHODS else "other"
        REQUEST_SECONDS.labels(route, method).observe(time.perf_counter() - started)
        REQUESTS.labels(route, method, response.status_code).inc()
        return response


class Parts:
    """Times the parts of one transaction, from one `end` to the next."""

    def __init__(self) -> None:
        self._since = time.perf_counter()

    def end(self, part: str) -> float:
        """The seconds that it took."""
        now = time.perf_counter()
        took, self._since = now - self._since, now
        UNIT_SECONDS.labels(part).observe(took)
        return took


def count_orders(outcomes: Collection[tuple[str, str]], *, placed: int = 0) -> None:
    """Count orders by (status, reason); `placed` of them are new. Call it once they are committed."""
    for status, reason in outcomes:
        ORDERS.labels(status, reason).inc()
    tallies.count_orders({**Counting(status for status, _ in outcomes), "placed": placed})
