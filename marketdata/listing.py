"""What the market in force lists: symbols by name, expiries and contracts of an underlying.

A simulated market prices any well-formed contract and lists the usual ones; the others list what they have quotes of,
and a live one what its provider lists.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import NamedTuple

from marketdata.feeds.universe import EXCHANGES, TICKERS
from marketdata.instruments import UNDERLYING_OF_ROOT, Instrument, OptionRight, is_symbol, option_symbol, parse_symbol
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from marketdata.sessions import Calendar, calendar

WEEKLY_EXPIRIES = 8
MONTHLY_EXPIRIES = 12
FRIDAY = 4
THIRD_FRIDAY_FROM = 15  # the third Friday of a month is its 15th at the earliest
THIRD_FRIDAY_TO = 21
STRIKES_EACH_WAY = 15
# (up to this price in USD, usual distance of two strikes)
STRIKE_STEPS = (
    (Decimal(25), Decimal("0.5")),
    (Decimal(100), Decimal(1)),
    (Decimal(200), Decimal("2.5")),
    (Decimal(500), Decimal(5)),
)
WIDEST_STRIKE_STEP = Decimal(10)
EXAMPLE = "SPY"  # where the market has it, else one of its first stocks
EXAMPLE_STOCKS = 20
EXAMPLE_DISTANCE = timedelta(days=14)  # an example is read again in some days

_WORD = re.compile(r"[A-Z0-9]+")

# Share classes: their option root is the ticker without its dot.
_ROOT_OF_TICKER = {ticker: root for root, ticker in UNDERLYING_OF_ROOT.items() if "." in ticker}


class Listed(NamedTuple):
    """A stock that the market lists; `name` is empty where the market does not know it."""

    symbol: str
    name: str


class Found(NamedTuple):
    """A stock that was looked for. `rank` says how far it is from what was asked: lower is closer."""

    rank: int
    symbol: str
    name: str

    @property
    def place(self) -> str:
        """Where it stands among all that were found, as text in their order."""
        return f"{self.rank} {self.symbol}"


def search(text: str) -> list[Found]:
    """Stocks whose ticker or name begins with or contains the text, the closest first.

    Raises Unavailable where the quote book cannot be read.
    """
    wanted = text.strip().upper()
    return sorted(Found(rank, *stock) for stock in stocks() if (rank := _rank(stock, wanted)) is not None)


def meant_by(text: str, found: Sequence[Found]) -> str:
    """The ticker that a text stands for, given what was found for it: its own spelling where the market may have that,
    unless it is a word of a company's name (`apple`); else the closest match; empty where there is none.

    So no part of a ticker, and no ticker that the list does not know, turns into another stock.
    """
    wanted = text.strip().upper()
    if not wanted:
        return ""
    named = (stock.symbol for stock in found if wanted in _WORD.findall(stock.name.upper()))
    if any(stock.symbol == wanted for stock in found):
        return wanted
    if word := next(named, ""):
        return word
    if is_symbol(wanted) and current_market().exists(wanted):
        return wanted
    return found[0].symbol if found else ""


def spot_of(quote: Quote | None) -> Decimal | None:
    """The price around which chains are shown: half way between bid and ask, or the one of them that there is."""
    if quote is None:
        return None
    return quote.mid if quote.mid is not None else quote.bid if quote.bid is not None else quote.ask


def _rank(stock: Listed, wanted: str) -> int | None:
    """How far the stock is from what was asked: lower is closer, None is not at all."""
    name = stock.name.upper()
    matches = (stock.symbol == wanted, stock.symbol.startswith(wanted), name.startswith(wanted), wanted in name)
    return next((rank for rank, matched in enumerate(matches) if matched), None)


def expirations(underlying: str, *, at: datetime) -> list[date]:
    """The expiries of the underlying that still trade, the nearest first."""
    if not current_market().has_book:
        return usual_expirations(underlying, at=at)
    return _trading({contract.expiry for contract in _book_contracts(underlying) if contract.expiry}, at)


def usual_expirations(underlying: str, *, at: datetime) -> list[date]:
    """The same of the simulated market, whichever is in force."""
    return _trading(_usual_expiries(at.date(), calendar()) if underlying in TICKERS else (), at)


def _trading(expiries: Iterable[date], at: datetime) -> list[date]:
    until = calendar().upcoming(at).date
    return sorted({expiry for expiry in expiries if expiry >= until})


def contracts(underlying: str, expiry: date, *, spot: Decimal, right: OptionRight) -> list[Instrument]:
    """Listed contracts of that expiry around `spot` (USD per share), by strike."""
    if not current_market().has_book:
        return usual_contracts(underlying, expiry, spot=spot, right=right)
    return _around(spot, [one for one in _book_contracts(underlying) if (one.expiry, one.right) == (expiry, right)])


def usual_contracts(underlying: str, expiry: date, *, spot: Decimal, right: OptionRight) -> list[Instrument]:
    """The same of the simulated market, whichever is in force."""
    root = _ROOT_OF_TICKER.get(underlying, underlying)
    return _around(spot, [parse_symbol(option_symbol(root, expiry, right, one)) for one in _usual_strikes(spot)])


def _around(spot: Decimal, chain: list[Instrument]) -> list[Instrument]:
    nearest = sorted(chain, key=lambda contract: abs((contract.strike or 0) - spot))[: 2 * STRIKES_EACH_WAY + 1]
    return sorted(nearest, key=lambda contract: contract.strike or 0)


def chain(underlying: str, *, spot: Decimal, at: datetime) -> list[Instrument]:
    """Every listed contract of the underlying that still trades, by symbol."""
    if current_market().has_book:
        trading_until = calendar().upcoming(at).date
        return [item for item in _book_contracts(underlying) if item.expiry and item.expiry >= trading_until]
    found = [
        contract
        for expiry in expirations(underlying, at=at)
        for right in OptionRight
        for contract in contracts(underlying, expiry, spot=spot, right=right)
    ]
    return sorted(found, key=lambda contract: contract.symbol)


def ever_listed(underlying: str) -> list[Instrument]:
    """Every contract of the underlying that has had a quote, by symbol; a simulated market cannot say."""
    return _book_contracts(underlying)


def lists(contract: Instrument) -> bool:
    """Whether the market knows the contract, also where it has expired."""
    if current_market().has_book:
        return contract.symbol in current_market().options_of(contract.underlying)
    return current_market().exists(contract.symbol)


def has_expired(contract: Instrument, *, at: datetime) -> bool:
    """Whether its last session was over by then."""
    return contract.contract.expiry < calendar().upcoming(at).date


def example_contract(*, at: datetime) -> str | None:
    """A contract that trades now, as a message or a page shows one; None where the market lists none.

    Raises Unavailable where the quote book cannot be read.
    """
    for name in dict.fromkeys([EXAMPLE, *(stock.symbol for stock in islice(stocks(), EXAMPLE_STOCKS))]):
        spot, listed = spot_of(current_market().latest([name], at=at).get(name)), expirations(name, at=at)
        if spot is None or not listed:
            continue
        expiry = next((day for day in listed if day >= at.date() + EXAMPLE_DISTANCE), listed[-1])
        if around := contracts(name, expiry, spot=spot, right=OptionRight.CALL):
            return around[len(around) // 2].symbol
    return None


def stocks() -> Iterator[Listed]:
    """Every stock that the market lists. Raises Unavailable where the quote book cannot be read."""
    if not current_market().has_book:
        yield from (Listed(ticker.symbol, ticker.name) for ticker in TICKERS.values())
        return
    for symbol in current_market().stocks():
        yield Listed(symbol, name_of(symbol))


def name_of(symbol: str) -> str:
    """The company of a stock, or the fund; empty where it is not known."""
    return TICKERS[symbol].name if symbol in TICKERS else ""


def exchange_of(symbol: str) -> str:
    """The exchange that lists a stock, in Alpaca's word; empty where it is not known: quotes of all venues do not say."""
    return EXCHANGES.get(symbol, "")


def _book_contracts(underlying: str) -> list[Instrument]:
    listed = map(parse_symbol, current_market().options_of(underlying))
    return [contract for contract in listed if not contract.adjusted]


def _usual_expiries(today: date, days: Calendar) -> Iterator[date]:
    """The next Fridays and third Fridays; the session before where the exchange is closed then."""
    friday = today + timedelta(days=(FRIDAY - today.weekday()) % 7)
    weeks = months = 0
    while (weeks < WEEKLY_EXPIRIES or months < MONTHLY_EXPIRIES) and friday <= days.sessions[-1].date:
        monthly = THIRD_FRIDAY_FROM <= friday.day <= THIRD_FRIDAY_TO
        if monthly or weeks < WEEKLY_EXPIRIES:
            yield days.last_on_or_before(friday).date
        weeks, months = weeks + 1, months + monthly
        friday += timedelta(days=7)


def _usual_strikes(spot: Decimal) -> list[Decimal]:
    step = next((step for upto, step in STRIKE_STEPS if spot <= upto), WIDEST_STRIKE_STEP)
    middle = round(spot / step)
    return [step * place for place in range(max(1, middle - STRIKES_EACH_WAY), middle + STRIKES_EACH_WAY + 1)]
