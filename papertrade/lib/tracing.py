"""What is being worked on, for whom, and how long it has waited: so that one request can be followed through every log line.

A *trace* belongs to a request, or to a task of a worker; it begins with that and is found from anywhere below it (a context
variable). No decision depends on it. Times are in seconds.
"""

import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import structlog

REQUEST_ID_LENGTH = 64
RANDOM_BYTES = 6
# Letters, digits and what does no harm in a log, a header or an address. One that begins like ours must be one of ours: what
# begins so and is longer may be a key that somebody put into the wrong header.
_WELL_FORMED = re.compile(rf"cm_[0-9a-f]{{24}}|(?!cm_)[A-Za-z0-9][A-Za-z0-9._:-]{{0,{REQUEST_ID_LENGTH - 1}}}")


@dataclass(slots=True)
class Trace:
    """One request or task; a task has the id of the request that caused it, or none.

    `key` is the key's prefix, `waited` the time spent waiting for the gate and the book, `database` that for all of PostgreSQL.
    """

    request_id: str
    since: float = field(default_factory=time.perf_counter)
    user: str = ""
    key: str = ""
    account: str = ""
    waited: float = 0.0
    database: float = 0.0
    orders: int = 0  # that were placed, filled or ended


_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current() -> Trace | None:
    """The trace of what runs here; None outside of any."""
    return _current.get()


def request_id() -> str:
    """The id of the request that this runs for; empty where it runs for none."""
    trace = _current.get()
    return trace.request_id if trace else ""


@contextmanager
def tracing(trace: Trace) -> Iterator[Trace]:
    """Work under a trace; whatever is logged meanwhile carries its id."""
    token = _current.set(trace)
    try:
        with structlog.contextvars.bound_contextvars(**({"request_id": trace.request_id} if trace.request_id else {})):
            yield trace
    finally:
        _current.reset(token)


def note(*, user: str = "", key: str = "", account: str = "") -> None:
    """Remember who asks, and about which account, once that is known."""
    trace = _current.get()
    if trace is not None:
        trace.user, trace.key, trace.account = user or trace.user, key or trace.key, account or trace.account


def waited(seconds: float) -> None:
    """Add to the time that was waited for the gate and for a book."""
    trace = _current.get()
    if trace is not None:
        trace.waited += seconds


def request_id_from(given: str) -> str:
    """The id that a client or a proxy gave its request, if it is well-formed; else a new one.

    New ones sort by time, so that they stand side by side in an index.
    """
    if given and _WELL_FORMED.fullmatch(given):
        return given
    return f"cm_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(RANDOM_BYTES)}"
