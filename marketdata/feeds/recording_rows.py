"""The recording format, read: rows of CSV files of quotes, plain or gzip (docs/recordings.md).

Header `ts,symbol,bid,ask,bid_size,ask_size,source`, each file sorted by `ts`; `ts` is UTC ISO 8601 with Z, an empty price is an
absent side, an empty size a feed without sizes. Recordings of a live market have an eighth column, `taken_at`: when the market
took the quote. They are sorted by it and played by it, and `ts` may go back. A bad row is counted and reported with its file
and line, and never used.

A row is a line, also where its fields are quoted, so that a stray quotation mark spoils one row and not all up to the next.
"""

import csv
import errno
import gzip
import re
import zlib
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from marketdata.feeds import FeedError
from marketdata.feeds.past import PastQuote
from marketdata.instruments import InvalidSymbol, parse_symbol
from marketdata.quotes import TOLERANCE_OF_TAKEN, Quote, succeed

COLUMNS = ["ts", "symbol", "bid", "ask", "bid_size", "ask_size", "source"]
COLUMNS_TAKEN = [*COLUMNS, "taken_at"]
OF_ITS_TIME = timedelta(minutes=1)
MAX_DETAILS = 100
MAX_NUMBER = Decimal(10) ** 9  # USD or shares: far above any quote, and within the database's columns
BEGINNING = datetime.min.replace(tzinfo=UTC)

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3}|\.\d{6})?Z", re.ASCII)
_NUMBER = re.compile(r"-?\d{1,12}(\.\d{1,6})?", re.ASCII)
_SOURCE = re.compile(r"[ -~]{0,64}")


class RecordingError(FeedError):
    """A recording that cannot be used at all; the message says which and why."""


class Row(NamedTuple):
    """One good line of a recording. `at` is when it is played: `taken_at`, or where there is none the quote's own time."""

    at: datetime
    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    source: str
    quoted_at: datetime
    taken_at: datetime | None = None

    def taken(self, at: datetime) -> "Row":
        """The row of a live market that takes the quote at an instant."""
        return Row(
            at, self.symbol, self.bid, self.ask, self.bid_size, self.ask_size, self.source, self.quoted_at, taken_at=at
        )

    @property
    def is_of_its_time(self) -> bool:
        """Whether it was quoted when it was taken, or within the minute before, and so belongs to the past of that minute.

        A live market also takes quotes that have long stood, where somebody begins to look at a symbol.
        """
        return self.taken_at is None or -TOLERANCE_OF_TAKEN <= self.taken_at - self.quoted_at <= OF_ITS_TIME

    @property
    def sides(self) -> tuple[float | None, ...]:
        """Bid, ask and their sizes, as they are shown."""
        return tuple(map(_as_float, (self.bid, self.ask, self.bid_size, self.ask_size)))

    @property
    def past(self) -> PastQuote:
        """The quote as one of the past."""
        bid, ask, bid_size, ask_size = self.sides
        return PastQuote(self.at, bid, ask, bid_size or 0.0, ask_size or 0.0)

    def follow(self, previous: Quote | None, *, feed: str) -> Quote:
        """The quote that this row is, after the one before it of its symbol; `feed` where the row names none."""
        return succeed(
            previous,
            symbol=self.symbol,
            bid=self.bid,
            ask=self.ask,
            bid_size=self.bid_size,
            ask_size=self.ask_size,
            quoted_at=self.quoted_at,
            feed=self.source or feed,
            taken_at=self.taken_at,
        )


@dataclass
class Report:
    """What reading found: counts, and the first bad rows as (file, line, problem)."""

    good: int = 0
    bad: int = 0
    details: list[tuple[str, int, str]] = field(default_factory=list)

    def refuse(self, path: Path, line: int, problem: str) -> None:
        """Count a bad row, and keep it while there are not too many."""
        self.bad += 1
        if len(self.details) < MAX_DETAILS:
            self.details.append((path.name, line, problem))


