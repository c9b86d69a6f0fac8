"""The band on every page: which market this is, what time it has, and when it opens or closes next."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.utils import timezone

from marketdata import clock
from marketdata.sessions import calendar
from papertrade.dashboard import words
from papertrade.lib.errors import PapertradeError
from papertrade.lib.times import EXCHANGE_ZONE

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


@dataclass(frozen=True, slots=True)
class ZoneChoice:
    """The zone of the page's times and the one that the switch puts in force; empty is the browser's own."""

    label: str
    words: str
    other: str
    other_words: str


@register.simple_tag
def zone_choice() -> ZoneChoice:
    """Exchange time or local time."""
    if timezone.get_current_timezone() is EXCHANGE_ZONE:
        return ZoneChoice("ET", "exchange time (New York)", "", "your own zone")
    name = timezone.get_current_timezone_name()
    return ZoneChoice("Local", f"your zone, {name}", EXCHANGE_ZONE.key, "exchange time (New York)")


@register.simple_tag(takes_context=True)
def bar_of(context: dict[str, Any]) -> MarketBar | None:
    """The market bar of a page, which its view may have read already."""
    return context["bar"] if "bar" in context else market_bar()
