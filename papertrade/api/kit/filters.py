"""Query parameters: each is declared once, in a filter set, which reads it, narrows by it, and describes it in the document.

What is not declared is refused, by name: were it silently dropped, the answer would be to another question than was asked.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import django_filters
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.extensions import OpenApiFilterExtension
from rest_framework.request import Request

from marketdata.instruments import InvalidSymbol, read_symbol
from papertrade.lib.errors import BadRequest
from papertrade.lib.numbers import read_number
from papertrade.lib.times import after_bound, read_day, read_time, until_bound

if TYPE_CHECKING:
    from django.http import QueryDict

    from papertrade.api.kit.viewsets import ApiViewSet

TRUE, FALSE = {"true", "1"}, {"false", "0", ""}
MAX_LIST = 100
MAX_TEXT = 128
MAX_COUNT = 10**18
MAX_GENERATION = 2**31 - 1
TWICE = "is given more than once"


class Parameter(django_filters.Filter):
    """One query parameter. `says` is its line in the document; `narrows` the column that it filters, "" where it filters
    nothing by itself: a view reads it in `query`.
    """

    schema: dict[str, Any] = {"type": "string"}
    may_be_empty = False

    def __init__(self, says: str, *, narrows: str = "", lookup: str = "exact", required: bool = False) -> None:
        super().__init__(narrows or None, lookup, label=says, required=required)
        self.says, self.narrows, self.is_required = says, narrows, required

    def read(self, text: str) -> Any:
        """The value of a text that is not empty. Raises ValueError that says what is wanted."""
        return text

    def filter(self, qs: Any, value: Any) -> Any:
        return qs.filter(**{f"{self.narrows}__{self.lookup_expr}": value}) if self.narrows else qs


class TextParameter(Parameter):
    """Printable text."""

    schema = {"type": "string", "maxLength": MAX_TEXT}

    def __init__(self, says: str, *, may_be_empty: bool = False, **options: Any) -> None:
        super().__init__(says, **options)
        self.may_be_empty = may_be_empty

    def read(self, text: str) -> str:
        if not text.isprintable() or len(text) > MAX_TEXT:
            raise ValueError(f"must be 1 to {MAX_TEXT} printable characters")
        return text


class WordParameter(Parameter):
    """One of some words."""

    def __init__(self, says: str, words: Iterable[str], **options: Any) -> None:
        super().__init__(says, **options)
        self.words = [str(word) for word in words]
        self.schema = {"type": "string", "enum": self.words}

    def read(self, text: str) -> str:
        if text not in self.words:
            raise ValueError("must be one of " + ", ".join(self.words))
        return text


class GroupParameter(WordParameter):
    """A word that stands for several values of a column."""

    def __init__(self, says: str, groups: dict[str, Iterable[str]], *, narrows: str) -> None:
        super().__init__(says, groups, narrows=narrows, lookup="in")
        self.groups = {word: sorted(values) for word, values in groups.items()}

    def filter(self, qs: QuerySet, value: str) -> QuerySet:
        return super().filter(qs, self.groups[value])


class FlagParameter(Parameter):
    """true or false, in any case."""

    schema = {"type": "boolean"}
    may_be_empty = True

    def read(self, text: str) -> bool:
        if text.lower() not in TRUE | FALSE:
            raise ValueError("must be true or false")
        return text.lower() in TRUE


class CountParameter(Parameter):
    """A whole number of at least 0."""

    def __init__(self, says: str, *, most: int = MAX_COUNT - 1, least: int = 0, **options: Any) -> None:
        super().__init__(says, **options)
        self.least, self.most = least, most
        self.schema = {"type": "integer", "minimum": least, "maximum": most}

    def read(self, text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(self.most))):
            raise ValueError(f"must be a whole number from {self.least} to {self.most}")
        if not self.least <= int(text) <= self.most:
            raise ValueError(f"must be a whole number from {self.least} to {self.most}")
        return int(text)


class NumberParameter(Parameter):
    """A decimal number."""

    schema = {"type": "string"}

    def read(self, text: str) -> Decimal:
        number = read_number(text)
        if number is None:
            raise ValueError("must be a number")
        return number


class SymbolParameter(Parameter):
    """A stock's ticker or an option's symbol, in any case."""

    schema = {"type": "string", "maxLength": 32}

    def read(self, text: str) -> str:
        try:
            return read_symbol(text).symbol
        except InvalidSymbol as problem:
            raise ValueError(str(problem)) from None


class SymbolsParameter(SymbolParameter):
    """Several of them, separated by commas, each once and in order."""

    schema = {"type": "string"}

    def __init__(self, says: str, **options: Any) -> None:
        super().__init__(says, **{"lookup": "in", **options})

    def read(self, text: str) -> Any:
        wanted = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        if not 1 <= len(wanted) <= MAX_LIST:
            raise ValueError(f"must be 1 to {MAX_LIST} symbols, separated by commas")
        return list(dict.fromkeys(super(SymbolsParameter, self).read(part) for part in wanted))


class IdParameter(Parameter):
    """A UUID."""

    schema = {"type": "string", "format": "uuid"}

    def read(self, text: str) -> UUID:
        try:
            return UUID(text)
        except ValueError:
            raise ValueError("must be a UUID") from None


class TimeParameter(Parameter):
    """A time with its zone, or a date, which is a day in New York. Subclasses say which end of the day counts."""

    bound: Callable[[datetime | date], datetime]

    def read(self, text: str) -> datetime:
        # A plus sign that was not escaped arrives as a space.
        return type(self).bound(read_time(text.replace(" ", "+")))


class AfterParameter(TimeParameter):
    """Later than a time, or from a day on."""

    bound = staticmethod(after_bound)

    def __init__(self, narrows: str = "", what: str = "") -> None:
        super().__init__(
            f"{what}later than this time, or on this New York day or later".strip(), narrows=narrows, lookup="gt"
        )


class UntilParameter(TimeParameter):
    """Not later than a time, or up to the end of a day."""

    bound = staticmethod(until_bound)

    def __init__(self, narrows: str = "", what: str = "") -> None:
        super().__init__(
            f"{what}not later than this time, or than the end of this New York day".strip(),
            narrows=narrows,
            lookup="lte",
        )


class DayParameter(Parameter):
    """A date."""

    def read(self, text: str) -> date:
        return read_day(text.replace(" ", "+"))


class ParameterSet(django_filters.FilterSet):
    """The query parameters of a call. A subclass declares each as an attribute.

    Reads only what was sent: building a form of every filter, as django-filter does, costs as much as reading the rows.
    """

    @classmethod
    def read(cls, given: "QueryDict", *, also: Iterable[str] = ()) -> dict[str, Any]:
        """The values by name, only of what was sent; those named in `also` are read elsewhere.

        Raises BadRequest with `details` for every parameter that is wrong.
        """
        values: dict[str, Any] = {}
        problems: dict[str, str] = {}
        for name, texts in given.lists():
            parameter = cls.base_filters.get(name)
            if parameter is None:
                if name not in also:
                    problems[name[:64]] = cls._unknown(also)
                elif len(texts) > 1:
                    problems[name] = TWICE
                continue
            try:
                values[name] = _read(parameter, texts)
            except ValueError as problem:
                problems[name] = str(problem)
        for name, parameter in cls.base_filters.items():
            if parameter.is_required and name not in given:
                problems[name] = "is required"
        if problems:
            raise BadRequest("A parameter cannot be used.", problems)
        return values

    @classmethod
    def _unknown(cls, also: Iterable[str]) -> str:
        known = [*cls.base_filters, *also]
        return (
            f"is not a parameter of this call, which has {', '.join(known)}" if known else "this call has no parameters"
        )


def _read(parameter: Parameter, texts: list[str]) -> Any:
    if len(texts) > 1 and not isinstance(parameter, SymbolsParameter):
        raise ValueError(TWICE)
    text = ",".join(texts)
    if "\x00" in text:
        raise ValueError("has characters that no value has")
    if not text and not parameter.may_be_empty:
        raise ValueError("is empty")
    return parameter.read(text)


class NoParameters(ParameterSet):
    """A call without parameters."""


class Parameters(DjangoFilterBackend):
    """Narrows a list by what the view has read: see `ApiViewSet.query`."""

    def get_filterset_class(self, view: "ApiViewSet", queryset: Any = None) -> type[ParameterSet]:
        return view.get_parameters()

    def filter_queryset(self, request: Request, queryset: Any, view: "ApiViewSet") -> Any:
        filters = self.get_filterset_class(view).base_filters
        for name, value in view.query.items():
            queryset = filters[name].filter(queryset, value)
        return queryset


class ParametersInTheDocument(OpenApiFilterExtension):
    """The document's parameters are those that the filter set reads."""

    target_class = "papertrade.api.kit.filters.Parameters"
    priority = 1  # before the extension that drf-spectacular has for every DjangoFilterBackend

    def get_schema_operation_parameters(self, auto_schema: Any, *args: Any, **kwargs: Any) -> list[dict[str, Any]]:
        return [
            describe(name, parameter.says, parameter.schema, required=parameter.is_required)
            for name, parameter in auto_schema.view.get_parameters().base_filters.items()
        ]


def describe(name: str, says: str, schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    """A query parameter in the OpenAPI document."""
    found = {"in": "query", "name": name, "schema": schema, "description": says}
    return {**found, "required": True} if required else found
