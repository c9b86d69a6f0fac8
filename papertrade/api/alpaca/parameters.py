"""Query parameters as Alpaca's clients write them: booleans in any case, dates or instants, lists separated by commas.

Nothing here is older than 1970 or later than 2999, so a time beyond them means the first or the last one between.
"""

from collections.abc import Collection
from datetime import UTC, date, datetime, time
from decimal import Decimal

from rest_framework.request import Request

from marketdata.instruments import InvalidSymbol
from papertrade.api.alpaca.errors import bad_input
from papertrade.api.alpaca.wire import instrument_of
from papertrade.lib.numbers import read_number
from papertrade.lib.times import EXCHANGE_ZONE, YEARS, begin_of, until_bound

MAX_SYMBOLS = 1000
FIRST_DAY, LAST_DAY = date(YEARS[0], 1, 1), date(YEARS[-1], 12, 31)
FIRST, LAST = begin_of(FIRST_DAY), until_bound(LAST_DAY)


class Query:
    """The parameters of one request. Those that nobody asks for are left alone: Alpaca's clients send many.

    Raises AlpacaError for a NUL, which PostgreSQL takes in no text.
    """

    def __init__(self, request: Request) -> None:
        self._given = {name: value for name, value in request.query_params.items() if value != ""}
        for name, value in self._given.items():
            if "\x00" in value:
                raise bad_input(f"{name[:40]} has characters that no value has")

    def __contains__(self, name: str) -> bool:
        return name in self._given

    def text(self, name: str, default: str = "") -> str:
        """As it was sent."""
        return self._given.get(name, default)

    def switch(self, name: str, default: bool = False) -> bool:
        """`true` or `True`, `false` or `False`. Raises AlpacaError."""
        value = self._given.get(name)
        if value is None:
            return default
        if value.lower() not in ("true", "false"):
            raise bad_input(f"{name} must be true or false")
        return value.lower() == "true"

    def word(self, name: str, words: Collection[str], default: str) -> str:
        """One of the words, in any case. Raises AlpacaError."""
        value = self._given.get(name, default).lower()
        if value not in words:
            raise bad_input(f"invalid {name}: must be one of {', '.join(sorted(words))}")
        return value

    def whole(self, name: str, default: int, *, most: int, least: int = 1) -> int:
        """A whole number within bounds. Raises AlpacaError."""
        value = self._given.get(name)
        if value is None:
            return default
        if not value.isascii() or not value.isdigit() or len(value) > 9 or not least <= int(value) <= most:
            raise bad_input(f"{name} must be a whole number from {least} to {most}")
        return int(value)

    def number(self, name: str) -> Decimal | None:
        """A decimal, None where it was not sent. Raises AlpacaError."""
        if name not in self._given:
            return None
        value = read_number(self._given[name])
        if value is None:
            raise bad_input(f"{name} must be a number")
        return value

    def instant(self, name: str, *, end_of_day: bool = False) -> datetime | None:
        """An RFC 3339 time, or a New York day: its first instant, or its last. A time without a zone is UTC."""
        value = self._given.get(name)
        if value is None:
            return None
        return read_instant(value, name, end_of_day=end_of_day)

    def day(self, name: str) -> date | None:
        """A date; of a time its New York day, but of midnight UTC that date: so clients write one. Raises AlpacaError."""
        value = self._given.get(name)
        if value is None:
            return None
        if len(value) == len("2026-01-31"):
            try:
                return min(max(date.fromisoformat(value), FIRST_DAY), LAST_DAY)
            except ValueError:
                raise bad_input(f"{name} must be a date such as 2026-01-31") from None
        at = read_instant(value, name)
        return at.date() if at.time() == time.min else at.astimezone(EXCHANGE_ZONE).date()

    def words(self, name: str) -> list[str]:
        """What stands between commas, each once."""
        return list(dict.fromkeys(word.strip() for word in self._given.get(name, "").split(",") if word.strip()))

    def symbols(self, name: str = "symbols") -> list[str]:
        """Our symbols of those in the list, each once. Raises AlpacaError."""
        words = self.words(name)
        if len(words) > MAX_SYMBOLS:
            raise bad_input(f"too many symbols: at most {MAX_SYMBOLS}")
        return [symbol_of(word) for word in words]


def symbol_of(text: str) -> str:
    """Our symbol of what a client wrote. Raises AlpacaError."""
    try:
        return instrument_of(text).symbol
    except InvalidSymbol:
        raise bad_input(f"invalid symbol: {text[:40]}") from None


def read_instant(text: str, name: str, *, end_of_day: bool = False) -> datetime:
    """A time, or a New York day. Raises AlpacaError."""
    try:
        if len(text) == len("2026-01-31"):
            edge = time.max if end_of_day else time.min
            found = datetime.combine(date.fromisoformat(text), edge, tzinfo=EXCHANGE_ZONE)
        else:
            # A plus that was not encoded arrives as a space.
            found = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise bad_input(f"{name} must be an RFC 3339 time or a date") from None
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return min(max(found, FIRST), LAST).astimezone(UTC)
