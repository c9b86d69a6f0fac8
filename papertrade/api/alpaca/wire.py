"""How Alpaca writes things: symbols of options without `O:`, decimals as plain text, ids that follow from a symbol. Pure."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID, uuid5

from marketdata.instruments import Instrument, InvalidSymbol, parse_symbol

OPTION_MARK = "O:"
SYMBOL_NAMESPACE = UUID("5e1ae7a5-3c63-4f0c-8f0e-6a2f0f2b7c11")  # ours: an asset's id is the same on every server


def instrument_of(text: str) -> Instrument:
    """The instrument that an Alpaca client means: a ticker, or an OCC symbol with or without `O:`. Raises InvalidSymbol."""
    spelled = text.strip().upper()
    try:
        return parse_symbol(spelled)
    except InvalidSymbol:
        return parse_symbol(f"{OPTION_MARK}{spelled}")


def symbol_text(symbol: str) -> str:
    """One of our symbols as Alpaca spells it."""
    return symbol.removeprefix(OPTION_MARK)


def asset_id(symbol: str) -> UUID:
    """The asset's id, made from our symbol of it."""
    return uuid5(SYMBOL_NAMESPACE, symbol)


def number(value: Decimal | None) -> str | None:
    """A decimal in as few digits as it has, never in powers of ten; None stays None."""
    if value is None:
        return None
    return f"{value.normalize():f}" if value else "0"


def money(value: Decimal) -> str:
    """USD with at least two decimals."""
    whole, _, decimals = f"{value:.4f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def instant(value: datetime | None) -> str | None:
    """RFC 3339 in UTC with microseconds; None stays None."""
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if value else None
