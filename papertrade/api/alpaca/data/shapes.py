"""Quotes, trades and bars as Alpaca writes them: numbers, and 0 for a side that is absent."""

from typing import Any

from marketdata.bars import Bar
from marketdata.feeds.past import PastQuote, PastTrade
from papertrade.api.alpaca.wire import instant

MID = "M"  # the condition of a trade that is the middle of a quote
TAPE = "C"
OPTION_CONDITION, STOCK_CONDITION = "A", "R"


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


def trade(found: PastTrade, *, option: bool) -> dict[str, Any]:
    """A trade; one of size 0 is the middle of a quote, and its condition says so."""
    conditions = [MID] if found.is_middle else []
    wire: dict[str, Any] = {
        "t": instant(found.at),
        "x": found.exchange,
        "p": found.price,
        "s": int(found.size) if found.size.is_integer() else found.size,
    }
    if option:
        return {**wire, "c": "".join(conditions)}
    return {**wire, "c": conditions, "i": found.number, "z": TAPE}


def bar(found: Bar) -> dict[str, Any]:
    """Of middles the volume is 0: `n` counts them and `vw` is their mean."""
    return {
        "t": instant(found.begins),
        "o": found.open,
        "h": found.high,
        "l": found.low,
        "c": found.close,
        "v": int(found.volume) if found.volume.is_integer() else found.volume,
        "n": found.trades,
        "vw": found.mean,
    }
