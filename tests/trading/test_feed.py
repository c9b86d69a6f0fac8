"""`manage.py run_feed`: what it leaves behind where a server goes away under it."""

import pytest
from django.db import connection

from marketdata import gate
from papertrade.lib.errors import Unavailable
from papertrade.lib.postgres import try_lock, unlock
from papertrade.management.commands.run_feed import Command
from papertrade.trading.feed_process import FeedProcess
from tests.concurrency.threads import together
from tests.market_kit import MarketKit


def test_a_feed_that_is_interrupted_gives_its_lock_back(
    committed: None, market_kit: MarketKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may come back on another connection of its pool, and must not stand by for itself."""
    market_kit.play("14:00:00 IBM 100.00 100.10", start="14:00:00")
    feed = Command()

    def beat(heart: FeedProcess) -> float:
        feed.stopping = True
        raise Unavailable("Valkey is away.")

    monkeypatch.setattr(FeedProcess, "beat", beat)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    feed.handle()
    assert together(lambda: try_lock(gate.FEED) and unlock(gate.FEED) is None) == [True]
    connection.close()
