"""Small pictures as numbers for SVG: the line of an equity curve, and a limit against bid and ask. Pure.

Floats are right here: they are places on the screen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

SPARK_WIDTH, SPARK_HEIGHT, SPARK_PADDING = 240.0, 56.0, 3.0
SCALE_WIDTH, SCALE_PADDING = 340.0, 78.0
LEAST_SPAN_SHARE = 0.0005  # of the price: a locked quote still gets a scale


@dataclass(frozen=True, slots=True)
class Sparkline:
    """Points of a line in a box of SPARK_WIDTH x SPARK_HEIGHT, and whether it ends above where it began."""

    points: str
    area: str
    trend: str
    width: float = SPARK_WIDTH
    height: float = SPARK_HEIGHT


def sparkline(values: Sequence[Decimal]) -> Sparkline | None:
    """The line through the values, None for fewer than two."""
    if len(values) < 2:
        return None
    low, high = float(min(values)), float(max(values))
    usable = SPARK_HEIGHT - 2 * SPARK_PADDING
    places = [
        (
            SPARK_WIDTH * number / (len(values) - 1),
            SPARK_PADDING + usable * (1 - ((float(value) - low) / (high - low) if high > low else 0.5)),
        )
        for number, value in enumerate(values)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    change = values[-1] - values[0]
    return Sparkline(
        points=line,
        area=f"0,{SPARK_HEIGHT:.0f} {line} {SPARK_WIDTH:.0f},{SPARK_HEIGHT:.0f}",
        trend="up" if change > 0 else "down" if change < 0 else "flat",
    )


@dataclass(frozen=True, slots=True)
class PriceScale:
    """Places of bid, ask and limit on a horizontal line SCALE_WIDTH wide; None where there is no such price."""

    bid: float | None
    ask: float | None
    limit: float | None
    width: float = SCALE_WIDTH

    @property
    def spread_width(self) -> float:
        """From bid to ask; nothing for a crossed or one-sided quote."""
        return max(0.0, self.ask - self.bid) if self.bid is not None and self.ask is not None else 0.0


def price_scale(*, bid: Decimal | None, ask: Decimal | None, limit: Decimal | None) -> PriceScale | None:
    """Where the prices lie against each other, None without any."""
    known = [float(price) for price in (bid, ask, limit) if price is not None]
    if not known:
        return None
    low, high = min(known), max(known)
    around = 0.0 if limit is not None and high > low else (high - low) or LEAST_SPAN_SHARE * high
    low, high = low - around, high + around
    usable = SCALE_WIDTH - 2 * SCALE_PADDING

    def place(price: Decimal | None) -> float | None:
        return None if price is None else round(SCALE_PADDING + usable * (float(price) - low) / (high - low), 1)

    return PriceScale(place(bid), place(ask), place(limit))
