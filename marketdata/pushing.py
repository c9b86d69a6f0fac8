"""Quotes that are pushed through the API, read and judged row by row: what is taken goes to the feed leader."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from marketdata import clock, pushes
from marketdata.feeds.live.protocol import RawQuote
from marketdata.instruments import is_symbol
from marketdata.markets.current import current_market
from marketdata.quotes import TOLERANCE_OF_TAKEN
from papertrade.lib.errors import BadRequest, Conflict, Unavailable
from papertrade.lib.numbers import decimals, read_number

MAX_PUSHED = 1000
FIELDS = frozenset({"symbol", "bid", "ask", "bid_size", "ask_size", "quoted_at"})
MAX_DECIMALS = 6
MAX_VALUE = Decimal(10) ** 9
MAX_SOURCE = 64
SILENT_SECONDS = 5
MAX_WAITING_SECONDS = 10


class PushRefusal(StrEnum):
    """Why a pushed row is not taken; the words are wire values."""

    BAD_ROW = "bad_row"  # not an object, or with other fields
    BAD_SYMBOL = "bad_symbol"
    BAD_PRICE = "bad_price"
    BAD_SIZE = "bad_size"
    BAD_TIME = "bad_time"
    UNKNOWN_SYMBOL = "unknown_symbol"
    FUTURE = "future"
    OUT_OF_ORDER = "out_of_order"


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that is not taken: its place in what was sent, the symbol it named, and why."""

    index: int
    symbol: str
    reason: PushRefusal


@dataclass(frozen=True, slots=True)
class Pushed:
    """How many rows were taken, and the others."""

    taken: int
    refused: list[RefusedRow]


class _Bad(ValueError):
    """A row that cannot be read."""


def push(rows: object, *, by: str) -> Pushed:
    """Take quotes for the live market; `by` is who sends them, for the evidence.

    Raises Conflict `feed_not_writable` where the market has a feed of its own, BadRequest, and Unavailable where no leader
    takes them at the moment.
    """
    if not current_market().takes_pushes:
        raise Conflict("This market has a feed of its own; quotes cannot be pushed to it.", code="feed_not_writable")
    if not isinstance(rows, list) or len(rows) > MAX_PUSHED:
        raise BadRequest("The quotes cannot be read.", quotes=f"must be an array of at most {MAX_PUSHED} quotes")
    silent = clock.since_last_beat()
    if silent is None or silent.total_seconds() > SILENT_SECONDS or pushes.waiting_seconds() > MAX_WAITING_SECONDS:
        raise Unavailable("No feed process takes quotes at the moment; push them again.")
    read = [_read(row, feed_word(by)) for row in rows]
    return _judge(read)


def feed_word(by: str) -> str:
    """The word of the evidence for who pushes: printable ASCII without commas, as recordings have it."""
    plain = "".join(letter if letter.isascii() and letter.isprintable() and letter != "," else "-" for letter in by)
    return f"push:{plain}"[:MAX_SOURCE].rstrip()


def _judge(read: Sequence[RawQuote | tuple[str, PushRefusal]]) -> Pushed:
    symbols = {quote.symbol for quote in read if isinstance(quote, RawQuote)}
    market, now = current_market(), clock.read().now
    latest = market.latest(symbols, at=now, watch=False) if symbols else {}
    newest = {symbol: quote.quoted_at for symbol, quote in latest.items()}
    known = {symbol: market.exists(symbol) for symbol in symbols}
    taken: list[RawQuote] = []
    refused: list[RefusedRow] = []
    for index, quote in enumerate(read):
        if not isinstance(quote, RawQuote):
            refused.append(RefusedRow(index, *quote))
            continue
        before = newest.get(quote.symbol)
        if not known[quote.symbol]:
            refused.append(RefusedRow(index, quote.symbol, PushRefusal.UNKNOWN_SYMBOL))
        elif quote.quoted_at - now > TOLERANCE_OF_TAKEN:
            refused.append(RefusedRow(index, quote.symbol, PushRefusal.FUTURE))
        elif before is not None and quote.quoted_at < before:
            refused.append(RefusedRow(index, quote.symbol, PushRefusal.OUT_OF_ORDER))
        else:
            newest[quote.symbol] = quote.quoted_at
            taken.append(quote)
    pushes.put(taken)
    return Pushed(len(taken), refused)


def _read(row: object, feed: str) -> RawQuote | tuple[str, PushRefusal]:
    if not isinstance(row, dict) or not row.keys() <= FIELDS:
        return "", PushRefusal.BAD_ROW
    symbol = row.get("symbol")
    if not isinstance(symbol, str) or not is_symbol(symbol):
        return str(symbol)[:MAX_SOURCE], PushRefusal.BAD_SYMBOL
    try:
        bid, ask = (_number(row, name, low=Decimal(0), or_equal=False) for name in ("bid", "ask"))
    except _Bad:
        return symbol, PushRefusal.BAD_PRICE
    try:
        bid_size, ask_size = (_number(row, name, low=Decimal(0), or_equal=True) for name in ("bid_size", "ask_size"))
    except _Bad:
        return symbol, PushRefusal.BAD_SIZE
    quoted_at = _time(row.get("quoted_at"))
    if quoted_at is None:
        return symbol, PushRefusal.BAD_TIME
    return RawQuote(symbol, bid, ask, bid_size, ask_size, quoted_at, feed)


def _number(row: Mapping[str, object], name: str, *, low: Decimal, or_equal: bool) -> Decimal | None:
    if row.get(name) is None:
        return None
    value = read_number(row[name])
    if value is None or decimals(value) > MAX_DECIMALS or value >= MAX_VALUE:
        raise _Bad
    if value < low or (value == low and not or_equal):
        raise _Bad
    return value


def _time(value: object) -> datetime | None:
    """An ISO time with a zone; None where it is none."""
    if not isinstance(value, str) or len(value) > MAX_SOURCE:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return None if moment.tzinfo is None else moment.astimezone(clock.UTC)
    except (ValueError, OverflowError):
        return None
