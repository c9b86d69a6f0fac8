"""Cells of the admin's lists and pages: functions of a row, named for the field that they show.

Figures keep every decimal that says something: an auditor compares them with the wire and the books.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import FieldDoesNotExist
from django.db.models import (
    BooleanField,
    CharField,
    DateField,
    DateTimeField,
    DecimalField,
    Field,
    IntegerField,
    Model,
    UUIDField,
)
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from papertrade.lib.numbers import read_number
from papertrade.lib.times import EXCHANGE_ZONE
from papertrade.lib.words import short

NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
MIN_MONEY_DECIMALS = 2

Cell = Callable[[Any], Any]


def cell(name: str, show: Cell, *, label: str = "") -> Cell:
    """A column that Django's admin can show, under its own name."""

    def column(row: Any) -> Any:
        return show(row)

    column.__name__ = name.replace(".", "_")
    setattr(column, "short_description", label or name.rpartition(".")[2].replace("_", " "))  # noqa: B010 - Django's way to name a column
    return column


def of(path: str, show: Cell, *, label: str = "") -> Cell:
    """A column that shows the value at a dotted path of the row; nothing where any part of it is absent."""
    parts = path.split(".")

    def value(row: Any) -> Any:
        for part in parts:
            row = getattr(row, part) if row is not None else None
        return NOTHING if row is None else show(row)

    return cell(path, value, label=label)


def money(path: str, *, label: str = "") -> Cell:
    """USD, or a price: at least cents."""
    return of(path, lambda value: figure(value, MIN_MONEY_DECIMALS), label=label)


def quantity(path: str, *, label: str = "") -> Cell:
    """Shares, contracts or any other number."""
    return of(path, lambda value: figure(Decimal(value), 0), label=label)


def when(path: str, *, label: str = "") -> Cell:
    """Exchange time; UTC to the microsecond on hover."""
    return of(path, exchange_time, label=label)


def wall(path: str, *, label: str = "") -> Cell:
    """A time of the server's own clock."""
    return of(path, wall_time, label=label)


def link(path: str, *, label: str = "") -> Cell:
    """The row that a foreign key points at, as a link to its page."""
    return of(path, page_link, label=label)


def age(path: str, *, label: str) -> Cell:
    """How old the quote of a row was at the instant at that path."""

    def between(row: Any) -> str:
        if row.quote is None:
            return NOTHING
        return seconds(getattr(row, path) - row.quote.quoted_at)

    return cell("age", between, label=label)


def seconds(length: timedelta) -> str:
    """A length of time to the millisecond."""
    return f"{fixed(Decimal(length // timedelta(milliseconds=1)) / 1000, 0)} s"


def fixed(value: Decimal, at_least: int) -> str:
    """A number with commas between thousands, without trailing zeros beyond `at_least` decimals."""
    return short(value, at_least)


def figure(value: Decimal, at_least: int) -> SafeString:
    """A number for a right-aligned column."""
    return format_html('<span class="figure">{}</span>', fixed(value, at_least).replace("-", MINUS))


def size(number: int) -> str:
    """Bytes, in the unit that gives up to three digits before the point."""
    amount, unit = Decimal(number), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if abs(amount) < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{short(round(amount, 0 if unit == 'B' else 1))} {unit}".replace("-", MINUS)


def wall_time(value: datetime) -> SafeString:
    """An instant of the server's own clock."""
    return _time(value, f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC")


def exchange_time(value: datetime) -> SafeString:
    """An instant as the exchange's clock shows it, to the millisecond where it has any."""
    local = value.astimezone(EXCHANGE_ZONE)
    milliseconds = f".{local.microsecond // 1000:03d}" if local.microsecond else ""
    return _time(value, f"{local:%Y-%m-%d %H:%M:%S}{milliseconds} ET")


def _time(value: datetime, text: str) -> SafeString:
    utc = value.astimezone(UTC)
    return format_html('<time datetime="{0}" title="{0}">{1}</time>', f"{utc:%Y-%m-%dT%H:%M:%S.%fZ}", text)


def page_link(row: Model, text: str = "") -> SafeString:
    """A link to the admin page of a row."""
    return anchor(page_of(type(row), row.pk), text or str(row))


def anchor(address: str, text: str) -> SafeString:
    """A link."""
    return format_html('<a href="{}">{}</a>', address, text)


def page_of(model: type[Model], pk: object) -> str:
    """The address of a row's admin page."""
    return page_of_name(f"{model._meta.app_label}_{model._meta.model_name}", pk)


def page_of_name(model_name: str, pk: object) -> str:
    """The same for a model of an upper app, by name (`orders_order`)."""
    return reverse(f"admin:{model_name}_change", args=[pk])


def list_of(model_name: str, **filters: object) -> str:
    """The address of a list (`orders_order`), narrowed."""
    return f"{reverse(f'admin:{model_name}_changelist')}?{urlencode(filters)}"


def code(path: str, *, label: str = "") -> Cell:
    """An id or a hash: whole, and chosen whole by a click, to be copied. One of digits alone is no number."""
    return of(path, lambda value: NOTHING if value == "" else whole(value), label=label)


def whole(value: object) -> SafeString:
    """The same for a value."""
    return format_html('<code class="whole">{}</code>', value)


def side(path: str, *, label: str = "") -> Cell:
    """A debit or a credit, of which one is always zero: that one is shown as a dash."""
    return of(path, lambda value: figure(value, MIN_MONEY_DECIMALS) if value else NOTHING, label=label)


def shown(value: object) -> Any:
    """A value of a JSON object as the cells show one of a column: decimals are strings there."""
    if value is None or value == "":
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    number = read_number(value)
    at_least = MIN_MONEY_DECIMALS if "." in str(value) else 0
    return value if number is None else fixed(number, at_least).replace("-", MINUS)


def of_field(model: type[Model], name: str) -> Cell | str:
    """The cell for a column that an admin names, by its kind; the name itself where it is none of the model's columns."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return name
    for kind, show in _BY_KIND.items():
        if isinstance(field, kind):
            return of(name, show, label=str(field.verbose_name))
    return name


_BY_KIND: dict[type[Field], Cell] = {
    DateTimeField: wall_time,
    DateField: lambda value: f"{value:%Y-%m-%d}",
    UUIDField: whole,
    BooleanField: lambda value: "yes" if value else "no",
    IntegerField: lambda value: figure(Decimal(value), 0),
    DecimalField: lambda value: figure(value, 0),
    ArrayField: lambda value: ", ".join(map(str, value)) or NOTHING,
    CharField: lambda value: value or NOTHING,
}


def pairs(path: str, *, label: str = "") -> Cell:
    """A JSON object as a small table."""

    def table(value: dict[str, Any]) -> SafeString:
        rows = format_html_join(
            "", "<tr><th>{}</th><td>{}</td></tr>", [(name, shown(one)) for name, one in value.items()]
        )
        return format_html('<table class="pairs">{}</table>', rows)

    return of(path, table, label=label)


def text(path: str, *, label: str = "") -> Cell:
    """The value as it is; nothing for an empty text."""
    read = attrgetter(path)
    return cell(path, lambda row: read(row) or NOTHING, label=label)
