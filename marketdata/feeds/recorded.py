"""The recorded market: files of quotes in the recording format, merged by time and streamed.

Rows of one instant keep the order of the sorted file names, then of the lines. A file is open from its first row to its last,
so that a year of daily files needs one at a time.
"""

import heapq
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path

import redis
import structlog

from marketdata.feeds import Passed, ignore
from marketdata.feeds.past import PastQuote, PastTrade, QuoteColumns
from marketdata.feeds.recorded_trades import TRADE_COLUMNS, RecordedTrades, header_of
from marketdata.feeds.recording_parts import Part, is_part, parts_among
from marketdata.feeds.recording_rows import BEGINNING, MAX_DETAILS, RecordingError, Report, Row, read_file
from marketdata.quotes import Quote
from marketdata.sessions import calendar
from papertrade.lib.valkey import client

log = structlog.get_logger(__name__)

SUFFIXES = (".csv", ".csv.gz")
TOLD_KEY = "papertrade:refused_rows"  # those that were logged, by file and line
TOLD_SECONDS = 86_400
MOST_QUOTES_REMEMBERED = 2_000_000  # that a process keeps for charts and bars, of 40 bytes each


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
        self._parts = _live_parts(files)
        self.files = [path for path in files if path not in self._trades.files and not self._is_void(path)]
        self.name = f"recorded:{place.resolve().name}"[:64]
        self._past: dict[str, QuoteColumns] = {}

    def cursor(self) -> "RecordedCursor":
        return RecordedCursor(self)

    def _is_void(self, path: Path) -> bool:
        """Whether it is a live recording's, of a leader who had been replaced before its first row."""
        return is_part(path) and path not in self._parts

    def exists(self, symbol: str) -> bool:
        """A recording is a sample of a market: it never says that a symbol does not exist."""
        return True

    def first_at(self) -> datetime:
        """The open of the first session that the recording reaches into. Raises RecordingError."""
        first = self.begins()
        if first is None:
            raise RecordingError(f"The recording has no usable row: {', '.join(map(str, self.files))}")
        return calendar().upcoming(first).open

    def begins(self) -> datetime | None:
        """As `Begins`."""
        return min((at for at in self._first_rows if at > BEGINNING), default=None)

    @cached_property
    def _first_rows(self) -> list[datetime]:
        """When the first good row of each file is; the beginning of time for a file that has none."""
        return [next((row.at for row in self._rows_of(path, Report())), BEGINNING) for path in self.files]

    def _rows_of(self, path: Path, report: Report, symbol: str = "") -> Iterator[Row]:
        part = self._parts.get(path)
        return read_file(path, report, symbol=symbol, ends=part.ends if part is not None else None)

    def rows(self, report: Report, *, symbol: str = "") -> Iterator[Row]:
        """Every good row, or those of one symbol, by time; rows of one instant in file order. Raises RecordingError."""
        waiting = sorted(zip(self._first_rows, range(len(self.files)), strict=True), reverse=True)
        reading: list[tuple[datetime, int, Row, Iterator[Row]]] = []  # a heap of each open file's next row
        while waiting or reading:
            while waiting and (not reading or waiting[-1][0] <= reading[0][0]):
                _, number = waiting.pop()
                rest = self._rows_of(self.files[number], report, symbol)
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
            if (columns := missing.get(row.symbol)) is not None and row.is_of_its_time:
                columns.append(row.at, *row.sides)
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


def _live_parts(files: Sequence[Path]) -> dict[Path, Part]:
    """Those of the files that are of a live recording and have rows that count, folder by folder."""
    by_folder: dict[Path, list[Path]] = defaultdict(list)
    for path in files:
        by_folder[path.parent].append(path)
    return {part.path: part for together in by_folder.values() for part in parts_among(together)}
