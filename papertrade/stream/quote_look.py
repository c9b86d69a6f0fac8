"""The latest quotes of what this process's streams want: one look for all of them, and the minute bars that they make.

A look reads exchange time and then the quotes that stand at it, so no stream is ever ahead of a request. A stream keeps
which quote of each symbol it has sent: a slow one gets the newest when it reads again, and nothing is kept for it.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from marketdata import clock, listing
from marketdata.instruments import parse_symbol
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from papertrade.stream.moves import AFTER_A_FAULT_SECONDS, ask

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.2
MINUTE = timedelta(minutes=1)
EVERYTHING = "*"


class MinuteBar(NamedTuple):
    """A minute of mid prices, USD; `quotes` is how many were seen, as the streams saw them."""

    begins: datetime
    open: float
    high: float
    low: float
    close: float
    quotes: int
    total: float

    def with_price(self, price: float) -> "MinuteBar":
        """The bar after one more quote."""
        return MinuteBar(
            self.begins,
            self.open,
            max(self.high, price),
            min(self.low, price),
            price,
            self.quotes + 1,
            self.total + price,
        )


class QuoteLook:
    """The one look of a process at quotes; it goes on while anybody wants some."""

    def __init__(self) -> None:
        self.quotes: dict[str, Quote] = {}
        self.finished: dict[str, MinuteBar] = {}  # the last whole minute of each symbol
        self._building: dict[str, MinuteBar] = {}
        self._wanted: Counter[str] = Counter()
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

    def want(self, symbols: Collection[str]) -> None:
        """Look at these too."""
        self._wanted.update(symbols)

    def leave(self, symbols: Collection[str]) -> None:
        """They are wanted once less."""
        self._wanted.subtract(symbols)
        self._wanted += Counter()
        for gone in set(symbols) - set(self._wanted):
            for kept in (self.quotes, self.finished, self._building):
                kept.pop(gone, None)

    async def _look(self) -> None:
        while self._listeners:
            wanted = list(self._wanted)
            if wanted:
                try:
                    now, found = await ask(read_quotes, wanted)
                except Exception as error:  # whatever it is, the streams wait and the next look comes
                    log.warning("quote_streams_wait", error=str(error).strip())
                    await asyncio.sleep(AFTER_A_FAULT_SECONDS)
                    continue
                self._take(now, found)
            for seen in self._listeners:
                seen.set()
            await asyncio.sleep(LOOK_SECONDS)

    def _take(self, now: datetime, found: dict[str, Quote]) -> None:
        for symbol, quote in found.items():
            known = self.quotes.get(symbol)
            self.quotes[symbol] = quote
            if quote.mid is not None and (known is None or known.quoted_at != quote.quoted_at):
                self._add(symbol, quote.quoted_at, float(quote.mid))
        minute = minute_of(now)
        for symbol, bar in list(self._building.items()):
            if bar.begins < minute:
                self.finished[symbol] = self._building.pop(symbol)

    def _add(self, symbol: str, at: datetime, price: float) -> None:
        bar, minute = self._building.get(symbol), minute_of(at)
        if bar is not None and bar.begins == minute:
            self._building[symbol] = bar.with_price(price)
            return
        if bar is not None:
            self.finished[symbol] = bar
        self._building[symbol] = MinuteBar(minute, price, price, price, price, 1, price)


def minute_of(at: datetime) -> datetime:
    """The minute that an instant lies in."""
    return at.replace(second=0, microsecond=0)


def read_quotes(symbols: Collection[str]) -> tuple[datetime, dict[str, Quote]]:
    """Exchange time, and the quotes that stand at it. `*` is every stock that the market lists."""
    now, market = clock.read().now, current_market()
    named = [symbol for symbol in symbols if symbol != EVERYTHING]
    if EVERYTHING in symbols:
        named += [stock.symbol for stock in listing.stocks()]
    return now, market.latest(list(dict.fromkeys(named)), at=now)


def is_option(symbol: str) -> bool:
    """Whether it is a contract."""
    return parse_symbol(symbol).is_option


look = QuoteLook()
