"""What a client of Alpaca's market data asks for: a message is read whole, within its bound, before anything changes. Pure."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from marketdata.instruments import InvalidSymbol, parse_symbol
from papertrade.api.alpaca.wire import instrument_of

EVERYTHING = "*"
MAX_SYMBOLS = 1_000  # of one connection, and texts of one channel
MAX_TEXT = 32  # the longest symbol of an option has 23 letters
# What is sent, and what a client may ask for and will never get, because nothing of it exists here.
SENT = ("trades", "quotes", "bars")
EMPTY = ("statuses", "lulds", "corrections", "cancelErrors", "imbalances", "orderbooks")
REFUSED = ("updatedBars", "dailyBars", "news")
OF_STOCKS = (*SENT, *EMPTY, *REFUSED[:2])
OF_OPTIONS = ("trades", "quotes")
ACTIONS = ("subscribe", "unsubscribe")

SYNTAX, SYMBOL_LIMIT, INVALID = 400, 405, 410


class Refused(Exception):
    """A message that changes nothing; Alpaca's number of the error says why."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class Subscription(NamedTuple):
    """The texts of each channel in order, as they are told; and of those that are sent our symbols, `*` among them."""

    texts: Mapping[str, tuple[str, ...]]
    symbols: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, texts: Mapping[str, tuple[str, ...]], *, options: bool) -> "Subscription":
        """With the symbols of the texts. What is no symbol, or one of the other kind, will never have a quote."""
        return cls(texts, {name: _symbols(texts[name], options=options) for name in SENT if name in texts})

    @classmethod
    def none(cls, *, options: bool) -> "Subscription":
        """Nothing, on every channel."""
        return cls.of(dict.fromkeys(OF_OPTIONS if options else OF_STOCKS, ()), options=options)

    @property
    def wanted(self) -> frozenset[str]:
        """All symbols, whatever the channel."""
        return frozenset().union(*self.symbols.values())

    def after(self, message: Mapping[str, Any], *, options: bool) -> "Subscription":
        """What it becomes by a message. Raises Refused."""
        action = message.get("action")
        if action not in ACTIONS:
            raise Refused(SYNTAX)
        if any(message.get(name) for name in REFUSED):
            raise Refused(INVALID)
        asked = {name: _texts(message.get(name) or []) for name in self.texts}
        texts = {name: _changed(kept, asked[name], add=action == "subscribe") for name, kept in self.texts.items()}
        if any(len(kept) > MAX_SYMBOLS for kept in texts.values()):
            raise Refused(SYMBOL_LIMIT)
        found = Subscription.of(texts, options=options)
        if len(found.wanted) > MAX_SYMBOLS:
            raise Refused(SYMBOL_LIMIT)
        return found


def is_option(symbol: str) -> bool:
    """Whether it is a contract."""
    return parse_symbol(symbol).is_option


def _texts(asked: Any) -> Sequence[str]:
    """What a message has for a channel, spelled alike. Raises Refused."""
    if not isinstance(asked, list):
        raise Refused(SYNTAX)
    if len(asked) > MAX_SYMBOLS:
        raise Refused(SYMBOL_LIMIT)
    if not all(isinstance(text, str) and len(text) <= MAX_TEXT for text in asked):
        raise Refused(SYNTAX)
    return [text.strip().upper() for text in asked]


def _changed(kept: Sequence[str], asked: Sequence[str], *, add: bool) -> tuple[str, ...]:
    if add:
        return tuple(dict.fromkeys((*kept, *asked)))  # each once, in order
    gone = set(asked)
    return tuple(text for text in kept if text not in gone)


def _symbols(texts: Sequence[str], *, options: bool) -> tuple[str, ...]:
    found = {}  # each once, in order
    for text in texts:
        if text == EVERYTHING:
            found[text] = True
            continue
        with suppress(InvalidSymbol):
            instrument = instrument_of(text)
            if instrument.is_option == options:
                found[instrument.symbol] = True
    return tuple(found)
