"""How values look on the wire: decimals are strings, times RFC 3339 UTC with microseconds."""

from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerFieldExtension
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

MIN_PRICE_DECIMALS = 2
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DECIMAL_PATTERN = r"^-?\d+(\.\d+)?$"
INSTANT_PATTERN = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"


def money(value: Decimal) -> str:
    """USD with 4 decimals."""
    return f"{value:.4f}"


def qty(value: Decimal) -> str:
    """Shares or contracts with 6 decimals."""
    return f"{value:.6f}"


def ratio(value: Decimal) -> str:
    """A fraction with 6 decimals."""
    return f"{value:.6f}"


def price(value: Decimal) -> str:
    """USD per share: to 6 decimals, the fewest of at least 2 that lose nothing."""
    whole, _, decimals = f"{value:.6f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(MIN_PRICE_DECIMALS, '0')}"


def instant(value: datetime) -> str:
    """A time in the one spelling of the wire."""
    return f"{value.astimezone(UTC).isoformat(timespec='microseconds')[:-6]}Z"


def as_it_is(value: Any) -> Any:
    """A value that JSON has."""
    return value


class WireField(serializers.Field):
    """A read-only value. `write` says how it is written: a plain function, since lists call it very often."""

    write: Callable[[Any], Any]

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)

    def to_representation(self, value: Any) -> Any:
        return self.write(value)


@extend_schema_field({"type": "string", "pattern": DECIMAL_PATTERN, "examples": ["100000.0000"]})
class Money(WireField):
    write = staticmethod(money)


@extend_schema_field({"type": "string", "pattern": DECIMAL_PATTERN, "examples": ["1.000000"]})
class Qty(WireField):
    write = staticmethod(qty)


@extend_schema_field({"type": "string", "pattern": DECIMAL_PATTERN, "examples": ["0.250000"]})
class Ratio(WireField):
    write = staticmethod(ratio)


@extend_schema_field({"type": "string", "pattern": DECIMAL_PATTERN, "examples": ["183.50"]})
class Price(WireField):
    write = staticmethod(price)


@extend_schema_field(
    {"type": "string", "format": "date-time", "pattern": INSTANT_PATTERN, "examples": ["2026-05-15T14:30:00.000000Z"]}
)
class Instant(WireField):
    write = staticmethod(instant)


@extend_schema_field({"type": "string", "format": "date"})
class Day(WireField):
    def to_representation(self, value: date) -> str:
        return value.isoformat()


@extend_schema_field({"type": "string"})
class Text(WireField):
    write = staticmethod(str)


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class Texts(WireField):
    write = staticmethod(as_it_is)


class Word(WireField):
    """One of some words, which the document lists as an enum of the name `called`.

    `or_empty`: it may also be an empty text, where there is nothing to say.
    """

    write = staticmethod(str)

    def __init__(self, *enums: Iterable[str], called: str, or_empty: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.called = called
        self.words = list(dict.fromkeys([*(str(word) for enum in enums for word in enum), *([""] if or_empty else [])]))


class WordExtension(OpenApiSerializerFieldExtension):
    target_class = "papertrade.api.kit.fields.Word"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        return {"type": "string", "enum": self.target.words, "title": self.target.called}


@extend_schema_field({"type": "string", "format": "uuid"})
class Id(WireField):
    write = staticmethod(str)


@extend_schema_field({"type": "integer"})
class Count(WireField):
    write = staticmethod(as_it_is)


@extend_schema_field({"type": "boolean"})
class Switch(WireField):
    write = staticmethod(as_it_is)


@extend_schema_field({"type": "number", "format": "double"})
class Number(WireField):
    """A JSON number, or null where it is not known; only where another product's shapes have one."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_null=True, **options)

    def to_representation(self, value: Decimal | float) -> float:
        return float(value)


@extend_schema_field({"type": "integer"})
class Nanoseconds(WireField):
    """A time, in nanoseconds since 1970; only where another product's shapes have one."""

    def to_representation(self, value: datetime) -> int:
        since = value - EPOCH
        return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1000
