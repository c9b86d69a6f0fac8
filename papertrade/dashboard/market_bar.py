"""The band on every page: which market this is, what time it has, and when it opens or closes next."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django import template
from django.conf import settings
from django.utils import timezone

from marketdata import clock, feed_state
from marketdata.sessions import calendar
from papertrade.dashboard import words
from papertrade.lib.errors import PapertradeError
from papertrade.lib.times import EXCHANGE_ZONE
from papertrade.lib.words import counted

register = template.Library()


@dataclass(frozen=True, slots=True)
class MarketBar:
    """The market now. `changes_at` is the next close while it is open, else the next open; `trouble` is with the provider."""

    market: str
    title: str
    warning: str
    now: datetime
    is_open: bool
    changes_at: datetime
    speed: Decimal
    trouble: str

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
    status = feed_state.in_force()
    return MarketBar(
        market=reading.market,
        title=title,
        warning=f"{_honesty(status)} {warning}".strip(),
        now=reading.now,
        is_open=session is not None,
        changes_at=changes_at,
        speed=reading.speed,
        trouble=_trouble(reading.market, status),
    )


def _honesty(status: feed_state.FeedState | None) -> str:
    """What the quotes of a live market are, one sentence a grade, each with its feed where there are several."""
    if status is None:
        return ""
    grades = {line.grade: line.feed for line in status.lines}
    said = [
        words.GRADE.get(grade, grade) if len(grades) == 1 else f"{feed}: {words.GRADE.get(grade, grade)}"
        for grade, feed in grades.items()
    ]
    if settings.PAPERTRADE_DELAY_SECONDS:
        said.append(f"This market runs {round(settings.PAPERTRADE_DELAY_SECONDS / 60)} minutes late.")
    return " ".join(said)


def _trouble(market: str, status: feed_state.FeedState | None) -> str:
    """What is not as it should be with the provider of a live market; empty in the others."""
    if market != clock.LIVE:
        return ""
    if status is None:
        return "Nothing is known of the provider."
    lines = [
        f"{line.feed} {words.LINE_STATE[line.state]}"
        for line in status.lines
        if line.state in words.LINE_STATE and (not line.serves or line.reason)  # polled for a reason, or not at all
    ]
    left_out = sum(line.left_out_count for line in status.lines)
    return ", ".join(lines + ([f"{counted(left_out, 'symbol')} without quotes"] if left_out else []))


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
