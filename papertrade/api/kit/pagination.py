"""Pages by keyset: the cursor names the last row of a page, so the next costs the same however long the list is."""

import base64
from collections.abc import Callable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import ValidationError
from django.db.models import Field, QuerySet
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from papertrade.api.kit.filters import CountParameter, Parameter, TextParameter, describe
from papertrade.lib.errors import BadRequest

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
MAX_CURSOR_LENGTH = 64


class Enveloped(BasePagination):
    """The list envelope around a whole list."""

    parameters: dict[str, Parameter] = {}
    following: str | None = None

    def paginate_queryset(self, rows: Any, request: Request, view: Any = None) -> list[Any]:
        self.request = request
        return list(rows)

    def get_paginated_response(self, data: Any) -> Response:
        """The rows in the envelope."""
        return Response(
            {
                "status": "OK",
                "request_id": self.request._request.request_id,
                "results": data,
                "next_url": self.following,
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """The envelope in the OpenAPI document."""
        properties = {
            "status": {"type": "string", "enum": ["OK"]},
            "request_id": {"type": "string"},
            "results": schema,
            "next_url": {"type": ["string", "null"], "format": "uri"},
        }
        return {"type": "object", "properties": properties, "required": list(properties)}

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """`limit` and `cursor`, where the list has pages."""
        return [describe(name, parameter.says, parameter.schema) for name, parameter in self.parameters.items()]


class KeysetPagination(Enveloped):
    """Pages in the order of the view's `page_key`, a unique column or attribute; with a minus, the highest first.

    Rows are a queryset, or a sequence that is in memory already, in ascending order of the text of its key.
    """

    parameters = {
        "limit": CountParameter(f"rows per page; {DEFAULT_LIMIT} by default", least=1, most=MAX_LIMIT),
        "cursor": TextParameter("from next_url"),
    }

    def paginate_queryset(self, rows: Any, request: Request, view: Any = None) -> list[Any]:
        self.begin(request)
        if not isinstance(rows, QuerySet):
            return self._page_in_memory(rows, attrgetter(view.page_key))
        name, descending = view.page_key.lstrip("-"), view.page_key.startswith("-")
        front = self._front(rows, name, descending, rows.model._meta.get_field(name))
        return self.cut(view.read(front), attrgetter(name))

    def _front(self, rows: QuerySet, name: str, descending: bool, field: Field) -> QuerySet:
        """The rows of the page and one more."""
        rows = rows.order_by(f"{'-' if descending else ''}{name}")
        if self.token is not None:
            rows = rows.filter(**{f"{name}__{'lt' if descending else 'gt'}": _key_value(field, self.token)})
        return rows[: self.limit + 1]

    token_name = "cursor"
    default_limit = DEFAULT_LIMIT

    def begin(self, request: Request) -> None:
        """Read how many rows are wanted, as `limit`, and what the cursor names, as `token`. Raises BadRequest."""
        self.request = request
        self.limit, self.token = self._read_limit(), read_cursor(request, self.token_name)

    def _read_limit(self) -> int:
        text = self.request.query_params.get("limit")
        if text is None:
            return self.default_limit
        try:
            return self.parameters["limit"].read(text)
        except ValueError as problem:
            raise BadRequest("The limit cannot be used.", limit=str(problem)) from None

    def cut(self, rows: list[Any], key: Callable[[Any], object]) -> list[Any]:
        """The page out of its rows and the one after it, where there is one: then `next_url` leads there."""
        if len(rows) > self.limit:
            self.following = self._next_url(key(rows[self.limit - 1]))
        return rows[: self.limit]

    def _page_in_memory(self, rows: Sequence[Any], key: Callable[[Any], object]) -> list[Any]:
        rest = [row for row in rows if self.token is None or str(key(row)) > self.token]
        return self.cut(rest[: self.limit + 1], key)

    def _next_url(self, last: object) -> str:
        """The address of the next page, on the host that was asked, with the same filters."""
        cursor = base64.urlsafe_b64encode(str(last).encode()).decode().rstrip("=")
        query = {name: values for name, values in self.request.query_params.lists() if name != self.token_name}
        sent = urlencode({**query, self.token_name: cursor}, doseq=True)
        return self.request.build_absolute_uri(f"{self.request.path}?{sent}")


class MergedPagination(KeysetPagination):
    """The same over several querysets whose rows share one key; it is a field of the first."""

    def paginate_queryset(self, rows: Any, request: Request, view: Any = None) -> list[Any]:
        self.begin(request)
        name, descending = view.page_key.lstrip("-"), view.page_key.startswith("-")
        field = rows[0].model._meta.get_field(name)
        fronts = [view.read(self._front(part, name, descending, field)) for part in rows]
        merged = sorted(chain.from_iterable(fronts), key=attrgetter(name), reverse=descending)
        return self.cut(merged[: self.limit + 1], attrgetter(name))


def _key_value(field: Field, token: str) -> Any:
    """The key that a cursor was made from. Raises BadRequest for anything that `next_url` does not write."""
    try:
        value = field.to_python(token)
        field.run_validators(value)  # a number that the column cannot hold
    except ValidationError:
        raise bad_cursor() from None
    if str(value) != token:
        raise bad_cursor()
    return value


def read_cursor(request: Request, name: str) -> str | None:
    """What the cursor names. Raises BadRequest `invalid_page_token`."""
    cursor = request.query_params.get(name)
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
