"""Lists by keyset: the cursor names the last row, so a page costs the same however long the list is."""

import base64
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.db.models import Field, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from papertrade.lib.errors import BadRequest

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_CURSOR_LENGTH = 64

Render = Callable[[Iterable[Any]], list[dict[str, Any]]]


def page(request: Request, rows: QuerySet, *, key: str, render: Render, descending: bool = True) -> Response:
    """One page of rows ordered by a unique key; `render` turns rows into JSON values."""
    limit = read_limit(request)
    rows = rows.order_by(f"-{key}" if descending else key)
    token = read_cursor(request)
    if token is not None:
        last = _key_value(rows.model._meta.get_field(key), token)
        rows = rows.filter(**{f"{key}__{'lt' if descending else 'gt'}": last})
    found = list(rows[: limit + 1])
    following = next_url(request, getattr(found[limit - 1], key)) if len(found) > limit else None
    return listing(request, render(found[:limit]), following)


def page_of(request: Request, rows: Sequence[Any], *, key: Callable[[Any], str], render: Render) -> Response:
    """One page of rows that are in memory already, in ascending order of a unique text key."""
    limit, last = read_limit(request), read_cursor(request)
    rest = [row for row in rows if last is None or key(row) > last]
    following = next_url(request, key(rest[limit - 1])) if len(rest) > limit else None
    return listing(request, render(rest[:limit]), following)


def _key_value(field: Field, token: str) -> Any:
    """What a cursor says, as the key it was made from: anything that `next_url` does not write is refused."""
    try:
        value = field.to_python(token)
        field.run_validators(value)  # a number that the column cannot hold
    except ValidationError:
        raise bad_cursor() from None
    if str(value) != token:
        raise bad_cursor()
    return value


def listing(request: Request, results: list[dict[str, Any]], following: str | None = None) -> Response:
    """The list envelope."""
    return Response(
        {"status": "OK", "request_id": request._request.request_id, "results": results, "next_url": following}
    )


def next_url(request: Request, last: object) -> str:
    """The address of the next page, on the host that was asked, with the same filters."""
    cursor = base64.urlsafe_b64encode(str(last).encode()).decode().rstrip("=")
    query = [(name, value) for name, value in request.query_params.items() if name != "cursor"]
    return request.build_absolute_uri(f"{request.path}?{urlencode([*query, ('cursor', cursor)])}")


def read_cursor(request: Request) -> str | None:
    """What the cursor names. Raises BadRequest `invalid_page_token`."""
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return None
    try:
        value = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except ValueError:  # neither base64 nor text
        raise bad_cursor() from None
    if not 1 <= len(value) <= MAX_CURSOR_LENGTH or not value.isprintable():
        raise bad_cursor()
    return value


def bad_cursor() -> BadRequest:
    return BadRequest("The cursor is not one that next_url gave.", code="invalid_page_token")


def read_limit(request: Request) -> int:
    """How many rows a page has. Raises BadRequest."""
    text = request.query_params.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    if not text.isascii() or not text.isdigit() or len(text) > 6 or not 1 <= int(text) <= MAX_LIMIT:
        raise BadRequest("The limit cannot be used.", limit=f"must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)
