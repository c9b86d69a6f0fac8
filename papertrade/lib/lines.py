"""Log lines that follow the work: one for each request, order, sweep and chunk of a sweep, machine-readable and cheap.

They look like every other line of the log, but are put together here in one go: the log's processors would take three times as
long, and each order leaves two lines.
"""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from django.conf import settings

from papertrade.lib import tracing

LOGGER = "papertrade.lines"
_log = logging.getLogger(LOGGER)
MILLISECOND_DECIMALS = 1


def say(event: str, **fields: object) -> None:
    """Write one line. Empty fields are left out; the id of the request that this runs for is added."""
    if not _log.isEnabledFor(logging.INFO):
        return
    line = {"event": event, **{name: value for name, value in fields.items() if value not in ("", None)}}
    if request_id := tracing.request_id():
        line.setdefault("request_id", request_id)
    text = _as_json(line) if settings.LOG_FORMAT == "json" else _as_text(line)
    # What `_log.info` does, without looking up the caller, which no line shows.
    _log.handle(logging.LogRecord(LOGGER, logging.INFO, "", 0, text, None, None))


@contextmanager
def silence() -> Iterator[None]:
    """No lines meanwhile: for a command that sends thousands of orders itself, and reports its own progress."""
    _log.disabled = True
    try:
        yield
    finally:
        _log.disabled = False


def say_of_order(**fields: object) -> None:
    """Write the line of an order, with the times of the request that placed or ended it."""
    trace = tracing.current()
    if trace is None:
        say("order", **fields)
        return
    trace.orders += 1
    say(
        "order",
        **fields,
        key=trace.key,
        ms=milliseconds(time.perf_counter() - trace.since),
        waited_ms=milliseconds(trace.waited),
        database_ms=milliseconds(trace.database),
    )


def milliseconds(seconds: float) -> float:
    """A time as it stands in a line."""
    return round(seconds * 1000, MILLISECOND_DECIMALS)


def _as_json(line: dict[str, Any]) -> str:
    return _encode({**line, "level": "info", "logger": LOGGER, "timestamp": _now()})


def _as_text(line: dict[str, Any]) -> str:
    event = line.pop("event")
    return f"{_now()} [info     ] {event} " + " ".join(f"{name}={_word(value)}" for name, value in line.items())


_encode = json.JSONEncoder(default=str).encode


def _word(value: object) -> str:
    """A value on one line, whatever is in it."""
    text = str(value)
    return text if text.isprintable() and " " not in text else json.dumps(text)


def _now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")