def read_file(
    path: Path, report: Report, *, symbol: str = "", ends: datetime | None = None
) -> Generator[Row, None, None]:
    """The good rows of one file before `ends`, of one symbol or of all, streamed; the rest goes into the report.

    Raises RecordingError.
    """
    wanted = f",{symbol},"
    opener = gzip.open if path.suffix == ".gz" else open
    number, before = 0, BEGINNING
    try:
        with opener(path, "rt", encoding="utf-8-sig", errors="replace") as lines:
            columns = _header(next(lines, ""))
            if columns not in (COLUMNS, COLUMNS_TAKEN):
                wanted = f"{','.join(COLUMNS)}, and perhaps {COLUMNS_TAKEN[-1]}"
                report.refuse(path, 1, f"the header must be {wanted}; the file is not read")
                return
            for number, line in enumerate(lines, start=2):
                if symbol and wanted not in line and '"' not in line:
                    continue
                try:
                    row = read_row(_fields(line), columns=columns, not_before=before)
                    if symbol not in ("", row.symbol):
                        continue
                except ValueError as problem:
                    report.refuse(path, number, str(problem))
                    continue
                if ends is not None and row.at >= ends:
                    return
                before = row.at
                report.good += 1
                yield row
    except (OSError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno in {errno.EMFILE, errno.ENFILE}:
            raise RecordingError(
                "Too many files of the recording overlap in time to be open at once: merge some, or raise `ulimit -n`."
            ) from None
        report.refuse(path, number, f"cannot be read further: {error}")


def _header(line: str) -> list[str]:
    try:
        return _fields(line)
    except ValueError:
        return []


def _fields(line: str) -> list[str]:
    """The fields of a line. Raises ValueError where a quotation mark has no other."""
    text = line.removesuffix("\n")
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise ValueError(f"is quoted in a way that cannot be read: {error}") from None


def read_row(fields: list[str], *, columns: list[str] = COLUMNS, not_before: datetime = BEGINNING) -> Row:
    """One line of a recording. Raises ValueError saying what is wrong with it."""
    if len(fields) != len(columns):
        raise ValueError(f"has {len(fields)} columns instead of {len(columns)}")
    stamp, symbol, bid, ask, bid_size, ask_size, source, *taken = fields
    _check_symbol(symbol)
    _check_source(source)
    quoted_at = _instant(stamp)
    taken_at = _instant(taken[0], "taken_at") if taken else None
    at = taken_at or quoted_at
    if at < not_before:
        raise ValueError("is earlier than the row before it")
    return Row(at, symbol, _price(bid), _price(ask), _size(bid_size), _size(ask_size), source, quoted_at, taken_at)


@lru_cache(maxsize=4_096)  # rows of one instant come together
def _instant(text: str, column: str = "ts") -> datetime:
    if not _STAMP.fullmatch(text):
        raise ValueError(f"{column} is not ISO 8601 in UTC with a Z, of seconds, milliseconds or microseconds")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{column} is not a time that exists") from None


@lru_cache(maxsize=65_536)
def _check_symbol(symbol: str) -> None:
    try:
        parse_symbol(symbol)
    except InvalidSymbol as problem:
        raise ValueError(f"symbol {problem}") from None


@lru_cache(maxsize=1_024)
def _check_source(source: str) -> None:
    if not _SOURCE.fullmatch(source):
        raise ValueError("source is not at most 64 printable ASCII characters")


@lru_cache(maxsize=65_536)
def _price(text: str) -> Decimal | None:
    if not text:
        return None
    price = _number(text)
    if not 0 < price < MAX_NUMBER:
        raise ValueError("a price is not above 0, or too large; an absent side is empty")
    return price


@lru_cache(maxsize=65_536)
def _size(text: str) -> Decimal | None:
    if not text:
        return None
    size = _number(text)
    if not 0 <= size < MAX_NUMBER:
        raise ValueError("a size is negative or too large")
    return size


def _number(text: str) -> Decimal:
    if not _NUMBER.fullmatch(text):
        raise ValueError("a price or size is not a plain decimal number of at most 6 decimals")
    return Decimal(text)


def _as_float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
