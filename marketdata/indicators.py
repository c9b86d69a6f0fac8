"""Technical indicators of a series of prices. Pure.

What an average that never forgets says at a point is made of a fixed number of prices up to it, so many windows, and begins
with the mean of the first of them. So a point has one value, whichever span or page it is asked in.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

EXPONENTIAL_MEMORY, WILDER_MEMORY = 6, 10  # windows: what lies before them has a weight of e**-10, and e**-9


class Indicator(NamedTuple):
    """How its values follow from prices: the first after `first` of them, each from `memory` of them at most."""

    of: Callable[[Sequence[float]], "list[Value]"]
    first: int
    memory: int


class Value(NamedTuple):
    """The indicator where the series' bar at `place` ends; signal and histogram of MACD alone."""

    place: int
    value: float
    signal: float | None = None
    histogram: float | None = None


def sma(window: int) -> Indicator:
    """A simple moving average."""
    return Indicator(partial(simple, window=window), window, window)


def ema(window: int) -> Indicator:
    """An exponential moving average."""
    return Indicator(partial(exponential, window=window), window, EXPONENTIAL_MEMORY * window)


def macd(short: int, long: int, signal: int) -> Indicator:
    """Convergence and divergence of two exponential averages."""
    slower = max(short, long)
    return Indicator(
        partial(convergence, short=short, long=long, signal=signal),
        slower + signal - 1,
        EXPONENTIAL_MEMORY * (slower + signal),
    )


def rsi(window: int) -> Indicator:
    """Relative strength."""
    return Indicator(partial(relative_strength, window=window), window + 1, WILDER_MEMORY * window + 1)


def simple(prices: Sequence[float], window: int) -> list[Value]:
    """The mean of the last `window` prices, from the first full window on."""
    return [
        Value(place, sum(prices[place + 1 - window : place + 1]) / window) for place in range(window - 1, len(prices))
    ]


def exponential(prices: Sequence[float], window: int) -> list[Value]:
    """The exponential mean, whose weight of a new price is 2 / (window + 1)."""
    return [
        Value(
            place,
            _smoothed(prices[max(0, place + 1 - EXPONENTIAL_MEMORY * window) : place + 1], window, 2 / (window + 1)),
        )
        for place in range(window - 1, len(prices))
    ]


def convergence(prices: Sequence[float], short: int, long: int, signal: int) -> list[Value]:
    """MACD: the short exponential mean less the long one; its own exponential mean; and what it is above that."""
    slow = exponential(prices, long)
    fast = {point.place: point.value for point in exponential(prices, short)}
    lines = [fast[point.place] - point.value for point in slow if point.place in fast]
    first = len(prices) - len(lines)
    return [
        Value(first + point.place, lines[point.place], point.value, lines[point.place] - point.value)
        for point in exponential(lines, signal)
    ]


def relative_strength(prices: Sequence[float], window: int) -> list[Value]:
    """RSI, 0 to 100: of Wilder's means of rises and falls, the rises' share. Where nothing moved, 50."""
    changes = [after - before for before, after in pairwise(prices)]
    found = []
    for place in range(window - 1, len(changes)):
        last = changes[max(0, place + 1 - WILDER_MEMORY * window) : place + 1]
        rise = _smoothed([max(change, 0.0) for change in last], window, 1 / window)
        fall = _smoothed([max(-change, 0.0) for change in last], window, 1 / window)
        found.append(Value(place + 1, 100 * rise / (rise + fall) if rise + fall else 50.0))
    return found


def _smoothed(values: Sequence[float], window: int, weight: float) -> float:
    """The mean of the first window, drawn to each later value by its weight."""
    mean = sum(values[:window]) / window
    for value in values[window:]:
        mean += weight * (value - mean)
    return mean
