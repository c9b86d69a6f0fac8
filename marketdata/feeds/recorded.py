"""The recorded market: CSV files of quotes, plain or gzip, merged by time and streamed.

Format: header `ts,symbol,bid,ask,bid_size,ask_size,source`, each file sorted by `ts`; `ts` is UTC ISO 8601 with Z, an empty
price is an absent side, an empty size a feed without sizes. Recordings of a live market have an eighth column, `taken_at`: when
the market took the quote. They are sorted by it and played by it, and `ts` may go back. Rows of one instant keep the order of
the sorted file names, then of the lines. A bad row is counted and reported with its file and line, and never used.

A row is a line, also where its fields are quoted, so that a stray quotation mark spoils one row and not all up to the next. A
file is open from its first row to its last, so that a year of daily files needs one at a time.
"""

import csv
import errno
import gzip
import heapq
import re
import zlib
from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

import redis
import structlog

from marketdata.feeds import FeedError, Passed, ignore
from marketdata.feeds.past import PastQuote, PastTrade, QuoteColumns
from marketdata.feeds.recorded_trades import TRADE_COLUMNS, RecordedTrades, header_of
from marketdata.instruments import InvalidSymbol, parse_symbol
from marketdata.quotes import Quote, succeed
from marketdata.sessions import calendar
from papertrade.lib.valkey import client

log = structlog.get_logger(__name__)

COLUMNS = ["ts", "symbol", "bid", "ask", "bid_size", "ask_size", "source"]
COLUMNS_TAKEN = [*COLUMNS, "taken_at"]
SUFFIXES = (".csv", ".csv.gz")
MAX_DETAILS = 100
TOLD_KEY = "papertrade:refused_rows"  # those that were logged, by file and line
TOLD_SECONDS = 86_400
MOST_QUOTES_REMEMBERED = 2_000_000  # that a process keeps for charts and bars, of 40 bytes each
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


class LoggingReport(Report):
    """One of a market that is moved: the first bad rows are logged, each once, whichever process reads them how often."""

    def refuse(self, path: Path, line: int, problem: str) -> None:
        super().refuse(path, line, problem)
        if self.bad <= MAX_DETAILS and _is_news(f"{path.resolve()}:{line}"):
            log.warning("recording_row_refused", file=path.name, line=line, problem=problem)


def _is_news(row: str) -> bool:
    """Whether no process has told of the row in the last day; without Valkey each tells for itself."""
    try:
        is_news = bool(client().sadd(TOLD_KEY, row))
        client().expire(TOLD_KEY, TOLD_SECONDS)
    except redis.RedisError:
        return True
    return is_news


