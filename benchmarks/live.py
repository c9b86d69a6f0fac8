"""P8 of docs/performance.md: a live market under a storm of quotes. The provider is ours: it says quotes, and no network.

From the conflation map on everything is real: the I/O thread, the recording, the step with the gate closed, the books.
"""

import asyncio
import os
import random
import re
import statistics
import time
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

from django.conf import settings

from benchmarks import data
from benchmarks.figures import Figure, say
from marketdata import clock
from marketdata.feeds.live.feed import LiveFeed
from marketdata.feeds.live.protocol import Listener, RawQuote, Want
from marketdata.markets import current
from marketdata.markets.live import LiveMarket, known_quotes
from marketdata.sessions import calendar
from papertrade.trading.clock import start_market
from papertrade.trading.feed_process import FeedProcess
from portfolio.books import OpenBook

QUOTES_A_SECOND, SYMBOLS, ORDERS, BOOKS = 20_000, 500, 200, 20
SECONDS = float(os.environ.get("P8_SECONDS", "120"))
BURST_SECONDS = 0.02
WARM_UP = 20  # steps before the first that counts


class Storm:
    """Says so many quotes a second, of symbols in turn, as a provider would."""

    def __init__(self, listener: Listener, symbols: Sequence[str]) -> None:
        self._listener, self._symbols = listener, symbols
        self._rng = random.Random(8)

    async def run(self) -> None:
        place, burst = 0, int(QUOTES_A_SECOND * BURST_SECONDS)
        while True:
            started = time.monotonic()
            now = clock.real_now()
            quotes = []
            for _ in range(burst):
                bid = Decimal(self._rng.randrange(9_900, 10_100)) / 100
                symbol = self._symbols[place % len(self._symbols)]
                quotes.append(RawQuote(symbol, bid, bid + Decimal("0.05"), Decimal(100), Decimal(100), now, "bench"))
                place += 1
            self._listener.hear(quotes)
            await asyncio.sleep(max(0.0, BURST_SECONDS - (time.monotonic() - started)))

    def want(self, wants: Sequence[Want]) -> None:
        """It says what it says."""

    def want_chain(self, underlying: str) -> None:
        """It has none."""


def p8() -> list[Figure]:
    """20,000 quotes/s over 500 symbols and 200 working orders: how long a step closes the gate, and what it costs in memory."""
    data.forget_everything()
    settings.PAPERTRADE_MARKET, settings.PAPERTRADE_PROVIDER = "live", "push"
    letters = "ABCDEFGH"
    symbols = [f"{a}{b}{c}" for a in letters for b in letters for c in letters][:SYMBOLS]
    folder = Path(os.environ["PAPERTRADE_VAR"]) / "p8"
    session, wall = calendar().previous(clock.wall_now()), clock.wall_now
    assert session is not None, "there was a session"
    ahead = session.open + timedelta(hours=1) - wall()
    with patch.object(clock, "wall_now", lambda: wall() + ahead):
        feed = LiveFeed("live:bench", lambda listener: Storm(listener, symbols), folder=folder, known=known_quotes)
        current._current = LiveMarket(feed)
        start_market()
        data.place_orders(data.open_books(BOOKS), lambda book: _payloads(book, symbols))
        process = FeedProcess()
        process.begin()
        try:
            steps, memory = _run(process)
        finally:
            process.end()
            current.drop_market()
    p99 = statistics.quantiles(steps, n=100)[98] * 1000
    say(f"{len(steps)} steps, median {statistics.median(steps) * 1000:.0f} ms, p99 {p99:.0f} ms, memory {memory}")
    growth = memory[-1] / memory[0]
    return [
        Figure("P8", f"live step under {QUOTES_A_SECOND:,} quotes/s, p99", f"{p99:.0f} ms", "< 100 ms", p99 < 100),
        Figure("P8", "memory, end to beginning", f"{growth:.2f} x", "<= 1.1", growth <= 1.1),
    ]


def _payloads(book: OpenBook, symbols: Sequence[str]) -> list[dict[str, str]]:
    """Limits that no quote reaches: they work all the time."""
    first = book.id * (ORDERS // BOOKS)
    return [
        {
            "symbol": symbols[number % SYMBOLS],
            "qty": "1",
            "side": "buy",
            "type": "limit",
            "limit_price": "50",
            "time_in_force": "gtc",
        }
        for number in range(first, first + ORDERS // BOOKS)
    ]


def _run(process: FeedProcess) -> tuple[list[float], list[int]]:
    """Seconds of each step, and the memory in MB at the beginning and in the end."""
    steps: list[float] = []
    memory = []
    until = time.monotonic() + SECONDS
    number = 0
    while time.monotonic() < until:
        started = time.perf_counter()
        pause = process.beat()
        number += 1
        if number == WARM_UP:
            memory.append(_resident_mb())
        elif number > WARM_UP:
            steps.append(time.perf_counter() - started)
        time.sleep(pause)
    return steps, [*memory, _resident_mb()]


def _resident_mb() -> int:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None, "Linux says it"
    return int(found[1]) // 1024
