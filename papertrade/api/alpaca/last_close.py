"""What things were worth at the close of the trading day before: symbols by the market, an account by its snapshots.

Days are New York's: until midnight a day's change is against the close before it, even when its session is over.
"""

from collections import deque
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from marketdata import clock
from marketdata.bars import DAY
from marketdata.feeds.past import DECIMALS
from marketdata.instruments import parse_symbol
from marketdata.markets.base import Market
from marketdata.markets.current import current_market
from marketdata.sessions import Session, calendar
from papertrade.lib.times import MOMENT
from portfolio.history import equity_at
from portfolio.models import Book
from portfolio.valuation import mark_price

USUALLY_QUOTED_IN = timedelta(minutes=10)  # of a close; what was not is looked for in the whole session


def last_closes(symbols: Collection[str]) -> dict[str, Decimal]:
    """The mark of each symbol at that close, USD per share; symbols whose mark the market does not know are left out.

    A market that keeps its past by the minute gives a stock's mid: for the bid a whole day's quotes would have to be read.
    """
    session, market = _day_before(clock.read().now), current_market()
    if session is None or not symbols or not market.may_know(session.close):
        return {}
    if market.keeps_minutes:
        stocks = [symbol for symbol in symbols if not parse_symbol(symbol).is_option]
        marks = {symbol: _middle(market, symbol, session) for symbol in stocks}
    else:
        standing = market.quotes_at(symbols, session.close)
        marks = {symbol: _mark(symbol, quote.bid, quote.ask) for symbol, quote in standing.items()}
        missing = [symbol for symbol in symbols if symbol not in standing]
        market.remember(missing)
        marks |= {symbol: _last_mark(market, symbol, session) for symbol in missing}
    return {symbol: mark for symbol, mark in marks.items() if mark is not None}


def last_equity(book: Book) -> Decimal:
    """The account's equity at that close, USD; what it began with where it is younger."""
    session = _day_before(clock.read().now)
    known = None if session is None else equity_at(book=book, at=session.close)
    return book.generation.initial_cash if known is None else known


def _day_before(now: datetime) -> Session | None:
    return calendar().previous(DAY.begin(now))


def _middle(market: Market, symbol: str, session: Session) -> Decimal | None:
    (mid,) = market.mids(symbol, [session.close]) or [None]
    return None if mid is None else Decimal(repr(round(mid, DECIMALS)))


@lru_cache(maxsize=4_096)
def _last_mark(market: Market, symbol: str, session: Session) -> Decimal | None:
    """What the last usable quote of a session marked the symbol at."""

    def marks(after: datetime) -> Iterator[Decimal]:
        for quote in market.past_quotes(symbol, after, session.close):
            mark = _mark(symbol, _as_decimal(quote.bid), _as_decimal(quote.ask))
            if mark is not None:
                yield mark

    for after in (session.close - USUALLY_QUOTED_IN, session.open - MOMENT):
        if last := deque(marks(after), maxlen=1):
            return last[0]
    return None


def _mark(symbol: str, bid: Decimal | None, ask: Decimal | None) -> Decimal | None:
    return mark_price(bid=bid, ask=ask, is_option=parse_symbol(symbol).is_option)


def _as_decimal(value: float | None) -> Decimal | None:
    return None if value is None else Decimal(repr(value))
