"""Watchlists of symbols that the market knows: `accounts.watchlists` keeps the lists, the market says what exists."""

from accounts import watchlists
from accounts.models import PaperAccount, Watchlist
from marketdata.instruments import InvalidSymbol, read_symbol
from marketdata.markets.current import current_market
from papertrade.lib.errors import BadRequest, Unprocessable


def create(*, account: PaperAccount, name: object, symbols: object = None) -> Watchlist:
    """A new list. Raises BadRequest, Conflict, Unprocessable `unknown_symbol`."""
    return watchlists.create(account=account, name=name, symbols=read_symbols([] if symbols is None else symbols))


def change(row: Watchlist, *, name: object = None, symbols: object = None) -> Watchlist:
    """Another name, other symbols, or both; null leaves as it is. Raises what `create` raises."""
    return watchlists.change(row, name=name, symbols=None if symbols is None else read_symbols(symbols))


def add(row: Watchlist, symbol: object) -> Watchlist:
    """One more symbol, at the end. Raises BadRequest, NotFound, Unprocessable `unknown_symbol`."""
    if not isinstance(symbol, str):
        raise BadRequest("The symbol cannot be used.", symbol="must be a stock ticker or an O: option contract")
    return watchlists.add(row, read_symbols([symbol], field="symbol"))


def read_symbols(given: object, *, field: str = "symbols") -> list[str]:
    """Symbols as this market writes them, each once. Raises BadRequest, Unprocessable `unknown_symbol`."""
    if not isinstance(given, list) or not all(isinstance(symbol, str) for symbol in given):
        raise BadRequest("The symbols cannot be used.", {field: "must be a list of symbols"})
    try:
        found = list(dict.fromkeys(read_symbol(symbol).symbol for symbol in given))
    except InvalidSymbol as problem:
        raise BadRequest("The symbols cannot be used.", {field: str(problem)}) from None
    for symbol in found[: watchlists.MAX_SYMBOLS]:  # a longer list is refused as such
        if not current_market().exists(symbol):
            raise Unprocessable("This market has no such symbol.", code="unknown_symbol", symbol=symbol)
    return found
