"""The latest quotes of what this process's streams want: one look for all of them, and the minute bars that they make.

A look reads exchange time and then the quotes that stand at it, so no stream is ever ahead of a request. A stream keeps
which quote of each symbol it has sent: a slow one gets the newest when it reads again, and nothing is kept for it.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import NamedTuple

import structlog

from marketdata import clock, listing
from marketdata.bars import ONE_MINUTE, Bar
from marketdata.feeds.past import PastTrade
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from papertrade.stream.moves import AFTER_A_FAULT_SECONDS, LOOK, ask
from papertrade.stream.subscriptions import EVERYTHING

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.2


class QuoteLook:
    """The one look of a process at quotes; it goes on while anybody wants some."""

    def __init__(self) -> None:
        self.quotes: dict[str, Quote] = {}
        self.trades: dict[str, PastTrade] = {}  # the last of each symbol
        self.finished: dict[str, Bar] = {}  # the last whole minute of each symbol
        self._building: dict[str, Bar] = {}
        self._whole_from: dict[str, datetime] = {}  # where the first minute begins that was seen from its begin on
        self._minute: datetime | None = None  # in which the last look was
        self._wanted: Counter[str] = Counter()
        self._looked_at: frozenset[str] = frozenset()  # by the last look
        self._listeners: set[asyncio.Event] = set()
        self._looking: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def listen(self) -> Iterator[asyncio.Event]:
        """An event that is set after each look."""
        seen = asyncio.Event()
        self._listeners.add(seen)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())
        try:
            yield seen
        finally:
            self._listeners.discard(seen)

    @contextlib.contextmanager
    def wish(self) -> Iterator["Wish"]:
        """What one client wants; at the end it wants nothing any more."""
        wish = Wish(self._wanted)
        try:
            yield wish
        finally:
            wish.become(frozenset())

    def _forget(self) -> None:
        """What nobody wants any more. What `*` means the last look knows."""
        wanted = set(self._wanted)
        if EVERYTHING in wanted:
            wanted |= self._looked_at
        for kept in (self.quotes, self.trades, self.finished, self._building, self._whole_from):
            for symbol in kept.keys() - wanted:
                del kept[symbol]

    async def _look(self) -> None:
        while self._listeners:
            self._forget()
            wanted = list(self._wanted)
            if wanted:
                try:
                    seen = await ask(read_quotes, wanted, whose=LOOK)
                except Exception as error:  # whatever it is, the streams wait and the next look comes
                    log.warning("quote_streams_wait", error=str(error).strip())
                    await asyncio.sleep(AFTER_A_FAULT_SECONDS)
                    continue
                self._take(seen)
            for waiting in self._listeners:
                waiting.set()
            await asyncio.sleep(LOOK_SECONDS)

    def _take(self, seen: "Seen") -> None:
        self._looked_at = frozenset(seen.symbols)
        self.quotes |= seen.quotes
        minute = ONE_MINUTE.begin(seen.now)
        for symbol in seen.symbols:
            self._whole_from.setdefault(symbol, minute if minute == seen.now else ONE_MINUTE.end(seen.now))
        for symbol, trade in seen.trades.items():
            if self.trades.get(symbol) != trade:
                self.trades[symbol] = trade
                self._add(symbol, trade)
        for symbol, bar in list(self._building.items()):
            if ONE_MINUTE.end(bar.begins) <= seen.now:
                self.finished[symbol] = self._building.pop(symbol)
        self._minute = minute

    def _add(self, symbol: str, trade: PastTrade) -> None:
        """Bars are whole or none: not of a minute seen from its middle on, nor of one that was over at the last look."""
        bar, minute = self._building.get(symbol), ONE_MINUTE.begin(trade.at)
        if minute < self._whole_from[symbol] or (self._minute is not None and minute < self._minute):
            return
        if bar is not None and bar.begins == minute:
            self._building[symbol] = bar.with_trade(trade)
            return
        if bar is not None:
            self.finished[symbol] = bar
        self._building[symbol] = Bar.of(minute, trade)


class Wish:
    """What one client wants, counted: exactly what was taken is given back, so that nobody takes what another wants."""

    def __init__(self, wanted: Counter[str]) -> None:
        self._wanted = wanted
        self._own: frozenset[str] = frozenset()

    def become(self, symbols: frozenset[str]) -> None:
        """Want these and no others from now on."""
        self._wanted.update(symbols - self._own)
        for symbol in self._own - symbols:
            self._wanted[symbol] -= 1
            if not self._wanted[symbol]:
                del self._wanted[symbol]
        self._own = symbols


class Seen(NamedTuple):
    """What one look found: exchange time, and what stands at it."""

    now: datetime
    symbols: Collection[str]  # that were looked at
    quotes: dict[str, Quote]
    trades: dict[str, PastTrade]


def read_quotes(symbols: Collection[str]) -> Seen:
    """Exchange time, and the quotes and last trades that stand at it. `*` is every stock that the market lists."""
    now, market = clock.read().now, current_market()
    named = [symbol for symbol in symbols if symbol != EVERYTHING]
    if EVERYTHING in symbols:
        named += [stock.symbol for stock in listing.stocks()]
    looked_at = list(dict.fromkeys(named))
    quotes = market.latest(looked_at, at=now)
    trades = {symbol: market.last_trade(symbol, quote, at=now) for symbol, quote in quotes.items()}
    return Seen(now, looked_at, quotes, {symbol: trade for symbol, trade in trades.items() if trade is not None})


look = QuoteLook()
