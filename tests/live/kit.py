"""What tests of the providers' loops stand on: a listener that remembers, and a provider that runs against the fake, faster."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from marketdata.feeds.live.lines import LiveProvider
from marketdata.feeds.live.pace import Pace
from marketdata.feeds.live.protocol import Chain, Count, Coverage, Line, ProviderOptions, Rank, RawQuote, State, Want
from tests.live.provider import KEY, SECRET, FakeProvider

SPEED = 50.0  # seconds of the loops in one of ours


class Notes:
    """A listener that keeps everything."""

    def __init__(self, *, in_session: bool = True) -> None:
        self.in_session = in_session
        self.quotes: list[RawQuote] = []
        self.chains: list[Chain] = []
        self.refused: list[str] = []
        self.lines: dict[str, list[Line]] = {}
        self.coverage: dict[str, Coverage] = {}
        self.counts = Counter[str]()
        self.changed = asyncio.Event()

    def give_way(self) -> None:
        """Nobody makes a step."""

    def hear(self, quotes: Sequence[RawQuote]) -> None:
        self.quotes.extend(quotes)
        self.changed.set()

    def hear_chain(self, chain: Chain) -> None:
        self.chains.append(chain)
        self.changed.set()

    def refuse_symbol(self, symbol: str) -> None:
        self.refused.append(symbol)
        self.changed.set()

    def report(self, line: Line) -> None:
        self.lines.setdefault(line.name, []).append(line)
        self.changed.set()

    def cover(self, line: str, coverage: Coverage) -> None:
        self.coverage[line] = coverage
        self.changed.set()

    def count(self, what: Count, amount: float = 1, *, reason: str = "") -> None:
        self.counts[f"{what}:{reason}" if reason else str(what)] += amount
        self.changed.set()

    def state(self, line: str = "stocks") -> State | None:
        return self.lines[line][-1].state if line in self.lines else None

    def states(self, line: str = "stocks") -> list[State]:
        """Each state once a change."""
        states = [report.state for report in self.lines.get(line, [])]
        return [state for place, state in enumerate(states) if place == 0 or state is not states[place - 1]]

    def reason(self, line: str = "stocks") -> str:
        return self.lines[line][-1].reason

    def heard(self, symbol: str) -> list[RawQuote]:
        return [quote for quote in self.quotes if quote.symbol == symbol]


@dataclass
class World:
    """A fake provider, ours against it, and what was heard."""

    fake: FakeProvider
    notes: Notes
    provider: LiveProvider
    pace: Pace

    async def until(self, reached: Callable[[], Any], seconds: float = 10.0) -> None:
        """Wait until something has come about at our side; in real seconds."""
        async with asyncio.timeout(seconds):
            while not reached():
                self.notes.changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.notes.changed.wait(), 0.05)

    async def state(self, state: State, line: str = "stocks") -> None:
        await self.until(lambda: self.notes.state(line) is state)

    def want(self, *symbols: str, rank: Rank = Rank.ORDER) -> None:
        self.provider.want([Want(symbol, rank) for symbol in symbols])


@asynccontextmanager
async def serving(
    module: ModuleType,
    *symbols: str,
    fake: FakeProvider | None = None,
    in_session: bool = True,
    speed: float = SPEED,
    network_speed: float = 1.0,
    wants: Sequence[Want] | None = None,
    **options: Any,
) -> AsyncIterator[World]:
    """Our provider against a fake one, wanting these symbols."""
    async with fake or FakeProvider() as fake:
        notes, pace = Notes(in_session=in_session), Pace(speed, network_speed=network_speed)
        secret = {"secret": SECRET} if module.__name__.endswith("alpaca") else {}
        stream = {} if module.__name__.endswith("tradier") else {"stream_url": fake.ws_url}
        chosen = ProviderOptions(**{"key": KEY, **secret, **stream, "url": fake.http_url, **options})
        provider = module.provider(chosen, notes, pace=pace)
        provider.want(wants if wants is not None else [Want(symbol, Rank.ORDER) for symbol in symbols])
        running = asyncio.ensure_future(provider.run())
        try:
            yield World(fake, notes, provider, pace)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
