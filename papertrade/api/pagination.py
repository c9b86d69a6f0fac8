"""Lists by keyset: the cursor names the last row, so a page costs the same however long the list is."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from papertrade.errors import BadRequest

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000

Render = Callable[[Iterable[Any]], list[dict[str, Any]]]


def page(request: Request, rows: QuerySet, *, key: str, render: Render, descending: bool = True) -> Response:
    """One page of rows ordered by a unique key; `render` turns rows into JSON values."""
    limit = read_limit(request)
    rows = rows.order_by(f"-{key}" if descending else key)
    token = read_cursor(request)
    if token is not None:
        try:
            rows = rows.filter(**{f"{key}__{'lt' if descending else 'gt'}": token})
        except (ValueError, TypeError):
            raise bad_cursor() from None
    found = list(rows[: limit + 1])
    following = next_url(request, getattr(found[limit - 1], key)) if len(found) > limit else None
    return listing(request, render(found[:limit]), following)


def listing(request: Request, results: list[dict[str, Any]], following: str | None = None) -> Response:
    """The list envelope."""
    return Response(
        {"status": "OK", "request_id": request._request.request_id, "results": results, "next_url": following}
    )


def next_url(request: Request, last: object) -> str:
    """The address of the next page, on the host that was asked, with the same filters."""
    cursor = base64.urlsafe_b64encode(json.dumps(str(last)).encode()).decode().rstrip("=")
    query = [(name, value) for name, value in request.query_params.items() if name != "cursor"]
    return request.build_absolute_uri(f"{request.path}?{urlencode([*query, ('cursor', cursor)])}")


def read_cursor(request: Request) -> str | None:
    """What the cursor names. Raises BadRequest `invalid_page_token`."""
    cursor = request.query_params.get("cursor")
    if cursor is None:
        return None
    try:
        value = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (binascii.Error, ValueError):
        raise bad_cursor() from None
    if not isinstance(value, str) or len(value) > 64 or not value.isprintable():
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
