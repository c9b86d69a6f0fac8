"""Rows of two tables as one list: the fills of a book and the settlements of its options."""

import heapq
from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from django.db.models import QuerySet

from papertrade.lib.spreadsheets import each


class Merged:
    """Query sets whose rows have what is shown in common, in one order; it narrows and is cut as one query set is."""

    def __init__(self, *parts: QuerySet[Any], order: str) -> None:
        self._parts, self._order = parts, order

    def filter(self, **conditions: Any) -> "Merged":
        """The rows of each part that meet the conditions."""
        return Merged(*(part.filter(**conditions) for part in self._parts), order=self._order)

    def order_by(self, order: str, *_: str) -> "Merged":
        """The same rows in another order."""
        return Merged(*self._parts, order=order)

    def __getitem__(self, place: slice) -> list[Any]:
        fronts = [part[: place.stop] for part in self._sorted()]
        return list(self._merged(fronts))[place]

    def __iter__(self) -> Iterator[Any]:
        return self._merged([each(part) for part in self._sorted()])

    def _sorted(self) -> list[QuerySet[Any]]:
        return [part.order_by(self._order, "-pk") for part in self._parts]

    def _merged(self, parts: Any) -> Iterator[Any]:
        read = attrgetter(self._order.lstrip("-").replace("__", "."))

        def key(row: Any) -> tuple[bool, Any]:
            value = read(row)  # nothing counts as the largest, as in PostgreSQL
            return (True, 0) if value is None else (False, value)

        return heapq.merge(*parts, key=key, reverse=self._order.startswith("-"))
