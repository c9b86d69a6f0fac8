"""A live market for tests: a wall clock that stands where it is put, and a provider that says what it is told to say."""

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from marketdata import clock, quote_book
from marketdata.feeds.live.feed import LiveCursor, LiveFeed
from marketdata.feeds.live.protocol import RawQuote
from marketdata.markets.current import current_market, drop_market
from marketdata.models import MarketClock
from orders import working
from papertrade.trading.clock import moving, start_market
from papertrade.trading.mover import Mover, drop_movers, the_mover
from portfolio.models import Mark
from tests.market_kit import at

FEED = "test:nbbo"


class LiveKit:
    """Plays a live market that begins at a wall time, recording into `folder`. No provider runs: `hear` is its mouth."""

    def __init__(self, settings: Any, monkeypatch: pytest.MonkeyPatch, folder: Path, *, start: str | datetime) -> None:
        self.wall = at(start) if isinstance(start, str) else start
        self.folder = folder
        monkeypatch.setattr(clock, "wall_now", lambda: self.wall)
        settings.PAPERTRADE_MARKET, settings.PAPERTRADE_PROVIDER = "live", "push"
        settings.PAPERTRADE_RECORD = str(folder)
        settings.PAPERTRADE_START = None
        MarketClock.objects.all().delete()
        Mark.objects.all().delete()
        quote_book.clear()
        self.lead()

    def lead(self) -> None:
        """A process begins to lead: it knows nothing of what another one did before."""
        drop_market()
        drop_movers()
        start_market()
        self.feed.supplies = working.newest_supplies
        with moving():
            self.mover.publish()

    @property
    def feed(self) -> LiveFeed:
        feed = current_market().feed
        assert isinstance(feed, LiveFeed)
        return feed

    @property
    def mover(self) -> Mover:
        return the_mover()

    @property
    def cursor(self) -> LiveCursor:
        assert isinstance(self.mover.cursor, LiveCursor)
        return self.mover.cursor

    def pass_time(self, **time: float) -> None:
        """Let the wall clock go on; nobody moves the market."""
        self.wall += timedelta(**time)

    def hear(self, line: str, *, late: float = 0.05) -> None:
        """The provider says a quote, `symbol bid ask bid_size ask_size`, stamped so many seconds before now; - is absent."""
        symbol, *numbers = line.split()
        bid, ask, bid_size, ask_size = (None if text == "-" else Decimal(text) for text in numbers)
        stamp = self.wall - timedelta(microseconds=round(late * 1_000_000))
        self.feed.intake.hear([RawQuote(symbol, bid, ask, bid_size, ask_size, stamp, FEED)])

    def step(self, *, seconds: float | None = None) -> bool:
        """One step of the leader."""
        with moving():
            return self.mover.step(clock.read().due, seconds=seconds)

    def quote(self, line: str, *, late: float = 0.05) -> None:
        """Say it, and take it a moment later."""
        self.pass_time(seconds=0.2)
        self.hear(line, late=late)
        self.step()

    def end(self) -> None:
        """End the recording."""
        self.feed.stop()
