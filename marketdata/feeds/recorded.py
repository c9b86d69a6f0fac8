"""The recorded market: CSV files of quotes, plain or gzip, merged by time and streamed.

Format: header `ts,symbol,bid,ask,bid_size,ask_size,source`, each file sorted by `ts`; `ts` is UTC ISO 8601 with Z, an empty
price is an absent side, an empty size a feed without sizes. Rows of one instant keep the order of the sorted file names,
then of the lines. A bad row is counted and reported with its file and line, and never used.
"""

import csv
import gzip
import heapq
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import structlog

from marketdata.feeds import SymbolsInUse
from marketdata.instruments import InvalidSymbol, parse_symbol
from marketdata.quotes import Quote, succeed
from marketdata.sessions import calendar

log = structlog.get_logger(__name__)

COLUMNS = ["ts", "symbol", "bid", "ask", "bid_size", "ask_size", "source"]
SUFFIXES = (".csv", ".csv.gz")
MAX_DETAILS = 100
MAX_PRICE = Decimal(10) ** 9


class RecordingError(Exception):
    """A recording that cannot be used at all; the message says which and why."""


class Row(NamedTuple):
    """One good line of a recording."""

    at: datetime
    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    source: str


@dataclass
class Report:
    """What reading found: counts, and the first bad rows as (file, line, problem)."""

    good: int = 0
    bad: int = 0
    details: list[tuple[str, int, str]] = field(default_factory=list)

    def refuse(self, path: Path, line: int, problem: str) -> None:
        """Count a bad row, and say so while there are not too many."""
        self.bad += 1
        if len(self.details) < MAX_DETAILS:
            self.details.append((path.name, line, problem))
            log.warning("recording_row_refused", file=path.name, line=line, problem=problem)


class RecordedFeed:
    """The files of a folder, or one file."""

    def __init__(self, place: Path) -> None:
        self.files = recording_files(place)
        self.name = f"recorded:{place.resolve().name}"[:64]

    def cursor(self) -> "RecordedCursor":
        return RecordedCursor(self)

    def exists(self, symbol: str) -> bool:
        """A recording is a sample of a market: it never says that a symbol does not exist."""
        return True

    def first_at(self) -> datetime:
        """The open of the first session that the recording reaches into."""
        first = next(self.rows(Report()), None)
        if first is None:
            raise RecordingError(f"The recording has no usable row: {', '.join(map(str, self.files))}")
        return calendar().upcoming(first.at).open

    def rows(self, report: Report) -> Iterator[Row]:
        """Every good row, by time; rows of one instant in file order."""
        return heapq.merge(*(read_file(path, report) for path in self.files), key=lambda row: row.at)


class RecordedCursor:
    """A place in the merged files. `report` is about the rows read so far."""

    def __init__(self, feed: RecordedFeed) -> None:
        self.feed = feed
        self._open()

    def _open(self) -> None:
        self.report = Report()
        self.latest: dict[str, Quote] = {}
        self._rows = self.feed.rows(self.report)
        self._ahead = next(self._rows, None)
        self._at, self._taken = datetime.min.replace(tzinfo=UTC), 0

    @property
    def position(self) -> tuple[datetime, int | None]:
        return self._at, self._taken

    @property
    def exhausted(self) -> bool:
        """Whether no row is left."""
        return self._ahead is None

    def seek(self, through: datetime, rows: int | None) -> None:
        if self._at > through or (self._at == through and rows is not None and self._taken > rows):
            self._open()
        while (row := self._ahead) is not None and row.at <= through:
            if row.at == through and rows is not None and self._at == through and self._taken >= rows:
                break
            if row.at == through and rows == 0:
                break
            self._take(row)

    def until(self, to: datetime, symbols: SymbolsInUse) -> Iterator[Quote]:
        while (row := self._ahead) is not None and row.at <= to:
            yield self._take(row)

    def _take(self, row: Row) -> Quote:
        self._taken = self._taken + 1 if row.at == self._at else 1
        self._at = row.at
        at, symbol, bid, ask, bid_size, ask_size, source = row
        quote = succeed(
            self.latest.get(symbol), symbol=symbol, bid=bid, ask=ask, bid_size=bid_size, ask_size=ask_size, quoted_at=at,
            feed=source or self.feed.name,
        )  # fmt: skip
        self.latest[symbol] = quote
        self._ahead = next(self._rows, None)
        return quote


def recording_files(place: Path) -> list[Path]:
    """The files of a recording, sorted by path. Raises RecordingError."""
    if place.is_file():
        return [place]
    files = sorted(path for path in place.rglob("*") if path.name.endswith(SUFFIXES) and path.is_file())
    if not files:
        raise RecordingError(
            f"No recording at {place}: it must be a folder with .csv or .csv.gz files, or one such file."
        )
    return files


def read_file(path: Path, report: Report) -> Iterator[Row]:
    """The good rows of one file, streamed; everything else goes into the report."""
    opener = gzip.open if path.suffix == ".gz" else open
    lines: csv.reader | None = None
    try:
        with opener(path, "rt", encoding="utf-8", errors="replace", newline="") as text:
            lines = csv.reader(text)
            header = next(lines, None)
            if header != COLUMNS:
                report.refuse(path, 1, f"the header must be {','.join(COLUMNS)}; the file is not read")
                return
            yield from _good_rows(path, lines, report)
    except (OSError, EOFError, zlib.error) as error:
        report.refuse(path, lines.line_num if lines else 0, f"cannot be read further: {error}")


def _good_rows(path: Path, lines: "csv.reader", report: Report) -> Iterator[Row]:
    before = datetime.min.replace(tzinfo=UTC)
    while True:
        try:
            fields = next(lines, None)
            if fields is None:
                return
            row = read_row(fields)
            if row.at < before:
                raise ValueError("is earlier than the row before it")
        except (ValueError, csv.Error) as problem:
            report.refuse(path, lines.line_num, str(problem))
            continue
        before = row.at
        report.good += 1
        yield row


def read_row(fields: list[str]) -> Row:
    """One line of a recording. Raises ValueError saying what is wrong with it."""
    if len(fields) != len(COLUMNS):
        raise ValueError(f"has {len(fields)} columns instead of {len(COLUMNS)}")
    stamp, symbol, bid, ask, bid_size, ask_size, source = fields
    try:
        at = datetime.fromisoformat(stamp)
    except ValueError:
        raise ValueError("ts is not an ISO 8601 time") from None
    if at.utcoffset() != timedelta(0):
        raise ValueError("ts is not UTC with a Z")
    _check_symbol(symbol)
    return Row(at, symbol, _price(bid), _price(ask), _size(bid_size), _size(ask_size), source[:64])


@lru_cache(maxsize=65_536)
def _check_symbol(symbol: str) -> None:
    try:
        parse_symbol(symbol)
    except InvalidSymbol as problem:
        raise ValueError(f"symbol {problem}") from None


@lru_cache(maxsize=65_536)
def _price(text: str) -> Decimal | None:
    if not text:
        return None
    price = _number(text)
    if not 0 < price < MAX_PRICE:
        raise ValueError("a price is not above 0; an absent side is empty")
    return price


@lru_cache(maxsize=65_536)
def _size(text: str) -> Decimal | None:
    if not text:
        return None
    size = _number(text)
    if not 0 <= size <= MAX_PRICE:
        raise ValueError("a size is negative or too large")
    return size


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or int(number.as_tuple().exponent) < -6:
        raise ValueError("a price or size is not a decimal number of at most 6 decimals")
    return number
