"""The trades of a recording: CSV files of their own beside its quotes, shown as market data and never matched against.

Format: header `ts,symbol,price,size,exchange,condition_hex,suspicious,source`, each file sorted by `ts` as quotes are. A row
that is marked suspicious, or that is none of this, is left out: a trade fills nothing here, so nothing stands or falls with it.
"""

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TextIO, cast

import structlog

from marketdata.feeds.past import TradeColumns

log = structlog.get_logger(__name__)

TRADE_COLUMNS = ["ts", "symbol", "price", "size", "exchange", "condition_hex", "suspicious", "source"]
NOTHING = TradeColumns()


class RecordedTrades:
    """The files that hold trades; all of them are read when the first of them is asked for."""

    def __init__(self, files: Iterable[Path]) -> None:
        self.files = list(files)

    def has(self, symbol: str) -> bool:
        """Whether there are trades of the symbol, at any time."""
        return symbol in self._by_symbol

    def of(self, symbol: str) -> TradeColumns:
        """The symbol's trades."""
        return self._by_symbol.get(symbol, NOTHING)

    @cached_property
    def _by_symbol(self) -> dict[str, TradeColumns]:
        found: dict[str, TradeColumns] = {}
        rows = [row for path in self.files for row in _read(path)]
        for at, symbol, price, size, exchange in sorted(rows, key=lambda row: row[0]):
            found.setdefault(symbol, TradeColumns()).append(at, price, size, exchange)
        return found


def header_of(path: Path) -> list[str]:
    """The columns that the first line of a file names; none where it cannot be read."""
    try:
        with _opened(path) as lines:
            return next(csv.reader(lines), [])
    except (OSError, EOFError, zlib.error, csv.Error):
        return []


def _read(path: Path) -> Iterator[tuple[datetime, str, float, float, str]]:
    refused = 0
    try:
        with _opened(path) as lines:
            for row in csv.DictReader(lines):
                try:
                    at, price, size = datetime.fromisoformat(row["ts"]), float(row["price"]), float(row["size"])
                    if at.tzinfo is None or not 0 < price < float("inf") or not 0 < size < float("inf"):
                        raise ValueError("is no trade")
                except (TypeError, ValueError):
                    refused += 1
                    continue
                if row["suspicious"] != "1":
                    yield at, row["symbol"], price, size, row["exchange"]
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        log.warning("trades_end_early", file=path.name, error=str(error))
    if refused:
        log.warning("trades_refused", file=path.name, rows=refused)


def _opened(path: Path) -> TextIO:
    opener = gzip.open if path.suffix == ".gz" else open
    return cast("TextIO", opener(path, "rt", encoding="utf-8-sig", errors="replace", newline=""))
