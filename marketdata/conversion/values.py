"""What the words of other people's quote files mean in a recording: instants, prices, sizes, symbols. Pure."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache

from marketdata.instruments import InvalidSymbol, parse_symbol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NANOSECONDS = 1000  # of a microsecond
FIXED_POINT = Decimal("1e-9")  # DBN's prices are whole numbers of these
UNDEFINED_PRICE = 2**63 - 1
MAX_NUMBER = Decimal(10) ** 9
DECIMALS = 6

_WHOLE = re.compile(r"\d{1,19}", re.ASCII)
_OCC = re.compile(r"([A-Z]{1,5}\d?) *(\d{6}[CP]\d{8})", re.ASCII)
_FRACTION = re.compile(r"(\.\d{6})\d+", re.ASCII)


def instant(text: str) -> datetime:
    """ISO 8601 with an offset, or nanoseconds since 1970; what is finer than a microsecond is cut. Raises ValueError."""
    if _WHOLE.fullmatch(text):
        return EPOCH + timedelta(microseconds=int(text) // NANOSECONDS)
    try:
        at = datetime.fromisoformat(_FRACTION.sub(r"\1", text))
    except ValueError:
        raise ValueError(f"{text!r} is not a time") from None
    if at.tzinfo is None:
        raise ValueError(f"{text!r} does not say its offset from UTC")
    try:
        return at.astimezone(UTC)
    except OverflowError:  # in the year 1 or 9999
        raise ValueError(f"{text!r} is not a time") from None


@lru_cache(maxsize=65_536)
def price(text: str) -> Decimal | None:
    """USD; None for a side without a quote, which providers write as nothing, 0 or NaN. Raises ValueError."""
    if not text or text.lower() == "nan":
        return None
    value = _number(text)
    return value if value > 0 else None


@lru_cache(maxsize=65_536)
def dbn_price(text: str) -> Decimal | None:
    """As `price`; without a decimal point it is DBN's whole number of billionths. Raises ValueError."""
    if not _WHOLE.fullmatch(text):
        return price(text)
    return None if int(text) == UNDEFINED_PRICE else price(format(int(text) * FIXED_POINT, "f"))


@lru_cache(maxsize=65_536)
def size(text: str) -> Decimal | None:
    """Shares or contracts; None where the file does not say. Raises ValueError."""
    if not text or text.lower() == "nan":
        return None
    value = _number(text)
    if value < 0:
        raise ValueError(f"{text!r} is a negative size")
    return value


@lru_cache(maxsize=65_536)
def symbol(text: str) -> str:
    """A ticker, or an option with or without `O:` and the OCC's padding. Raises ValueError."""
    option = _OCC.fullmatch(text.removeprefix("O:"))
    name = f"O:{option[1]}{option[2]}" if option else text
    try:
        parse_symbol(name)
    except InvalidSymbol as problem:
        raise ValueError(f"symbol {text!r} {problem}") from None
    return name


def _number(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a number") from None
    if not value.is_finite() or abs(value) >= MAX_NUMBER:
        raise ValueError(f"{text!r} is not a number, or too large")
    if value != round(value, DECIMALS):
        raise ValueError(f"{text!r} has more than {DECIMALS} decimals")
    return value
