"""The simulated market: quotes computed where they are needed; nights, weekends and holidays are skipped."""

from collections.abc import Collection
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings

from marketdata import clock
from marketdata.feeds import FeedCursor
from marketdata.feeds.simulated import RATE, SimulatedFeed
from marketdata.feeds.universe import TICKERS
from marketdata.markets.base import Market
from marketdata.quotes import Quote
from marketdata.sessions import calendar

NIGHT_WAIT = timedelta(seconds=10)  # wall time before an open at which a simulated night ends


class SimulatedMarket(Market):
    """Synthetic quotes, computed where they are needed; nights, weekends and holidays are skipped."""

    has_book = False
    computes_past = True
    reach_of_ticks, reach_of_minutes = timedelta(days=30), timedelta(days=366)
    interest_rate = RATE

    feed: SimulatedFeed

    def __init__(self, feed: SimulatedFeed) -> None:
        super().__init__("simulated", feed)

    def latest_of(self, cursor: FeedCursor, symbols: Collection[str], at: datetime) -> dict[str, Quote]:
        return self.latest(symbols, at=at)

    def latest(
        self, symbols: Collection[str], *, at: datetime, position: str | None = None, watch: bool = True
    ) -> dict[str, Quote]:
        quotes = {symbol: self.feed.quote_at(symbol, at) for symbol in symbols}
        return {symbol: quote for symbol, quote in quotes.items() if quote is not None}

    def optionable(self) -> list[str]:
        return sorted(TICKERS)

    def quotes_at(self, symbols: Collection[str], at: datetime) -> dict[str, Quote]:
        return self.latest(symbols, at=at)

    def unseen(self, cursor: FeedCursor, symbols: Collection[str], at: datetime) -> dict[str, Quote]:
        return self.latest(symbols, at=at)

    def publish(self, cursor: FeedCursor, *, through: str) -> None:
        """Nothing: every process computes the same quotes."""

    def first_at(self) -> datetime:
        """Shortly before the open of the session of the start setting, or of the latest session."""
        days = calendar()
        if settings.PAPERTRADE_START:
            session = days.upcoming(settings.PAPERTRADE_START)
            if session.open <= settings.PAPERTRADE_START:
                return settings.PAPERTRADE_START
        else:
            now = clock.wall_now()
            latest = days.session_at(now) or days.previous(now)
            assert latest is not None, "the calendar begins years ago"
            session = latest
        return session.open - self._wait()

    def skip(self, at: datetime) -> datetime | None:
        days = calendar()
        if days.session_at(at) is not None:
            return None
        waiting_from = days.upcoming(at).open - self._wait()
        return waiting_from if at < waiting_from else None

    def _wait(self) -> timedelta:
        return clock.scaled(NIGHT_WAIT, settings.PAPERTRADE_SPEED or Decimal(1))
