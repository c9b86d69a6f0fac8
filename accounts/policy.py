"""The fill policy: the numbers that decide whether a quote may fill an order. Pure.

A generation freezes one when it opens (trading-rules.md section 5), so that what an account did can be judged later by
the rules it ran under, whatever the server's settings have become.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from decimal import Decimal
from typing import Any

from papertrade.lib.numbers import decimals, read_number

MAX_QUOTE_AGE_SECONDS = 86_400
MAX_SPREAD_RATIO = Decimal(2)  # with a bid of almost nothing the spread is twice the mid: none is wider
MAX_SPREAD_FLOOR = Decimal(1000)
MAX_DECIMALS = 6
ZERO = Decimal(0)


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
            except ValueError as problem:
                problems[name] = str(problem)
        if problems:
            raise InvalidPolicy(problems)
        return Policy(**values)


def _age(value: Any) -> int:
    number = _decimal(value)
    if number != number.to_integral_value() or not 1 <= number <= MAX_QUOTE_AGE_SECONDS:
        raise ValueError(f"must be a whole number of seconds from 1 to {MAX_QUOTE_AGE_SECONDS}")
    return int(number)


def _bounded(top: Decimal) -> Callable[[Any], Decimal]:
    def read(value: Any) -> Decimal:
        number = _decimal(value)
        if not 0 <= number <= top or decimals(number) > MAX_DECIMALS:
            raise ValueError(f"must be from 0 to {top} with at most {MAX_DECIMALS} decimals")
        return number + ZERO  # stored and shown without an exponent: 1E+3 becomes 1000

    return read


def _switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _decimal(value: Any) -> Decimal:
    number = read_number(value)
    if number is None:
        raise ValueError('must be a number, such as "10.5"')
    return number


_READERS = {
    "stock_quote_max_age_seconds": _age,
    "option_quote_max_age_seconds": _age,
    "option_max_spread_ratio": _bounded(MAX_SPREAD_RATIO),
    "option_spread_floor": _bounded(MAX_SPREAD_FLOOR),
    "size_cap": _switch,
}


def policy_from_json(stored: Mapping[str, Any]) -> Policy:
    """The policy of a generation, read back from its row: what it was frozen with is not judged again by today's bounds."""
    frozen: dict[str, Any] = {
        name: Decimal(value) if isinstance(value, str) else value for name, value in stored.items() if name in _READERS
    }
    return Policy(**frozen)


def policy_hash(stored: Mapping[str, Any]) -> str:
    """Names a stored policy: SHA-256 of its JSON with sorted names and no spaces."""
    return hashlib.sha256(json.dumps(stored, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