class RecordedFeed:
    """The files of a folder, or one file."""

    def __init__(self, place: Path) -> None:
        files = recording_files(place)
        self._trades = RecordedTrades(path for path in files if header_of(path) == TRADE_COLUMNS)
        self.files = [path for path in files if path not in self._trades.files]
        self.name = f"recorded:{place.resolve().name}"[:64]
        self._past: dict[str, QuoteColumns] = {}

    def cursor(self) -> "RecordedCursor":
        return RecordedCursor(self)

    def exists(self, symbol: str) -> bool:
        """A recording is a sample of a market: it never says that a symbol does not exist."""
        return True

    def first_at(self) -> datetime:
        """The open of the first session that the recording reaches into. Raises RecordingError."""
        first = min((at for at in self._first_rows if at > BEGINNING), default=None)
        if first is None:
            raise RecordingError(f"The recording has no usable row: {', '.join(map(str, self.files))}")
        return calendar().upcoming(first).open

    @cached_property
    def _first_rows(self) -> list[datetime]:
        """When the first good row of each file is; the beginning of time for a file that has none."""
        return [first_row_at(path) for path in self.files]

    def rows(self, report: Report, *, symbol: str = "") -> Iterator[Row]:
        """Every good row, or those of one symbol, by time; rows of one instant in file order. Raises RecordingError."""
        waiting = sorted(zip(self._first_rows, range(len(self.files)), strict=True), reverse=True)
        reading: list[tuple[datetime, int, Row, Iterator[Row]]] = []  # a heap of each open file's next row
        while waiting or reading:
            while waiting and (not reading or waiting[-1][0] <= reading[0][0]):
                _, number = waiting.pop()
                rest: Iterator[Row] = read_file(self.files[number], report, symbol=symbol)
                if (first := next(rest, None)) is not None:
                    heapq.heappush(reading, (first.at, number, first, rest))
            if not reading:
                continue
            _, number, row, rest = reading[0]
            yield row
            if (following := next(rest, None)) is not None:
                heapq.heapreplace(reading, (following.at, number, following, rest))
            else:
                heapq.heappop(reading)

    def mids(self, symbol: str, times: Sequence[datetime]) -> list[float | None]:
        """As `KeepsPast`."""
        columns = self._columns(symbol)
        return [columns.mid_at(at) for at in times]

    def quotes(self, symbol: str, after: datetime, until: datetime) -> Iterator[PastQuote]:
        """As `KeepsPast`: the files are read once for a symbol, and its quotes kept in columns."""
        return self._columns(symbol).between(after, until)

    def remember(self, symbols: Collection[str]) -> None:
        """Read the quotes of several symbols in one pass; what is asked of each next takes no more."""
        missing = {symbol: QuoteColumns() for symbol in symbols if symbol not in self._past}
        if not missing:
            return
        for row in self.rows(Report(), symbol=next(iter(missing)) if len(missing) == 1 else ""):
            if (columns := missing.get(row.symbol)) is not None:
                columns.append(row.at, *map(_as_float, (row.bid, row.ask, row.bid_size, row.ask_size)))
        while self._past and sum(map(len, self._past.values())) > MOST_QUOTES_REMEMBERED:
            self._past.pop(next(iter(self._past)))
        self._past |= missing

    def has_trades(self, symbol: str) -> bool:
        """As `KeepsTrades`."""
        return self._trades.has(symbol)

    def trades(self, symbol: str, after: datetime, until: datetime) -> Iterator[PastTrade]:
        """As `KeepsTrades`."""
        return self._trades.of(symbol).between(after, until)

    def trade_at(self, symbol: str, at: datetime) -> PastTrade | None:
        """As `KeepsTrades`."""
        return self._trades.of(symbol).last(at)

    def _columns(self, symbol: str) -> QuoteColumns:
        self.remember([symbol])
        return self._past[symbol]


def _as_float(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


class RecordedCursor:
    """A place in the merged files. `report` is about the rows read so far."""

    def __init__(self, feed: RecordedFeed) -> None:
        self.feed = feed
        self._open()

    def _open(self) -> None:
        self.report = LoggingReport()
        self.latest: dict[str, Quote] = {}
        self._rows = self.feed.rows(self.report)
        self._ahead = next(self._rows, None)
        self._at = BEGINNING  # of the last row that was taken

    def seek(self, through: datetime, *, whole: bool, passed: Passed = ignore) -> None:
        if self._at > through or (self._at == through and not whole):
            self._open()
        while (row := self._ahead) is not None and (row.at < through or (whole and row.at == through)):
            passed(self._take(row))

    def until(self, to: datetime, symbols: Collection[str]) -> Iterator[Sequence[Quote]]:
        while (row := self._ahead) is not None and row.at <= to:
            at, quotes = row.at, [self._take(row)]
            while (row := self._ahead) is not None and row.at == at:
                quotes.append(self._take(row))
            yield quotes

    def _take(self, row: Row) -> Quote:
        self._at = row.at
        quote = row.follow(self.latest.get(row.symbol), feed=self.feed.name)
        self.latest[row.symbol] = quote
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


def first_row_at(path: Path) -> datetime:
    """When the first good row of a file is, or the beginning of time where it has none."""
    with closing(read_file(path, Report())) as rows:
        return next((row.at for row in rows), BEGINNING)


def read_file(path: Path, report: Report, *, symbol: str = "") -> Generator[Row, None, None]:
    """The good rows of one file, of one symbol or of all, streamed; the rest goes into the report. Raises RecordingError."""
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
