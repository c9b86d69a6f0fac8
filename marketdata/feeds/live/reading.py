"""What every provider's messages are made of: numbers, times and option symbols, read strictly. Pure.

A message is read or refused with a reason, never guessed at: a price of nine decimals or a time in the wrong unit is a
mistake somewhere, and a fill on it would be one too.
"""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import msgpack

from marketdata.instruments import is_symbol

NUMBERS = (Decimal, int, float)
MAX_DECIMALS = 6  # the columns of a quote
MAX_NUMBER = Decimal(10) ** 9  # USD or shares: far above any quote
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)  # a time before it is in another unit than was agreed
LATEST = datetime(2100, 1, 1, tzinfo=UTC)
NANOSECONDS_PER_MICROSECOND = 1_000
MICROSECONDS_PER_MILLISECOND = 1_000
SYMBOLS_A_FRAME = 500
MAX_PAGE_TOKEN = 2_000  # characters; it becomes part of an address

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII)


class Unreadable(ValueError):
    """A message, or a number in it, that cannot be used. `word` names the kind of fault, for counting; the text says why."""

    def __init__(self, word: str, why: str) -> None:
        super().__init__(why)
        self.word = word


def from_json(frame: str | bytes) -> Any:
    """A JSON text, its fractions as Decimal. Raises Unreadable, for NaN and the infinities too."""
    try:
        return json.loads(frame, parse_float=Decimal, parse_constant=_refuse_constant)
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise Unreadable("json", f"not JSON: {error}"[:120]) from None


def from_msgpack(frame: str | bytes) -> Any:
    """A MessagePack object; its times are `msgpack.Timestamp`. Raises Unreadable."""
    if isinstance(frame, str):
        raise Unreadable("msgpack", "text where MessagePack was agreed")
    try:
        return msgpack.unpackb(frame, strict_map_key=False)
    except (ValueError, msgpack.UnpackException, RecursionError, TypeError) as error:
        raise Unreadable("msgpack", f"not MessagePack: {error}"[:120]) from None


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not a number")


def price(value: Any) -> Decimal | None:
    """USD per share; None where the side is absent, which providers write as 0, below 0 or not at all."""
    if value is None:
        return None
    number = _decimal(value)
    return number if number > 0 else None


def size(value: Any, *, unit: int = 1) -> Decimal | None:
    """Shares or contracts, `unit` of them in what the provider counts; None where it says nothing. Raises Unreadable."""
    if value is None:
        return None
    number = _decimal(value)
    if number < 0 or number != number.to_integral_value():
        raise Unreadable("number", "a size is below 0 or not whole")
    return Decimal(int(number) * unit)


def side_size(price: Decimal | None, value: Any, *, unit: int = 1) -> Decimal | None:
    """The size of a side with that price: an absent side shows nothing. Raises Unreadable."""
    return Decimal(0) if price is None else size(value, unit=unit)


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, NUMBERS):
        raise Unreadable("number", "a price or size is not a number")
    return _within_bounds(value)


# Prices and sizes repeat: of 100,000 quotes of a day a few thousand numbers are new.
@lru_cache(maxsize=65_536)
def _within_bounds(value: int | float | Decimal) -> Decimal:
    # A binary float means the shortest decimal that reads back as it: 183.505, not 183.50499999999999545.
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite() or abs(number) >= MAX_NUMBER:
        raise Unreadable("number", "a price or size is out of bounds")
    if number != round(number, MAX_DECIMALS):
        raise Unreadable("decimals", f"a price or size has more than {MAX_DECIMALS} decimals")
    return number


def rfc3339(value: Any) -> datetime:
    """`2026-11-25T14:30:00.123456789Z` as aware UTC, cut to the microsecond. Raises Unreadable."""
    if isinstance(value, msgpack.Timestamp):
        return from_nanoseconds(value.to_unix_nano())
    if not isinstance(value, str) or not _RFC_3339.fullmatch(value):
        raise Unreadable("time", "the time is not RFC 3339")
    try:
        at = datetime.fromisoformat(value)
        return _plausible(at if value.endswith("Z") else at.astimezone(UTC))
    except (ValueError, OverflowError):
        raise Unreadable("time", "the time does not exist") from None


