"""The option chain as a trader reads it: calls, strikes and puts side by side, as they are quoted now."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from marketdata import listing, option_pricing
from marketdata.instruments import Instrument, OptionRight
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from marketdata.sessions import calendar
from orders.matching import Circumstances, obstacle
from papertrade.trading.accounts import server_policy
from portfolio.money import ZERO_MONEY

OK = "ok"


def chain_rows(underlying: str, expiry: date, *, spot: Decimal, at: datetime) -> list[dict[str, Any]]:
    """A row a strike, ascending: `{"strike", "call", "put"}`, a side None where nothing is listed. Raises Unavailable."""
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
            row[str(right)] = _side(one, quotes, spot, at)
    return [by_strike[strike] for strike in sorted(by_strike)]


def _side(one: Instrument, quotes: Mapping[str, Quote], spot: Decimal, at: datetime) -> dict[str, Any]:
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
    mid = quote.mid
    if mid and quote.bid is not None and quote.ask is not None:
        side |= {"spread": _text(quote.ask - quote.bid), "spread_share": round(float((quote.ask - quote.bid) / mid), 4)}
        side |= _implied(one, float(mid), float(spot), at)
    return side


def _text(price: Decimal | None) -> str | None:
    return None if price is None else f"{price:.2f}"


def _implied(one: Instrument, mid: float, spot: float, at: datetime) -> dict[str, float]:
    """Volatility and delta by Black and Scholes, where the price allows any."""
    contract = one.contract
    terms: dict[str, Any] = {
        "spot": spot,
        "strike": float(contract.strike),
        "years": (calendar().last_on_or_before(contract.expiry).close - at).total_seconds()
        / option_pricing.SECONDS_PER_YEAR,
        "is_call": contract.right == OptionRight.CALL,
    }
    volatility = option_pricing.implied_volatility(price=mid, **terms)
    if not volatility:
        return {}
    return {
        "volatility": round(volatility, 4),
        "delta": round(option_pricing.greeks(volatility=volatility, **terms)["delta"], 3),
    }
