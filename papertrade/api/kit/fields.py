"""How values look on the wire: decimals are strings, times RFC 3339 UTC with microseconds."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

MIN_PRICE_DECIMALS = 2
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
    return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class _Wire(serializers.Field):
    """A read-only value with a way of its own to be written."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)


@extend_schema_field({"type": "string", "pattern": DECIMAL_PATTERN, "examples": ["100000.0000"]})
class Money(_Wire):
    def to_representation(self, value: Decimal) -> str:
        return money(value)


@extend_schema_field({"type": "string", "pattern": DECIMAL_PATTERN, "examples": ["1.000000"]})
class Qty(_Wire):
    def to_representation(self, value: Decimal) -> str:
        return qty(value)


@extend_schema_field({"type": "string", "pattern": DECIMAL_PATTERN, "examples": ["0.250000"]})
class Ratio(_Wire):
    def to_representation(self, value: Decimal) -> str:
        return ratio(value)


@extend_schema_field({"type": "string", "pattern": DECIMAL_PATTERN, "examples": ["183.50"]})
class Price(_Wire):
    def to_representation(self, value: Decimal) -> str:
        return price(value)


@extend_schema_field(
    {"type": "string", "format": "date-time", "pattern": INSTANT_PATTERN, "examples": ["2026-05-15T14:30:00.000000Z"]}
)
class Instant(_Wire):
    def to_representation(self, value: datetime) -> str:
        return instant(value)


@extend_schema_field({"type": "string"})
class Text(_Wire):
    def to_representation(self, value: Any) -> str:
        return str(value)


@extend_schema_field({"type": "string", "format": "uuid"})
class Id(_Wire):
    def to_representation(self, value: Any) -> str:
        return str(value)


@extend_schema_field({"type": "integer"})
class Count(_Wire):
    def to_representation(self, value: int) -> int:
        return value


@extend_schema_field({"type": "boolean"})
class Switch(_Wire):
    def to_representation(self, value: bool) -> bool:
        return value
