"""What tests of the providers' loops stand on: a clock that hurries while all wait, a listener that remembers, and a provider
that runs against the fake one.
"""

import asyncio
import math
import selectors
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from marketdata.feeds.live.lines import LiveProvider
from marketdata.feeds.live.pace import Pace
from marketdata.feeds.live.protocol import Chain, Count, Coverage, Line, ProviderOptions, Rank, RawQuote, State, Want
from tests.live.provider import KEY, SECRET, FakeProvider

SPEED = 200.0  # seconds of the loops in one of ours, while nobody has anything to do
PATIENCE_SECONDS = 1_000.0  # of the loops, for anything that is waited for
LIMIT_SECONDS = 120.0  # ours, for a scenario that never comes to its end
LOOK_SECONDS = 1.0  # of the loops: for what is waited for and not signalled


class Waiting(selectors.DefaultSelector):
    """Counts the seconds in which a loop had nothing to do, `speed` of them in one of ours.

    Only a wait that brought nothing counts. So for the loop no time passes while it does something, however long a busy machine
    takes over that, and what is on its way through a socket is not late.
    """

    def __init__(self, speed: float) -> None:
        super().__init__()
        self.speed, self.waited = speed, 0.0
        self._ends = time.monotonic() + LIMIT_SECONDS

    def select(self, timeout: float | None = None) -> Any:
        if time.monotonic() > self._ends:
            self._ends = math.inf
            raise TimeoutError(f"not done after {LIMIT_SECONDS:.0f} s")
        found = super().select(None if timeout is None else timeout / self.speed)
        if not found:
            self.waited += max(timeout or 0.0, 0.0)
        return found


class HurriedLoop(asyncio.SelectorEventLoop):
    """Runs a provider and the fake one together, on a clock that stands while either of them does something."""

    def __init__(self, speed: float) -> None:
        self.waiting = Waiting(speed)
        super().__init__(self.waiting)

    def time(self) -> float:
        return self.waiting.waited


class HurriedPace(Pace):
    """The clock of such a loop; but a socket has our seconds for an answer, or `network_speed` of them in one."""

    def __init__(self, *, network_speed: float) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, HurriedLoop)
        super().__init__(1.0, network_speed=network_speed / loop.waiting.speed)

    def seconds(self) -> float:
        return asyncio.get_running_loop().time()


def played(scenario: Callable[[], Awaitable[None]], *, speed: float = SPEED) -> None:
    """Play it on a loop that hurries."""

    async def play() -> None:
        await scenario()

    with asyncio.Runner(loop_factory=lambda: HurriedLoop(speed)) as runner:
        runner.run(play())


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

    async def until(self, reached: Callable[[], Any]) -> None:
        """Wait until something has come about at our side."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not reached():
                self.notes.changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.notes.changed.wait(), LOOK_SECONDS)

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
    network_speed: float = 1.0,
    wants: Sequence[Want] | None = None,
    **options: Any,
) -> AsyncIterator[World]:
    """Our provider against a fake one, wanting these symbols."""
    async with fake or FakeProvider() as fake:
        notes, pace = Notes(in_session=in_session), HurriedPace(network_speed=network_speed)
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
