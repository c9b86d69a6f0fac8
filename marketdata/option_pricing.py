"""Option prices: Black-Scholes on math.erfc, and for the simulated market a volatility smile without arbitrage. Pure.

Floats are right here: these are invented prices, and become Decimals once they are rounded to a tick.
"""

import math

SQRT_2 = math.sqrt(2.0)
RISK_FREE_RATE = 0.04
SECONDS_PER_YEAR = 365.0 * 86_400.0
SMILE_SLOPE = -0.4  # of the correlation's kind: puts below the stock's price cost more than calls above it
SMILE_CURVE = 1.2  # no more than 2 / (1 + |SMILE_SLOPE|), see `smile`
IMPLIED_FROM, IMPLIED_TO, IMPLIED_PRECISION = 0.001, 10.0, 1e-6


def black_scholes(
    *, spot: float, strike: float, years: float, volatility: float, is_call: bool, rate: float = RISK_FREE_RATE
) -> float:
    """The value of a European option, USD per share (Black and Scholes 1973, no dividends); `rate` a fraction a year."""
    if years <= 0.0:
        return max(spot - strike, 0.0) if is_call else max(strike - spot, 0.0)
    d1, d2 = _d1_d2(spot, strike, years, volatility, rate)
    discounted = strike * math.exp(-rate * years)
    if is_call:
        return spot * normal_cdf(d1) - discounted * normal_cdf(d2)
    return discounted * normal_cdf(-d2) - spot * normal_cdf(-d1)


def greeks(
    *, spot: float, strike: float, years: float, volatility: float, is_call: bool, rate: float = RISK_FREE_RATE
) -> dict[str, float]:
    """Delta, gamma, theta (USD a day), vega (USD a point of volatility) and rho (USD a point of rate)."""
    years = max(years, 1.0 / SECONDS_PER_YEAR)
    d1, d2 = _d1_d2(spot, strike, years, volatility, rate)
    density = math.exp(-d1 * d1 / 2.0) / math.sqrt(2.0 * math.pi)
    discounted = strike * math.exp(-rate * years)
    sign = 1.0 if is_call else -1.0
    decay = -spot * density * volatility / (2.0 * math.sqrt(years))
    carry = -sign * rate * discounted * normal_cdf(sign * d2)
    return {
        "delta": normal_cdf(d1) if is_call else normal_cdf(d1) - 1.0,
        "gamma": density / (spot * volatility * math.sqrt(years)),
        "theta": (decay + carry) / 365.0,
        "vega": spot * density * math.sqrt(years) / 100.0,
        "rho": sign * discounted * years * normal_cdf(sign * d2) / 100.0,
    }


def implied_volatility(
    *, price: float, spot: float, strike: float, years: float, is_call: bool, rate: float = RISK_FREE_RATE
) -> float | None:
    """The volatility at which Black-Scholes gives the price, USD per share; None where no volatility does."""
    if years <= 0.0:
        return None
    low, high = IMPLIED_FROM, IMPLIED_TO

    def value(volatility: float) -> float:
        return black_scholes(spot=spot, strike=strike, years=years, volatility=volatility, is_call=is_call, rate=rate)

    if not value(low) < price < value(high):
        return None
    while high - low > IMPLIED_PRECISION:  # the value only grows with volatility, so halving finds it
        middle = (low + high) / 2.0
        low, high = (middle, high) if value(middle) < price else (low, middle)
    return (low + high) / 2.0


def smile(*, spot: float, strike: float, years: float, at_the_money: float) -> float:
    """Implied volatility of a strike: higher away from the money, and higher below it than above.

    The surface SSVI of Gatheral and Jacquier (2014), with the curvature of their remark 4.4. At a rate of 0, values by it allow
    no arbitrage between any strikes and expiries: they are convex in the strike, fall (calls) or rise (puts) with it, and never
    fall with the time that is left.
    """
    if years <= 0.0:
        return at_the_money
    at_the_money_variance = at_the_money * at_the_money * years
    bend = SMILE_CURVE / math.sqrt(at_the_money_variance * (1.0 + at_the_money_variance)) * math.log(strike / spot)
    root = math.sqrt((bend + SMILE_SLOPE) ** 2 + 1.0 - SMILE_SLOPE * SMILE_SLOPE)
    variance = at_the_money_variance / 2.0 * (1.0 + SMILE_SLOPE * bend + root)
    return math.sqrt(variance / years)


def normal_cdf(x: float) -> float:
    """The standard normal distribution function."""
    return 0.5 * math.erfc(-x / SQRT_2)


def _d1_d2(spot: float, strike: float, years: float, volatility: float, rate: float) -> tuple[float, float]:
    spread = volatility * math.sqrt(years)
    d1 = (math.log(spot / strike) + (rate + volatility * volatility / 2.0) * years) / spread
    return d1, d1 - spread
