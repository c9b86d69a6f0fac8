"""An option contract as it stands: its quote and its stock's, and what the middle of its quote implies."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from marketdata import option_pricing
from marketdata.instruments import Instrument, OptionRight
from marketdata.listing import spot_of
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from marketdata.sessions import calendar

GREEKS = ("delta", "gamma", "theta", "vega", "rho")


@dataclass(frozen=True)
class ContractNow:
    """An option contract with its latest quote and its stock's, and what the midpoint says of it at an instant."""

    contract: Instrument
    quote: Quote | None
    stock: Quote
    at: datetime
    exercise_style = "american"

    def __getattr__(self, name: str) -> Any:
        """The contract's own details."""
        return getattr(self.contract, name)

    @property
    def spot(self) -> Decimal | None:
        return spot_of(self.stock)

    @property
    def break_even(self) -> Decimal | None:
        mid = self.quote.mid if self.quote else None
        if mid is None:
            return None
        _, strike, right = self.contract.contract
        return strike + (mid if right == OptionRight.CALL else -mid)

    @cached_property
    def _terms(self) -> dict[str, Any]:
        expiry, strike, right = self.contract.contract
        return {
            "spot": float(self.spot or 0),
            "strike": float(strike),
            "years": (calendar().last_close(expiry) - self.at).total_seconds() / option_pricing.SECONDS_PER_YEAR,
            "is_call": right == OptionRight.CALL,
            "rate": current_market().interest_rate,
        }

    @cached_property
    def volatility(self) -> float | None:
        """Implied by the midpoint; None where the quote allows none."""
        mid = self.quote.mid if self.quote else None
        return option_pricing.implied_volatility(price=float(mid), **self._terms) if mid and self.spot else None

    @property
    def greeks(self) -> Mapping[str, float | None]:
        if self.volatility is None:
            return dict.fromkeys(GREEKS)
        return option_pricing.greeks(volatility=self.volatility, **self._terms)
