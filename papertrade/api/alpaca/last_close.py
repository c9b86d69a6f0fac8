"""What things were worth at the close before this session: of symbols by the market, of an account by its snapshots."""

from collections.abc import Collection
from decimal import Decimal

from marketdata import clock
from marketdata.instruments import parse_symbol
from marketdata.markets.current import current_market
from marketdata.sessions import calendar
from portfolio.history import equity_at
from portfolio.models import Book
from portfolio.valuation import mark_price


def last_closes(symbols: Collection[str]) -> dict[str, Decimal]:
    """The mark of each symbol at the last close, USD per share; without those of which the market keeps no past."""
    now = clock.read().now
    session = calendar().previous(now)
    if session is None or not symbols:
        return {}
    marks = {}
    for symbol, quote in current_market().quotes_at(symbols, session.close).items():
        mark = mark_price(bid=quote.bid, ask=quote.ask, is_option=parse_symbol(symbol).is_option)
        if mark is not None:
            marks[symbol] = mark
    return marks


def last_equity(book: Book) -> Decimal:
    """USD that the account came to at the last close; what it began with where it is younger."""
    session = calendar().previous(clock.read().now)
    known = None if session is None else equity_at(book=book, at=session.close)
    return book.generation.initial_cash if known is None else known
