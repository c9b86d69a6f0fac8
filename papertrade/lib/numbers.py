"""Numbers and ids as people send them. Pure."""

import re
from decimal import Decimal
from uuid import UUID

from papertrade.lib.errors import NotFound

MAX_NUMBER_LENGTH = 40
MAX_INTEGER = 10**18  # above any quantity, price or amount that is taken

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,2})?", re.ASCII)


def read_number(value: object) -> Decimal | None:
    """A finite decimal from a JSON string, integer or Decimal, its exponent of at most two digits; None from anything else."""
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        return None
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return None  # before str(): turning a huge integer into digits is slow, and refused by Python
    text = str(value)
    if len(text) > MAX_NUMBER_LENGTH or not _NUMBER.fullmatch(text):
        return None
    return Decimal(text)


def decimals(value: Decimal) -> int:
    """How many decimals the value has without trailing zeros: 2 for 10.250."""
    return max(0, -int(value.normalize().as_tuple().exponent))


def as_uuid(value: UUID | str, thing: str) -> UUID:
    """The id as a UUID. Raises NotFound for what is not an id: it names nothing."""
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except ValueError:
        raise NotFound(f"There is no such {thing}.") from None
