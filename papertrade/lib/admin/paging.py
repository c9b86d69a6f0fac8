"""Lists that page by key: a link names the row where the next page begins, so that a deep page costs what the first does.

Nothing is counted: a count of a million rows would cost more than the page.
"""

from dataclasses import dataclass
from typing import Any

from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.db.models.fields.tuple_lookups import Tuple, TupleGreaterThan, TupleLessThan
from django.http import HttpRequest

from papertrade.lib.admin.filters import InputFilter

NEWER, OLDER = "newer", "older"
SEPARATOR = "~"


@dataclass(frozen=True)
class Keys:
    """The columns that a list is ordered by, newest first; each tuple is unique, and an index serves it.

    `in_scope` orders the list of one account or book, `by_symbol` that of a symbol, `by_time` that of a range of dates.
    """

    newest: tuple[str, ...] = ("pk",)
    in_scope: tuple[str, ...] = ()
    by_symbol: tuple[str, ...] = ()
    by_time: tuple[str, ...] = ()


class KeysetChangeList(ChangeList):
    """The list of a `HistoryAdmin`. Pages are asked for with `p=older~<key>` or `p=newer~<key>`."""

    older_link = newer_link = oldest_link = newest_link = ""

    def key(self) -> tuple[str, ...]:
        """The columns that order this list: what the active filters make cheapest."""
        keys: Keys = self.model_admin.keys
        active = {spec.order for spec in self.filter_specs if isinstance(spec, InputFilter) and spec.active}
        for order in ("in_scope", "by_symbol", "by_time"):
            if order in active and getattr(keys, order):
                return getattr(keys, order)
        return keys.newest

    def get_ordering(self, request: HttpRequest, queryset: QuerySet) -> list[str]:
        return [f"-{name}" for name in self.key()]

    def get_ordering_field_columns(self) -> dict[int, str]:
        return {}  # a list that is sorted by a column without an index would take seconds

    def get_results(self, request: HttpRequest) -> None:
        names, asked = self.key(), request.GET.get(PAGE_VAR, "")
        direction, _, place = asked.partition(SEPARATOR)
        rows = self.queryset
        after = _values(self.model, names, place)
        if direction == NEWER:
            rows = rows.order_by(*names)
        if after:
            lookup = TupleGreaterThan if direction == NEWER else TupleLessThan
            rows = rows.filter(lookup(Tuple(*names), after))
        found = list(rows.prefetch_related(*self.model_admin.list_prefetch)[: self.list_per_page + 1])
        more = len(found) > self.list_per_page
        found = found[: self.list_per_page]
        if direction == NEWER:
            found.reverse()
        self._set_links(
            names,
            found,
            has_newer=more if direction == NEWER else bool(after),
            has_older=bool(after) if direction == NEWER else more,
        )
        self.result_list, self.result_count = found, len(found)
        self.full_result_count = self.result_count  # the same: the search form then says nothing about results
        self.show_admin_actions, self.can_show_all, self.multi_page = bool(found), False, False
        self.paginator = self.model_admin.get_paginator(request, found, self.list_per_page)

    def _set_links(self, names: tuple[str, ...], found: list[Model], *, has_newer: bool, has_older: bool) -> None:
        if found and has_newer:
            self.newest_link = self.get_query_string(remove=[PAGE_VAR])
            self.newer_link = self.get_query_string({PAGE_VAR: _place(NEWER, names, found[0])})
        if found and has_older:
            self.older_link = self.get_query_string({PAGE_VAR: _place(OLDER, names, found[-1])})
            self.oldest_link = self.get_query_string({PAGE_VAR: NEWER})


def _place(direction: str, names: tuple[str, ...], row: Model) -> str:
    return SEPARATOR.join([direction, *(str(getattr(row, name)) for name in names)])


def _values(model: type[Model], names: tuple[str, ...], place: str) -> tuple[Any, ...]:
    """The key that a link names; empty for one that no list wrote, which counts as not asked."""
    parts = place.split(SEPARATOR) if place else []
    if len(parts) != len(names) or "\x00" in place:  # which PostgreSQL refuses in any text
        return ()
    try:
        return tuple(_value(model, name, part) for name, part in zip(names, parts, strict=True))
    except (ValidationError, ValueError):
        return ()


def _value(model: type[Model], name: str, text: str) -> Any:
    field = model._meta.pk if name == "pk" else model._meta.get_field(name.removesuffix("_id"))
    if field.is_relation:
        field = field.target_field
    value = field.to_python(text)
    field.run_validators(value)  # a number that the column cannot hold
    return value
