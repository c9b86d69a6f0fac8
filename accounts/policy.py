"""The fill policy: the numbers that decide whether a quote may fill an order. Pure.

A generation freezes one when it opens (trading-rules.md section 5), so that what an account did can be judged later by
the rules it ran under, whatever the server's settings have become.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

MAX_QUOTE_AGE_SECONDS = 86_400
MAX_SPREAD_RATIO = Decimal(2)  # an ask with a bid of nothing is a spread of twice the mid: no spread is wider
MAX_SPREAD_FLOOR = Decimal(1000)
RATIO_SCALE = Decimal("0.000001")


class InvalidPolicy(ValueError):
    """A policy that cannot be used. `details` maps the field to what is wrong with it."""

    def __init__(self, details: dict[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {problem}" for field, problem in details.items()))
        self.details = details


@dataclass(frozen=True, slots=True)
class Policy:
    """Ages in whole seconds, the floor in USD per share, the ratio as a fraction of the mid."""

    stock_quote_max_age_seconds: int = 15
    option_quote_max_age_seconds: int = 60
    option_max_spread_ratio: Decimal = Decimal("0.25")
    option_spread_floor: Decimal = Decimal("0.10")
    size_cap: bool = True

    def max_age(self, *, is_option: bool) -> timedelta:
        """How old a quote may be and still fill an order of that kind."""
        seconds = self.option_quote_max_age_seconds if is_option else self.stock_quote_max_age_seconds
        return timedelta(seconds=seconds)

    def max_spread(self, mid: Decimal) -> Decimal:
        """The widest option spread, in USD, that still fills."""
        return max(self.option_max_spread_ratio * mid, self.option_spread_floor)

    def as_json(self) -> dict[str, Any]:
        """The policy as it is stored and shown: decimals as strings, so that no float touches them."""
        return {name: str(value) if isinstance(value, Decimal) else value for name, value in asdict(self).items()}

    def merged(self, changes: Mapping[str, Any]) -> "Policy":
        """This policy with the given fields replaced. Raises InvalidPolicy with every field that is wrong."""
        names = {field.name for field in fields(self)}
        problems = {name: "unknown field" for name in changes if name not in names}
        values = asdict(self)
        for name in names & changes.keys():
            try:
                values[name] = _READERS[name](changes[name])
            except (ValueError, InvalidOperation) as problem:
                problems[name] = str(problem) or "not a number"
        if problems:
            raise InvalidPolicy(problems)
        return Policy(**values)


def _age(value: Any) -> int:
    number = _decimal(value)
    if number != number.to_integral_value() or not 1 <= number <= MAX_QUOTE_AGE_SECONDS:
        raise ValueError(f"must be a whole number of seconds from 1 to {MAX_QUOTE_AGE_SECONDS}")
    return int(number)


def _bounded(top: Decimal) -> Any:
    def read(value: Any) -> Decimal:
        number = _decimal(value)
        if not 0 <= number <= top or number != number.quantize(RATIO_SCALE):
            raise ValueError(f"must be from 0 to {top} with at most 6 decimals")
        return number

    return read


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)) or len(str(value)) > 32:
        raise ValueError("must be a number")
    text = str(value)
    if not text.isascii() or "_" in text:  # Decimal reads both
        raise ValueError("must be a number")
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError("must be a finite number")
    return number


_READERS = {
    "stock_quote_max_age_seconds": _age,
    "option_quote_max_age_seconds": _age,
    "option_max_spread_ratio": _bounded(MAX_SPREAD_RATIO),
    "option_spread_floor": _bounded(MAX_SPREAD_FLOOR),
    "size_cap": _switch,
}


def policy_from_json(stored: Mapping[str, Any]) -> Policy:
    """The policy of a generation, read back from its row."""
    return Policy().merged(stored)


def policy_hash(stored: Mapping[str, Any]) -> str:
    """Names a stored policy: SHA-256 of its JSON with sorted names and no spaces."""
    return hashlib.sha256(json.dumps(stored, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
