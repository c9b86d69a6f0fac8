"""A session of the simulated market as a recording: invented quotes that may be shipped, sent to others, and replayed."""

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from marketdata.conversion.writer import STAMP, fields, recording
from marketdata.feeds.simulated import SimulatedFeed
from marketdata.instruments import Instrument, OptionRight, parse_symbol
from marketdata.listing import usual_contracts, usual_expirations
from marketdata.quotes import Quote
from marketdata.sessions import Session

STOCK_EVERY = timedelta(seconds=8)  # below the 15 s after which a stock's quote fills nothing
OPTION_EVERY = timedelta(seconds=40)  # below the 60 s of an option
BEFORE_OPEN = timedelta(minutes=1)
STRIKES = 3  # nearest to the price, of each right and expiry
FAR = timedelta(days=28)  # the other expiry is the next one, the day itself where there is one: it settles at the close


def write_day(to: Path, *, session: Session, stocks: Iterable[str], with_options: Iterable[str], seed: int) -> int:
    """Write the session's quotes of the stocks, and of some contracts on those with options; the number of rows.

    Raises ValueError for a stock that the simulated market does not have.
    """
    feed = SimulatedFeed(seed)
    chosen = [*stocks, *with_options]
    if unknown := [symbol for symbol in chosen if not feed.exists(symbol)]:
        raise ValueError(f"The simulated market has no {', '.join(unknown)}.")
    symbols = dict.fromkeys(chosen)
    for stock in with_options:
        symbols |= dict.fromkeys(_contracts(feed, stock, session))
    quotes = sorted(
        (quote for symbol in symbols for quote in _quotes(feed, symbol, session)),
        key=lambda quote: (quote.quoted_at, quote.symbol),
    )
    with recording(to) as out:
        for quote in quotes:
            row = fields(quote.symbol, quote.bid, quote.ask, quote.bid_size, quote.ask_size, quote.feed)
            out.write(f"{quote.quoted_at:{STAMP}},{row}\n")
    return len(quotes)


def _contracts(feed: SimulatedFeed, stock: str, session: Session) -> list[str]:
    """Calls and puts around the price at the open, of the next expiry and of one about a month later."""
    opening = feed.quote_at(stock, session.open)
    assert opening is not None and opening.bid is not None, "a stock is quoted from before its open"
    spot, listed = opening.bid, usual_expirations(stock, at=session.open)
    far = next((expiry for expiry in listed if expiry >= session.date + FAR), listed[-1])
    chain = [
        item for expiry in (listed[0], far) for right in OptionRight for item in _nearest(stock, expiry, spot, right)
    ]
    return [item.symbol for item in chain]


def _nearest(stock: str, expiry: date, spot: Decimal, right: OptionRight) -> list[Instrument]:
    around = usual_contracts(stock, expiry, spot=spot, right=right)
    return sorted(around, key=lambda item: abs((item.strike or 0) - spot))[:STRIKES]


def _quotes(feed: SimulatedFeed, symbol: str, session: Session) -> Iterator[Quote]:
    """What a look every few seconds sees, each quote once."""
    every = OPTION_EVERY if parse_symbol(symbol).is_option else STOCK_EVERY
    at, seen = session.open - BEFORE_OPEN, None
    while at < session.close:
        quote = feed.quote_at(symbol, at)
        if quote is not None and quote.quoted_at != seen:
            seen = quote.quoted_at
            yield quote
        at += every