def from_nanoseconds(value: Any) -> datetime:
    """Nanoseconds since 1970, cut to the microsecond. Raises Unreadable."""
    return _since_epoch(_whole(value) // NANOSECONDS_PER_MICROSECOND)


def from_milliseconds(value: Any) -> datetime:
    """Milliseconds since 1970. Raises Unreadable."""
    return _since_epoch(_whole(value) * MICROSECONDS_PER_MILLISECOND)


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Unreadable("time", "the time is not a whole number")
    return value


def _since_epoch(microseconds: int) -> datetime:
    try:
        return _plausible(EPOCH + timedelta(microseconds=microseconds))
    except OverflowError:
        raise Unreadable("time", "the time is out of bounds") from None


def _plausible(at: datetime) -> datetime:
    if not EARLIEST <= at < LATEST:
        raise Unreadable("time", "the time is out of bounds: it may be in another unit")
    return at


def objects(message: Any) -> Iterator[dict[str, Any]]:
    """The objects of a message: one, or an array of them. Raises Unreadable for everything else."""
    found = message if isinstance(message, list) else [message]
    return map(one_object, found)


def one_object(message: Any) -> dict[str, Any]:
    """The message, which must be one object. Raises Unreadable."""
    if not isinstance(message, dict):
        raise Unreadable("shape", "not an object")
    return message


def text(value: Any, *, length: int = 200) -> str:
    """What a provider said, fit for a log and a page: printable, on one line, not endless."""
    said = " ".join(str(value or "").split())
    return "".join(letter for letter in said if letter.isprintable())[:length]


def sentence_of(body: bytes) -> str:
    """What a provider says in the body of a refusal; empty where it is not JSON, such as a proxy's page."""
    try:
        return sentence_in(from_json(body))
    except Unreadable:
        return ""


def sentence_in(answer: Any) -> str:
    """What a refusal says, in any of the ways that providers write it; empty where it says nothing."""
    if not isinstance(answer, dict):
        return ""
    for name in ("error", "fault", "message", "msg", "faultstring"):
        found = answer.get(name)
        if isinstance(found, dict):
            parts = (text(found.get(part)) for part in ("code", "message", "faultstring"))
            found = ": ".join(part for part in parts if part)
        if said := text(found):
            return said
    return ""


def hide(value: Any, secrets: Iterable[str]) -> str:
    """The same, with keys blotted out: a provider may repeat what it was sent."""
    said = str(value or "")
    for secret in secrets:
        if secret:
            said = said.replace(secret, "***")
    return text(said)


def page_token(value: Any) -> str:
    """The word by which the next page is asked for; empty where there is none."""
    return value if isinstance(value, str) and len(value) <= MAX_PAGE_TOKEN else ""


# Symbols: ours are `BRK.B` and `O:AAPL261218C00200000`. -----------------------------------------------------------------


def same_symbol(name: Any) -> str:
    """A symbol that the provider spells as we do. Raises Unreadable."""
    if not isinstance(name, str) or not is_symbol(name):
        raise Unreadable("symbol", "the symbol is not one that can be traded")
    return name


def to_plain_occ(symbol: str) -> str:
    """Ours as a provider writes it that gives options without `O:`."""
    return symbol.removeprefix("O:")


def from_plain_occ(name: Any) -> str:
    """The other way. Raises Unreadable."""
    if not isinstance(name, str):
        raise Unreadable("symbol", "the symbol is not text")
    return same_symbol(name if is_symbol(name) and not name.startswith("O:") else f"O:{name}")


def is_option(symbol: str) -> bool:
    """Whether one of our symbols, known to be well formed, is an option's."""
    return symbol.startswith("O:")


def is_stock(symbol: str) -> bool:
    """Whether one of our symbols, known to be well formed, is a stock's."""
    return not is_option(symbol)
