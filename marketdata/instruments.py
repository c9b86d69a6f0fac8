"""Stock tickers and OCC option symbols: what an order's symbol means. Pure.

A ticker is one to five capital letters with an optional class suffix (`BRK.B`); an option is `O:` + root + YYMMDD + C or P +
the strike times 1000 on eight digits (the OCC's 21-character symbol without its padding).
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

OPTION_MULTIPLIER = 100
STRIKE_SCALE = 1000
EXAMPLE_OPTION = "O:SPY260620C00500000"  # of the form; where time is known, one that trades then takes its place
CENTURY = 2000
MAX_SYMBOL_LENGTH = 32
WANTED = f"must be a stock ticker such as AAPL, or an option such as {EXAMPLE_OPTION}"

# Roots that are not their stock's ticker: weekly index series, and classes written without their dot.
UNDERLYING_OF_ROOT = {
    "SPXW": "SPX",
    "NDXP": "NDX",
    "RUTW": "RUT",
    "VIXW": "VIX",
    "XSPW": "XSP",
    "BRKB": "BRK.B",
    "BRKA": "BRK.A",
    "BFB": "BF.B",
}

# Indexes: options are written on them, but nobody can buy one, and there is no NBBO of it.
INDEXES = frozenset({"SPX", "NDX", "RUT", "VIX", "XSP", "DJX", "OEX", "XEO"})
# Series whose settlement is not the close of their last session but an opening print the morning after their last trade.
AM_SETTLED_ROOTS = frozenset({"SPX", "NDX", "RUT", "DJX", "VIX", "VIXW"})

_TICKER = re.compile(r"[A-Z]{1,5}(\.[A-Z]{1,2})?", re.ASCII)
_OPTION = re.compile(r"O:([A-Z]{1,5}\d?)(\d{2})(\d{2})(\d{2})([CP])(\d{8})", re.ASCII)


class AssetClass(StrEnum):
    US_EQUITY = "us_equity"
    US_OPTION = "us_option"


class OptionRight(StrEnum):
    CALL = "call"
    PUT = "put"


class InvalidSymbol(ValueError):
    """Text that is neither a ticker nor an option symbol; the message says what would be."""


class Contract(NamedTuple):
    """The terms of an option: its expiry, its strike in USD per share, and whether it is a call or a put."""

    expiry: date
    strike: Decimal
    right: OptionRight


@dataclass(frozen=True, slots=True)
class Instrument:
    """What is traded. `underlying` is the stock's ticker, for a stock its own; strike in USD per share."""

    symbol: str
    asset_class: AssetClass
    multiplier: int
    underlying: str
    root: str | None = None
    expiry: date | None = None
    strike: Decimal | None = None
    right: OptionRight | None = None

    @property
    def is_option(self) -> bool:
        return self.asset_class is AssetClass.US_OPTION

    @property
    def contract(self) -> "Contract":
        """The terms of an option; a stock has none, and must not be asked."""
        assert self.expiry is not None and self.strike is not None and self.right is not None
        return Contract(self.expiry, self.strike, self.right)

    @property
    def is_index(self) -> bool:
        """Whether it is an index, which is not traded itself."""
        return not self.is_option and self.symbol in INDEXES

    @property
    def am_settled(self) -> bool:
        """Whether the contract is settled by the opening prices of a morning, and not at the close of its last session."""
        return self.root in AM_SETTLED_ROOTS

    @property
    def adjusted(self) -> bool:
        """Whether the contract delivers something other than 100 shares: its root ends in a digit."""
        return self.root is not None and self.root[-1].isdigit()


@lru_cache(maxsize=65_536)
def parse_symbol(text: str) -> Instrument:
    """The instrument a symbol names. Raises InvalidSymbol."""
    if _TICKER.fullmatch(text):
        return Instrument(text, AssetClass.US_EQUITY, 1, text)
    match = _OPTION.fullmatch(text)
    if match is None:
        raise InvalidSymbol(WANTED)
    root, year, month, day, right, strike = match.groups()
    try:
        expiry = date(CENTURY + int(year), int(month), int(day))
    except ValueError:
        raise InvalidSymbol("the option's expiry is not a date") from None
    if int(strike) == 0:
        raise InvalidSymbol("the option's strike must be greater than 0")
    return Instrument(
        symbol=text,
        asset_class=AssetClass.US_OPTION,
        multiplier=OPTION_MULTIPLIER,
        underlying=UNDERLYING_OF_ROOT.get(root, root.rstrip("0123456789")),
        root=root,
        expiry=expiry,
        strike=Decimal(int(strike)) / STRIKE_SCALE,
        right=OptionRight.CALL if right == "C" else OptionRight.PUT,
    )


def read_symbol(text: str) -> Instrument:
    """The instrument that a user names, in upper or lower case. Raises InvalidSymbol, which suggests the right spelling."""
    if not text.isascii() or len(text) > MAX_SYMBOL_LENGTH:
        raise InvalidSymbol(WANTED)
    try:
        return parse_symbol(text.upper())
    except InvalidSymbol as problem:
        meant = _meant(text.upper())
        raise InvalidSymbol(f"{problem}; write {meant}" if meant else str(problem)) from None


def _meant(text: str) -> str | None:
    """The symbol in one of its other spellings: a padded OCC symbol, one without `O:`, a class with another separator."""
    bare = "".join(text.split()).removeprefix("O:")
    spellings = (bare.replace("/", ".").replace("-", "."), f"O:{bare.replace('.', '').replace('/', '')}")
    return next((spelling for spelling in spellings if spelling != text and is_symbol(spelling)), None)


def in_words(text: str) -> str:
    """A symbol as a trader says it: `AAPL`, `AAPL Jun 19 2026 500 call`; any other text as it is."""
    try:
        instrument = parse_symbol(text)
    except InvalidSymbol:
        return text
    if instrument.expiry is None or instrument.strike is None:
        return text
    strike = f"{instrument.strike.normalize():f}"
    return f"{instrument.underlying} {instrument.expiry:%b %d %Y} {strike} {instrument.right}"


def is_symbol(text: str) -> bool:
    """Whether the text names an instrument."""
    try:
        parse_symbol(text)
    except InvalidSymbol:
        return False
    return True


def option_symbol(root: str, expiry: date, right: OptionRight, strike: Decimal) -> str:
    """The symbol of a contract; the strike in USD with at most three decimals. Raises InvalidSymbol."""
    symbol = f"O:{root}{expiry:%y%m%d}{right[0].upper()}{int(strike * STRIKE_SCALE):08d}"
    parse_symbol(symbol)
    return symbol
