"""CSV of lists: streamed, exact values, UTC times, formulas disarmed. Knows no table."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import QuerySet
from django.http import StreamingHttpResponse

CHUNK_ROWS = 2_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
Row = TypeVar("Row")


def csv_response(header: Sequence[str], lines: Iterable[Sequence[Any]], *, filename: str) -> StreamingHttpResponse:
    """The lines as a file to download, composed while it is sent."""
    response = StreamingHttpResponse(_composed(header, lines), content_type="text/csv; charset=utf-8")
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


class _Echo:
    """A file that hands back what is written to it."""

    def write(self, text: str) -> str:
        return text


def _composed(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(header)
    for line in lines:
        yield writer.writerow([csv_value(value) for value in line])
