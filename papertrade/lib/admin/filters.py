"""Filters with a field to type in: dates and symbols here, accounts where accounts are known."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.admin import ListFilter, ModelAdmin, SimpleListFilter
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.db.models import DateTimeField, Model, QuerySet
from django.http import HttpRequest

from papertrade.lib.times import YEARS, begin_of, until_bound


@dataclass(frozen=True)
class Input:
    """One field of a filter."""

    name: str
    label: str
    type: str = "text"


class InputFilter(ListFilter):
    """A filter whose values are typed. Subclasses name their inputs and narrow the rows.

    `order` names the one of the list's `Keys` that is cheapest while the filter is active.
    """

    template = "admin/input_filter.html"
    inputs: tuple[Input, ...] = ()
    order = ""

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: ModelAdmin
    ) -> None:
        super().__init__(request, params, model, model_admin)
        for name in self.expected_parameters():
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1].replace("\x00", "").strip()

    @property
    def active(self) -> bool:
        """Whether anything was typed."""
        return any(self.used_parameters.values())

    def typed(self, name: str) -> str:
        """What was typed, without surrounding space."""
        return self.used_parameters.get(name, "")

    def has_output(self) -> bool:
        return True

    def expected_parameters(self) -> list[str]:
        return [field.name for field in self.inputs]

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        names = self.expected_parameters()
        yield {
            "inputs": [
                {"name": i.name, "label": i.label, "type": i.type, "value": self.typed(i.name)} for i in self.inputs
            ],
            "keep": [(name, value) for name, value in changelist.params.items() if name not in names],
            "clear": changelist.get_query_string(remove=[*names, PAGE_VAR]) if self.active else "",
        }


class SymbolFilter(InputFilter):
    """A ticker or an OCC symbol, whole."""

    title = "symbol"
    inputs = (Input("symbol", "Symbol, such as AAPL"),)
    order = "by_symbol"

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        symbol = self.typed("symbol").upper()
        return queryset.filter(symbol=symbol) if symbol else queryset


class DatedFilter(InputFilter):
    """A filter by time; the admin's `date_field` says which of the rows' times."""

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: ModelAdmin
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.date_field: str = model_admin.date_field


class DateRangeFilter(DatedFilter):
    """From one day to another, both included, in New York's days."""

    title = "date (New York)"
    inputs = (Input("since", "From", "date"), Input("until", "To", "date"))
    order = "by_time"

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        name = self.date_field
        since, until = (self._day(request, field) for field in ("since", "until"))
        if isinstance(queryset.model._meta.get_field(name), DateTimeField):
            since = since and begin_of(since)
            until = until and until_bound(until)
        bounds = {f"{name}__gte": since, f"{name}__lte": until}
        return queryset.filter(**{lookup: bound for lookup, bound in bounds.items() if bound})

    def _day(self, request: HttpRequest, name: str) -> date | None:
        typed = self.typed(name)
        if not typed:
            return None
        try:
            day = date.fromisoformat(typed)
        except ValueError:
            day = date.min
        if day.year not in YEARS:
            messages.error(request, f"{typed!r} is not a day that can be looked for; write it as 2026-11-23.")
            return None
        return day


def presence(field: str, *, title: str, present: str, absent: str) -> type[SimpleListFilter]:
    """A filter for rows that have a value in a field, or have none, in words."""

    class PresenceFilter(SimpleListFilter):
        parameter_name = f"has_{field}"

        def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
            return [("yes", present), ("no", absent)]

        def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
            chosen = self.value()
            return queryset.filter(**{f"{field}__isnull": chosen == "no"}) if chosen in ("yes", "no") else queryset

    PresenceFilter.title = title
    return PresenceFilter
