"""The live market: the real clock, and quotes as a provider gives them.

It is moved like the others, in steps under the closed gate; only where the quotes come from differs. What was heard between two
steps is taken at the next, and is recorded before anything is done with it.
"""

import contextlib
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal

import structlog

from marketdata import clock, quote_book
from marketdata.feeds import Supplies
from marketdata.feeds.live.feed import Known, LiveCursor, LiveFeed
from marketdata.markets.base import Market
from marketdata.sessions import calendar

log = structlog.get_logger(__name__)

MINUTES_KEPT = timedelta(minutes=2)  # older minutes that nobody has seen are a gap in the curve, not old marks
VALKEY_PAUSE_SECONDS = 1.0  # after it did not answer: it may take two seconds not to, with the gate closed


class LiveMarket(Market):
    """The market of the real clock; in the process that leads, with its provider."""

    feed: LiveFeed

    def __init__(self, feed: LiveFeed) -> None:
        super().__init__("live", feed)
        self.manual = False
        self._ask_again_at = 0.0  # of the monotonic clock

    def lead(self, *, supplies: Callable[[], Supplies]) -> None:
        """Connect to the provider; `supplies` says what orders have taken, where the quote book was lost."""
        self.feed.supplies = supplies
        self.feed.lead()

    def stop(self) -> None:
        """Disconnect from the provider."""
        self.feed.stop()

    def start(self) -> bool:
        """Let time go on, whichever provider there was before: it is the same market."""
        return clock.start(market=self.name, feed=self.feed.name, at=clock.real_now(), speed=Decimal(1), any_feed=True)

    def first_minute(self, to: datetime) -> datetime | None:
        return to - MINUTES_KEPT

    def take(self, cursor: LiveCursor, to: datetime) -> None:  # type: ignore[override]  # its own feed's cursor
        """Take what was heard since the last step, as quotes of the instant `to`."""
        session = calendar().session_at(to)
        self.feed.intake.in_session = session is not None
        news = cursor.hear(to)
        if news:
            # Should this process die before it has published, nobody decides on quotes that are older than the recording.
            self._tell(quote_book.unsettle)
            cursor.take(news, to)

    def publish(self, cursor: LiveCursor, *, through: str) -> None:  # type: ignore[override]
        """Tell all processes what has changed. Without Valkey the market goes on, and tells them later."""

        def publish() -> None:
            lost = quote_book.marker() is None
            symbols = cursor.latest if lost else cursor.changed
            quote_book.publish([cursor.latest[symbol] for symbol in symbols], through=through)
            cursor.changed.clear()

        self._tell(publish)

    def _tell(self, what: Callable[[], None]) -> None:
        if time.monotonic() < self._ask_again_at:
            return
        try:
            what()
        except quote_book.BookUnavailable as error:
            self._ask_again_at = time.monotonic() + VALKEY_PAUSE_SECONDS
            log.warning("quotes_not_published", error=str(error))


def known_quotes() -> Known:
    """What the quote book says to a new leader."""
    with contextlib.suppress(quote_book.BookUnavailable):
        marker, latest = quote_book.everything()
        if marker is not None:
            return Known(latest, datetime.fromisoformat(marker.split("/")[0]))
    return Known()
