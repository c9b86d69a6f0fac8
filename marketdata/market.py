"""The market in force: feed, clock and calendar, chosen by one setting, so that they cannot disagree."""

from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from marketdata import book, clock
from marketdata.feeds import Feed, FeedCursor
from marketdata.feeds.recorded import RecordedFeed
from marketdata.feeds.simulated import SimulatedFeed
from marketdata.quotes import Quote
from marketdata.sessions import calendar

NIGHT_WAIT = timedelta(seconds=10)  # wall time before an open at which a simulated night ends


class MarketError(Exception):
    """The market of the settings cannot be run; the message says what to change."""


class Market:
    """One of the three markets. `manual` = its clock moves only when told to; `has_book` = its quotes are in the book."""

    has_book = True

    def __init__(self, name: str, feed: Feed) -> None:
        self.name = name
        self.feed = feed
        self.manual = settings.PAPERTRADE_SPEED == 0

    def exists(self, symbol: str) -> bool:
        """False where the market knows that there is no such symbol."""
        return self.feed.exists(symbol)

    def latest(self, symbols: Collection[str], *, at: datetime, position: str | None = None) -> dict[str, Quote]:
        """The latest quote of each symbol that has one, `at` being exchange time now.

        Who decides on a quote gives the clock's `position` too: never on one that is older or newer than the books.
        Raises Unavailable.
        """
        return book.latest(symbols, filled_to=position)

    def latest_of(self, cursor: FeedCursor, symbols: Collection[str], at: datetime) -> dict[str, Quote]:
        """The same while the market is being moved: as of the cursor, which stands at `at`."""
        return {symbol: cursor.latest[symbol] for symbol in symbols if symbol in cursor.latest}

    def newly_in_use(self, cursor: FeedCursor, symbols: Collection[str], at: datetime) -> dict[str, Quote]:
        """What the cursor has kept back of symbols that were not in use: here nothing, it yields every quote."""
        return {}

    def publish(self, cursor: FeedCursor, *, through: str) -> None:
        """Tell all processes the latest quotes; `through` is the position of the clock."""
        book.publish(cursor.latest.values(), through=through)

    def start(self) -> bool:
        """Make the clock's row, or let it go on from where it stood; True where time begins anew."""
        return clock.start(market=self.name, feed=self.feed.name, at=self.first_at(), speed=settings.PAPERTRADE_SPEED)

    def first_at(self) -> datetime:
        """Where exchange time starts: the setting, or what the feed says."""
        return settings.PAPERTRADE_START or self.feed.first_at()

    def skip(self, at: datetime) -> datetime | None:
        """Where a running clock that has reached `at` jumps to, or None where it goes on."""
        return None


class SimulatedMarket(Market):
    """Synthetic quotes, computed where they are needed; nights, weekends and holidays are skipped."""

    has_book = False

    def __init__(self, feed: SimulatedFeed) -> None:
        super().__init__("simulated", feed)

    def latest_of(self, cursor: FeedCursor, symbols: Collection[str], at: datetime) -> dict[str, Quote]:
        return self.latest(symbols, at=at)

    def latest(self, symbols: Collection[str], *, at: datetime, position: str | None = None) -> dict[str, Quote]:
        quotes = {symbol: self.feed.quote_at(symbol, at) for symbol in symbols}
        return {symbol: quote for symbol, quote in quotes.items() if quote is not None}

    def newly_in_use(self, cursor: FeedCursor, symbols: Collection[str], at: datetime) -> dict[str, Quote]:
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
            session = days.session_at(now) or days.previous(now)
        return session.open - self._wait()

    def skip(self, at: datetime) -> datetime | None:
        days = calendar()
        if days.session_at(at) is not None:
            return None
        waiting_from = days.upcoming(at).open - self._wait()
        return waiting_from if at < waiting_from else None

    def _wait(self) -> timedelta:
        return clock.scaled(NIGHT_WAIT, settings.PAPERTRADE_SPEED or 1)


_current: Market | None = None


def current() -> Market:
    """The market of the settings. Raises MarketError where it cannot be run."""
    global _current
    if _current is None:
        _current = _build()
    return _current


def forget() -> None:
    """Build the market anew at the next look, after the settings changed (tests)."""
    global _current
    _current = None


def _build() -> Market:
    if settings.PAPERTRADE_MARKET == "simulated":
        return SimulatedMarket(SimulatedFeed(seed=settings.PAPERTRADE_SEED))
    if settings.PAPERTRADE_MARKET == "recorded":
        return Market("recorded", RecordedFeed(Path(settings.PAPERTRADE_RECORDING)))
    raise MarketError(
        "The live market has no provider yet: set PAPERTRADE_MARKET to simulated, or to recorded with PAPERTRADE_RECORDING."
    )
