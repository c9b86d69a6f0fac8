"""What a client of Alpaca's market data asks for: a message is read whole, within its bound, before anything changes. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

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


class Subscription:
    """What stands: of each channel the texts in order, and beside each our symbol of it, or nothing where it has none."""

    def __init__(self, channels: Mapping[str, Mapping[str, str]], *, options: bool) -> None:
        self._channels, self._options = channels, options
        self.symbols = {name: _in_order(channels[name].values()) for name in SENT if name in channels}
        self.wanted = frozenset[str]().union(*self.symbols.values())  # whatever the channel; `*` among them

    @classmethod
    def none(cls, *, options: bool) -> "Subscription":
        """Nothing, on every channel."""
        return cls({name: {} for name in (OF_OPTIONS if options else OF_STOCKS)}, options=options)

    @property
    def texts(self) -> dict[str, list[str]]:
        """As the client is told."""
        return {name: list(kept) for name, kept in self._channels.items()}

    def after(self, message: Mapping[str, Any]) -> "Subscription":
        """What it becomes by a message. Raises Refused."""
        action = message.get("action")
        if action not in ACTIONS:
            raise Refused(SYNTAX)
        if any(message.get(name) for name in REFUSED):
            raise Refused(INVALID)
        asked = {name: _texts(message.get(name) or []) for name in self._channels}
        change = self._with if action == "subscribe" else self._without
        found = Subscription(
            {name: change(kept, asked[name]) for name, kept in self._channels.items()}, options=self._options
        )
        if len(found.wanted) > MAX_SYMBOLS or any(len(kept) > MAX_SYMBOLS for kept in found._channels.values()):
            raise Refused(SYMBOL_LIMIT)
        return found

    def _with(self, kept: Mapping[str, str], asked: Sequence[str]) -> Mapping[str, str]:
        return {**kept, **{text: self._symbol(text) for text in asked if text not in kept}}

    def _without(self, kept: Mapping[str, str], asked: Sequence[str]) -> Mapping[str, str]:
        gone = set(asked)
        return {text: symbol for text, symbol in kept.items() if text not in gone}

    def _symbol(self, text: str) -> str:
        """What is no symbol, or one of the other kind, will never have a quote."""
        if text == EVERYTHING:
            return text
        with suppress(InvalidSymbol):
            instrument = instrument_of(text)
            if instrument.is_option == self._options:
                return instrument.symbol
        return ""


def _in_order(symbols: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(symbol for symbol in symbols if symbol))


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
