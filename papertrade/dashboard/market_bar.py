"""The band on every page: which market this is, what time it has, and when it opens or closes next."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django import template

from marketdata import clock
from marketdata.sessions import calendar
from papertrade.dashboard import words
from papertrade.lib.errors import PapertradeError

register = template.Library()


@dataclass(frozen=True, slots=True)
class MarketBar:
    """The market now. `changes_at` is the next close while it is open, else the next open."""

    market: str
    title: str
    warning: str
    now: datetime
    is_open: bool
    changes_at: datetime
    speed: Decimal

    @property
    def still(self) -> bool:
        """Whether time moves only when told to."""
        return self.speed == 0

    @property
    def speed_text(self) -> str:
        return f"{self.speed.normalize():f}"


def market_bar() -> MarketBar | None:
    """The market now, None while it has not been started."""
    try:
        reading = clock.read()
        days = calendar()
        session = days.session_at(reading.now)
        changes_at = session.close if session else days.next_open(reading.now).open
    except (clock.ClockNotStarted, PapertradeError):
        return None
    title, warning = words.MARKET[reading.market]
    return MarketBar(reading.market, title, warning, reading.now, session is not None, changes_at, reading.speed)


@register.inclusion_tag("dashboard/parts/market_bar.html", name="market_bar")
def show_market_bar() -> dict[str, MarketBar | None]:
    return {"bar": market_bar()}
