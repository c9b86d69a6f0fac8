"""The option chain as a trader reads it: calls, strikes and puts side by side, as they are quoted now."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from marketdata import listing
from marketdata.contract_now import ContractNow
from marketdata.instruments import Instrument, OptionRight
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from marketdata.sessions import calendar
from orders.matching import Circumstances, obstacle
from papertrade.trading.accounts import server_policy
from portfolio.money import ZERO_MONEY

OK = "ok"


def chain_rows(expiry: date, *, stock: Quote, at: datetime) -> list[dict[str, Any]]:
    """A row a strike, ascending: `{"strike", "call", "put"}`, a side None where nothing is listed. Raises Unavailable.

    `stock` is the latest quote of the underlying; without any price of it there are no rows.
    """
    underlying, spot = stock.symbol, listing.spot_of(stock)
    if spot is None:
        return []
    listed = {
        right: listing.contracts(underlying, expiry, spot=spot, right=right)
        for right in (OptionRight.CALL, OptionRight.PUT)
    }
    symbols = [one.symbol for side in listed.values() for one in side]
    quotes = current_market().latest(symbols, at=at, watch=False)
    by_strike: dict[Decimal, dict[str, Any]] = {}
    for right, contracts in listed.items():
        for one in contracts:
            strike = one.contract.strike
            row = by_strike.setdefault(strike, {"strike": f"{strike.normalize():f}", "call": None, "put": None})
            row[str(right)] = _side(one, quotes, stock, at)
    return [by_strike[strike] for strike in sorted(by_strike)]


def _side(one: Instrument, quotes: Mapping[str, Quote], stock: Quote, at: datetime) -> dict[str, Any]:
    """What a contract is quoted at, how wide, and what that implies: delta, and volatility as a fraction a year."""
    quote = quotes.get(one.symbol)
    session = calendar().session_at(at)
    now = Circumstances(
        at=at, session_open=session.open if session else None, policy=server_policy(), buying_power=ZERO_MONEY
    )
    side: dict[str, Any] = {"symbol": one.symbol, "quality": str(obstacle(quote, now, is_option=True) or OK)}
    if quote is None:
        return side
    side |= {"bid": _text(quote.bid), "ask": _text(quote.ask)}
    mid, spread = quote.mid, quote.spread
    if mid and spread is not None:
        side |= {"spread": _text(spread), "spread_share": round(float(spread / mid), 4)}
        side |= _implied(ContractNow(one, quote, stock, at))
    return side


def _text(price: Decimal | None) -> str | None:
    return None if price is None else f"{price:.2f}"


def _implied(contract: ContractNow) -> dict[str, float]:
    """Volatility and delta, where the price allows any."""
    delta = contract.greeks["delta"]
    if contract.volatility is None or delta is None:
        return {}
    return {"volatility": round(contract.volatility, 4), "delta": round(delta, 3)}
