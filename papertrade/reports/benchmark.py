"""A benchmark: a symbol bought with all the money at the start and held, at its mid price, whole or not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from marketdata.instruments import is_symbol
from marketdata.markets.current import current_market
from papertrade.reports.figures import Line


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The curve, and of what grade its prices are: simulated, recorded or live."""

    line: Line
    grade: str


def benchmark_line(symbol: str, times: Sequence[datetime], *, start: float) -> Benchmark | None:
    """What `start` would have become at each of the times; None where the market has no past prices of the symbol.

    Before the symbol's first quote it stays `start`.
    """
    market = current_market()
    mids = market.mids(symbol, times) if is_symbol(symbol) else None
    first = next((mid for mid in mids or () if mid), None)
    if not mids or not first:
        return None
    points = [(at, start * (mid / first if mid else 1.0)) for at, mid in zip(times, mids, strict=True)]
    return Benchmark(Line(symbol, points, "quiet", dashed=True), market.name)
