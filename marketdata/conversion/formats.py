"""What each provider's file of quotes looks like, and which files cannot become a recording, with the reason.

A CSV file is known by the columns that it has, a JSON one by its keys, so nobody has to say which provider it is from.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TextIO

from marketdata.conversion import values

QUOTES_OF = "Alpaca's quotes, Massive's quotes_v1, Databento's mbp-1, bbo-1s, cmbp-1 or cbbo-1s"


class Unusable(Exception):
    """A file that cannot become a recording; the message is a sentence that says why."""


class Converted(NamedTuple):
    """One quote. A price is None where that side has none, a size None where the file does not say."""

    at: datetime
    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None


class Found(NamedTuple):
    """One line or object of a file: a quote, or what is wrong with it."""

    number: int
    quote: Converted | None
    problem: str


Price = Callable[[str], Decimal | None]


@dataclass(frozen=True)
class Columns:
    """A kind of CSV file: the names of its columns."""

    name: str
    at: str
    symbol: str
    bid: str
    ask: str
    bid_size: str
    ask_size: str
    price: Price = values.price
    sizes_were_lots: bool = False  # of US stocks, before the SIPs turned to shares

    def needed(self) -> set[str]:
        return {self.at, self.symbol, self.bid, self.ask, self.bid_size, self.ask_size}

    def read(self, row: Mapping[str, str | None]) -> Converted:
        """Raises ValueError."""
        of = {name: (row.get(name) or "").strip() for name in self.needed()}
        bid, ask = self.price(of[self.bid]), self.price(of[self.ask])
        return Converted(
            values.instant(of[self.at]),
            values.symbol(of[self.symbol]),
            bid,
            ask,
            values.size(of[self.bid_size]) if bid is not None else Decimal(0),
            values.size(of[self.ask_size]) if ask is not None else Decimal(0),
        )


ALPACA = Columns(
    "alpaca", "timestamp", "symbol", "bid_price", "ask_price", "bid_size", "ask_size", sizes_were_lots=True
)
ALPACA_JSON = Columns("alpaca", "t", "symbol", "bp", "ap", "bs", "as", sizes_were_lots=True)
MASSIVE = Columns(
    "massive", "sip_timestamp", "ticker", "bid_price", "ask_price", "bid_size", "ask_size", sizes_were_lots=True
)
DATABENTO = Columns(
    "databento", "ts_recv", "symbol", "bid_px_00", "ask_px_00", "bid_sz_00", "ask_sz_00", values.dbn_price
)
CSV_FORMATS = (ALPACA, MASSIVE, DATABENTO)

# Columns that betray a file without quotes, and why it is refused. The first that fits speaks.
REFUSED = (
    (
        {"instrument_id", "bid_px_00"},
        "This DBN file has instrument numbers and no symbols: write it again with map_symbols=True (`dbn --csv -s`).",
    ),
    (
        {"open", "high", "low", "close"},
        "This file has bars (open, high, low, close) and no quotes. A bar does not say what could be bought or sold, at "
        f"which size and when, so every fill on it would be invented. Fetch quotes instead: {QUOTES_OF}.",
    ),
    (
        {"price", "size"},
        "This file has trades and no quotes. What somebody else paid is not what was on offer. Fetch quotes instead: "
        f"{QUOTES_OF}.",
    ),
)


def csv_format(columns: Iterable[str]) -> Columns:
    """Raises Unusable."""
    there = {name.strip() for name in columns}
    for one in CSV_FORMATS:
        if one.needed() <= there:
            return one
    lower = {name.lower() for name in there}
    for betraying, reason in REFUSED:
        if betraying <= lower:
            raise Unusable(reason)
    raise Unusable(f"The columns are those of no known file of quotes. Known are {QUOTES_OF}.")


def csv_quotes(lines: TextIO, of: Columns, header: list[str]) -> Iterator[Found]:
    """What follows the header."""
    for number, row in enumerate(csv.DictReader(lines, header), start=2):
        try:
            yield Found(number, of.read(row), "")
        except ValueError as problem:
            yield Found(number, None, str(problem))


def json_quotes(text: str) -> Iterator[Found]:
    """Answers of Alpaca's quote calls: of one symbol or of several, one answer or one a line. Raises Unusable."""
    number = 0
    for page in _pages(text):
        if "bars" in page:
            raise Unusable(REFUSED[1][1])
        if "trades" in page:
            raise Unusable(REFUSED[2][1])
        if "quotes" not in page:
            raise Unusable("The JSON has no `quotes`: it is no answer of Alpaca's quote calls.")
        quotes = page["quotes"] or {}
        by_symbol = quotes if isinstance(quotes, dict) else {page.get("symbol"): quotes}
        for symbol, listed in by_symbol.items():
            for quote in listed:
                number += 1
                try:
                    row = {name: str(value) for name, value in quote.items() if value is not None}
                    yield Found(number, ALPACA_JSON.read({**row, "symbol": str(symbol)}), "")
                except (ValueError, AttributeError) as problem:
                    yield Found(number, None, str(problem))


def _pages(text: str) -> list[dict[str, Any]]:
    def parse(part: str) -> Any:
        return json.loads(part, parse_float=Decimal)

    try:
        try:
            whole = parse(text)
            pages = whole if isinstance(whole, list) else [whole]
        except ValueError:
            pages = [parse(line) for line in text.splitlines() if line.strip()]
    except ValueError as problem:
        raise Unusable(f"It is not JSON: {problem}.") from None
    if not all(isinstance(page, dict) for page in pages):
        raise Unusable("The JSON has no `quotes`: it is no answer of Alpaca's quote calls.")
    return pages
