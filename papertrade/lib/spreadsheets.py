"""CSV of lists: streamed, exact values, UTC times, formulas disarmed. Knows no table."""

import csv
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

CHUNK_ROWS = 50  # fetched in one go, during which it gives way to nobody
EXPORTS_PER_USER = 2  # at once, in a web process: one user's do not keep everybody else's waiting
TOO_MANY = f"{EXPORTS_PER_USER} exports of yours are still being made. Wait for them, then ask again.\n"
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
Row = TypeVar("Row")


def csv_response(
    request: HttpRequest, header: Sequence[str], lines: Iterable[Sequence[Any]], *, filename: str
) -> HttpResponseBase:
    """The lines as a file to download, composed as it is read; 429 where the user has too many others under way."""
    if not _begin(request.user.pk):
        return HttpResponse(
            TOO_MANY, status=429, content_type="text/plain; charset=utf-8", headers={"Retry-After": "5"}
        )
    response = _Export(_composed(header, lines), content_type="text/csv; charset=utf-8")
    response.end = weakref.finalize(response, _end, request.user.pk)
    response.headers["Content-Disposition"] = f'attachment; filename="{filename}.csv"'
    return response


def each(rows: "QuerySet[Any, Row]") -> Iterator[Row]:
    """All rows of a query, one chunk in memory at a time."""
    # Inside a transaction the cursor hands out rows as it finds them; outside, the server would first keep all of them.
    with transaction.atomic():
        yield from rows.iterator(chunk_size=CHUNK_ROWS)


def csv_value(value: Any) -> Any:
    """A value as CSV text. A spreadsheet would run text that begins like a formula, so it gets a quote in front."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return f"'{value}"
    return value


class _Export(StreamingHttpResponse):
    """Counts as under way until it is closed, or garbage-collected."""

    end: Callable[[], object]

    def close(self) -> None:
        super().close()
        self.end()


_under_way: "Counter[Any]" = Counter()
_lock = threading.Lock()


def _begin(user: Any) -> bool:
    with _lock:
        if _under_way[user] >= EXPORTS_PER_USER:
            return False
        _under_way[user] += 1
        return True


def _end(user: Any) -> None:
    with _lock:
        _under_way[user] -= 1
        if not _under_way[user]:
            del _under_way[user]


class _Echo:
    """A file whose `write` returns the text instead of keeping it."""

    def write(self, text: str) -> str:
        return text


def _composed(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(header)
    for line in lines:
        yield writer.writerow([csv_value(value) for value in line])
