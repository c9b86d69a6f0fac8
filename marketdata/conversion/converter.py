"""Other people's quote files into one recording: read, sorted by time, written, with a report of what was found.

A day of all stocks does not fit into memory and is sorted by ticker, so rows are sorted in pieces on disk and merged.
"""

import contextlib
import csv
import gzip
import heapq
import tempfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from marketdata.conversion.formats import (
    ALPACA_JSON,
    Columns,
    Converted,
    Found,
    Unusable,
    csv_format,
    csv_quotes,
    json_quotes,
)
from marketdata.conversion.writer import STAMP, fields, recording
from marketdata.instruments import parse_symbol

PIECE_ROWS = 500_000
MAX_DETAILS = 20
SHARES_SINCE = datetime(2025, 11, 3, tzinfo=UTC)  # before, the SIPs told the sizes of stocks in round lots of 100
LOT = 100
ZSTANDARD = b"\x28\xb5\x2f\xfd"


@dataclass
class Outcome:
    """What a conversion found: rows written by symbol, the first problems as (file, line, problem), and the days."""

    symbols: Counter[str] = field(default_factory=Counter)
    bad: int = 0
    details: list[tuple[str, int, str]] = field(default_factory=list)
    first: datetime | None = None
    last: datetime | None = None
    perhaps_lots: int = 0  # stock rows whose sizes may be round lots

    @property
    def rows(self) -> int:
        return self.symbols.total()

    def refuse(self, file: str, line: int, problem: str) -> None:
        """Count a line that is no quote, and keep the first of them."""
        self.bad += 1
        if len(self.details) < MAX_DETAILS:
            self.details.append((file, line, problem))

    def count(self, quote: Converted) -> None:
        """Count a quote that is written."""
        self.symbols[quote.symbol] += 1
        self.first = min(self.first or quote.at, quote.at)
        self.last = max(self.last or quote.at, quote.at)


def convert(
    files: Iterable[Path], to: Path, *, symbols: Collection[str] = (), lots: bool = False, piece_rows: int = PIECE_ROWS
) -> Outcome:
    """Write the files' quotes, of these symbols or of all, as one gzip recording.

    `lots`: sizes of stocks before 3 November 2025 are round lots of 100. Else they are taken as they stand, which shows less
    and so never fills too much. Raises Unusable for a file that has no quotes, and OSError.
    """
    outcome = Outcome()
    with (
        tempfile.TemporaryDirectory(prefix=".convert-", dir=to.parent) as scratch,
        contextlib.ExitStack() as open_pieces,
    ):
        pieces = [
            _lines(open_pieces.enter_context(open(path, encoding="utf-8")))
            for path in _sorted_pieces(_quotes(files, outcome, symbols, lots), Path(scratch), piece_rows)
        ]
        with recording(to) as out:
            out.writelines(f"{stamp},{rest}" for stamp, rest in heapq.merge(*pieces, key=lambda line: line[0]))
    return outcome


def _quotes(
    files: Iterable[Path], outcome: Outcome, symbols: Collection[str], lots: bool
) -> Iterator[tuple[Converted, str]]:
    """The wanted quotes in the files' order, each with the name of its format."""
    for path in files:
        try:
            with _opened(path) as lines:
                of, found = _recognized(lines)
                for number, quote, problem in found:
                    if quote is None:
                        outcome.refuse(path.name, number, problem)
                    elif not symbols or quote.symbol in symbols:
                        quote = _with_shares(quote, of, outcome, lots)
                        outcome.count(quote)
                        yield quote, of.name
        except (Unusable, EOFError, UnicodeDecodeError, zlib.error) as reason:
            raise Unusable(f"{path}: {reason}") from None


def _recognized(lines: TextIO) -> tuple[Columns, Iterable[Found]]:
    first = lines.readline()
    if first.lstrip()[:1] in {"{", "["}:
        return ALPACA_JSON, json_quotes(first + lines.read())
    header = [name.strip() for name in next(csv.reader([first]), [])]
    return csv_format(header), csv_quotes(lines, csv_format(header), header)


def _opened(path: Path) -> TextIO:
    with open(path, "rb") as start:
        if start.read(len(ZSTANDARD)) == ZSTANDARD:
            raise Unusable(f"it is compressed with zstandard: `unzstd {path}` first.")
    opener = gzip.open if path.suffix == ".gz" else open
    return opener(path, "rt", encoding="utf-8-sig", newline="")


def _with_shares(quote: Converted, of: Columns, outcome: Outcome, lots: bool) -> Converted:
    """The quote with its sizes in shares, as far as that is known."""
    if not of.sizes_were_lots or quote.at >= SHARES_SINCE or parse_symbol(quote.symbol).is_option:
        return quote
    outcome.perhaps_lots += 1
    if not lots:
        return quote
    bid_size, ask_size = (None if size is None else size * LOT for size in (quote.bid_size, quote.ask_size))
    return quote._replace(bid_size=bid_size, ask_size=ask_size)


def _sorted_pieces(quotes: Iterator[tuple[Converted, str]], scratch: Path, rows: int) -> list[Path]:
    """Files of so many rows at most, each sorted by time; rows of one instant keep their order."""
    paths: list[Path] = []
    piece: list[tuple[datetime, str]] = []

    def put_down() -> None:
        piece.sort(key=lambda row: row[0])
        paths.append(scratch / str(len(paths)))
        with open(paths[-1], "w", encoding="utf-8") as out:
            out.writelines(f"{at:{STAMP}},{rest}\n" for at, rest in piece)
        piece.clear()

    for quote, source in quotes:
        piece.append((quote.at, fields(*quote[1:], source)))
        if len(piece) == rows:
            put_down()
    if piece:
        put_down()
    return paths


def _lines(file: TextIO) -> Iterator[tuple[str, str]]:
    for line in file:
        stamp, _, rest = line.partition(",")
        yield stamp, rest
