"""Quotes, trades and bars as Alpaca writes them: numbers, and 0 for a side that is absent."""

from datetime import datetime
from typing import Any

from marketdata.bars import Bar
from marketdata.feeds.past import EPOCH, PastQuote
from marketdata.quotes import Quote
from papertrade.api.alpaca.wire import instant

MID = "M"  # the condition of a trade that is the middle of a quote
TAPE = "C"
OPTION_CONDITION, STOCK_CONDITION = "A", "R"


def past(quote: Quote) -> PastQuote:
    """A live quote as one of the past."""
    bid, ask = (None if side is None else float(side) for side in (quote.bid, quote.ask))
    return PastQuote(quote.quoted_at, bid, ask, float(quote.bid_size or 0), float(quote.ask_size or 0))


def quote(found: PastQuote, *, option: bool) -> dict[str, Any]:
    """A side that is absent has price and size 0."""
    wire = {
        "t": instant(found.at),
        "bx": "",
        "bp": found.bid or 0,
        "bs": int(found.bid_size) if found.bid else 0,
        "ax": "",
        "ap": found.ask or 0,
        "as": int(found.ask_size) if found.ask else 0,
        "c": OPTION_CONDITION if option else [STOCK_CONDITION],
    }
    return wire if option else {**wire, "z": TAPE}


def trade(found: PastQuote, *, option: bool) -> dict[str, Any] | None:
    """The middle of a two-sided quote as a trade of nothing; None where there is none."""
    if found.mid is None:
        return None
    wire: dict[str, Any] = {"t": instant(found.at), "x": "", "p": round(found.mid, 6), "s": 0}
    if option:
        return {**wire, "c": MID}
    return {**wire, "c": [MID], "i": trade_id(found.at), "z": TAPE}


def trade_id(at: datetime) -> int:
    """A number of the trade: its microsecond."""
    return int((at - EPOCH).total_seconds() * 1_000_000)


def bar(found: Bar) -> dict[str, Any]:
    """Volume is 0: nothing was traded. `n` counts quotes and `vw` is the mean of their middles."""
    return {
        "t": instant(found.begins),
        "o": round(found.open, 6),
        "h": round(found.high, 6),
        "l": round(found.low, 6),
        "c": round(found.close, 6),
        "v": 0,
        "n": found.quotes,
        "vw": found.mean,
    }
