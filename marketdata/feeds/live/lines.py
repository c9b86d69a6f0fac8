"""A provider as the leader sees it: its markets, each a line with a stream, a fetcher, or both.

A line decides which symbols it streams and which it polls (`allotment`), and sums up in one state what its two sides say.
Where a user has one connection for all markets, the market with more orders and positions has it, and the others poll.
"""

import asyncio
import math
from collections.abc import Collection, Sequence

from marketdata.feeds.live.allotment import Allotment
from marketdata.feeds.live.dialect import Market
from marketdata.feeds.live.fetching import Fetcher
from marketdata.feeds.live.pace import Pace
from marketdata.feeds.live.protocol import Chain, Count, Coverage, Grade, Line, Listener, Rank, State, Want
from marketdata.feeds.live.stream import Stream

POLL_AFTER_SECONDS = 5.0  # a stream that is away for longer is replaced by polling meanwhile
LOOK_SECONDS = 1.0
SEAT_SECONDS = 60.0  # the one connection changes its market at most so often


class MarketLine:
    """One market of a provider."""

    def __init__(self, market: Market, listener: Listener, *, pace: Pace, seat: asyncio.Lock | None) -> None:
        self.market, self.listener, self.pace = market, listener, pace
        self.fetcher = None if market.rest is None else Fetcher(market, listener, pace=pace, on_result=self._on_fetched)
        self.stream = None if market.stream is None else Stream(
            market, listener, pace=pace, seat=seat, on_state=self._on_state, on_subscribed=self._on_subscribed,
            on_limit=self._on_limit,
        )  # fmt: skip
        poll_limit = 0 if self.fetcher is None else self.fetcher.poll_limit
        self.allotment = Allotment(stream_limit=market.symbol_limit if self.stream else 0, poll_limit=poll_limit)
        self.has_seat = self.stream is not None
        self.wants: list[Want] = []
        self.homeless: list[str] = []  # wanted, and taken by no line of the provider: named here as left out
        self._stream_said = ""
        self._fetched: tuple[str, bool] | None = None  # what the last call brought: (sentence, refused)
        self._reported: Line | None = None
        self._covered: Coverage | None = None

    async def run(self) -> None:
        """Serve until cancelled."""
        self.report()
        ways = [self._look(), *(side.run() for side in (self.stream, self.fetcher) if side is not None)]
        tasks = [asyncio.ensure_future(way) for way in ways]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def want(self, wants: Sequence[Want], homeless: Sequence[str] = ()) -> None:
        """All that is wanted of this line, by rank."""
        self.wants, self.homeless = list(wants), list(homeless)
        if self.market.grade is Grade.TEST:  # it has one symbol, which nobody can trade
            self.wants = [Want(self.market.test, Rank.CANARY)]
        self.share()

    def give_seat(self, has_seat: bool) -> None:
        """Whether this line has the user's one connection."""
        self.has_seat = has_seat
        if self.stream is not None:
            self.stream.allow(has_seat)

    @property
    def weight(self) -> int:
        """How many symbols of orders and positions it serves."""
        return sum(want.rank <= Rank.POSITION for want in self.wants)

    async def _look(self) -> None:
        """Once a second: what has changed by the mere passing of time."""
        while True:
            await self.pace.sleep(LOOK_SECONDS)
            if self.has_seat and not self._is_streaming and self.listener.in_session:
                self.listener.count(Count.GAP_SECONDS, LOOK_SECONDS)
            self.share()
            self.report()

    def share(self) -> None:
        """Share the wanted symbols out between stream, polling and nothing."""
        coverage = self.allotment.choose(self.wants, now=self.pace.seconds())
        if self._is_refused:
            coverage = Coverage((), (), _all_of(coverage))
        elif not self._streams_for_now:
            coverage = self._polled_only(coverage)
        coverage = Coverage(coverage.streamed, coverage.polled, (*coverage.left_out, *self.homeless))
        if self.stream is not None:
            self.stream.want(tuple(coverage.streamed))
        if self.fetcher is not None:
            self.fetcher.poll(tuple(coverage.polled))
        if coverage != self._covered:
            self._covered = coverage
            self.listener.cover(self.market.name, coverage)

    def _polled_only(self, coverage: Coverage) -> Coverage:
        """Without a stream the budget of polling is all there is; the best ranks come first."""
        symbols = _all_of(coverage)
        limit = self.fetcher.poll_limit if self.fetcher is not None else 0
        return Coverage((), tuple(symbols[:limit]), tuple(symbols[limit:]))

    @property
    def _is_streaming(self) -> bool:
        return self.stream is not None and self.stream.state is State.STREAMING

    @property
    def _streams_for_now(self) -> bool:
        """A stream that has just been lost counts as there: it is back before a poll would be."""
        if self.stream is None or not self.has_seat:
            return False
        if self.fetcher is None or self._is_streaming:
            return True
        return self.pace.seconds() - self.stream.since < POLL_AFTER_SECONDS

    @property
    def _is_refused(self) -> bool:
        """A key that the stream refuses is not tried again and again by polling."""
        return self.has_seat and self.stream is not None and self.stream.state is State.REFUSED

    def _on_state(self, state: State, sentence: str) -> None:
        self._stream_said = sentence
        self.share()
        self.report()

    def _on_subscribed(self, symbols: Collection[str]) -> None:
        if self.fetcher is not None:
            self.fetcher.seed(symbols)

    def _on_limit(self, limit: int | None) -> None:
        """The plan has fewer places than was thought; or as many again, on a new connection."""
        self.allotment.stream_limit = limit
        self.share()
        self.report()

    def _on_fetched(self, sentence: str, refused: bool) -> None:
        self._fetched = (sentence, refused)
        self.report()

    def report(self) -> None:
        """Say how the line is, where that has changed."""
        state, reason = self._state()
        line = Line(self.market.name, self.market.feed, self.market.grade, state, reason, self.allotment.stream_limit)
        if line != self._reported:
            self._reported = line
            self.listener.report(line)

    def _state(self) -> tuple[State, str]:
        """One state for both sides, the stream's first: it is what serves best."""
        if self.stream is not None and self.has_seat:
            if self._is_streaming:
                return State.STREAMING, self._fetched[0] if self._fetched else ""
            if self._is_refused or self._streams_for_now or self._fetched is None:
                return self.stream.state, self._stream_said
            return self._polling_state(self._fetched, self._stream_said)
        if self._fetched is None:
            return (State.CONNECTING if self.wants else State.POLLING), ""
        return self._polling_state(self._fetched, "")

    def _polling_state(self, fetched: tuple[str, bool], otherwise: str) -> tuple[State, str]:
        said, refused = fetched
        if refused:
            return State.REFUSED, said
        return (State.INTERRUPTED, said) if said else (State.POLLING, otherwise)


def _all_of(coverage: Coverage) -> tuple[str, ...]:
    return (*coverage.streamed, *coverage.polled, *coverage.left_out)


class LiveProvider:
    """All lines of a provider, behind the `Provider` protocol."""

    def __init__(
        self, markets: Sequence[Market], listener: Listener, *, one_connection: bool = False, pace: Pace | None = None
    ) -> None:
        self.pace = pace or Pace()
        seat = asyncio.Lock() if one_connection else None
        self.lines = [MarketLine(market, listener, pace=self.pace, seat=seat) for market in markets]
        self.listener = listener
        self._one_connection = one_connection and len(self.lines) > 1
        self._holder, self._held_since = self.lines[0], -math.inf
        if self._one_connection:
            for line in self.lines:
                line.give_seat(line is self._holder)

    async def run(self) -> None:
        """Serve until cancelled; then every socket is closed with a close frame."""
        tasks = [asyncio.ensure_future(line.run()) for line in self.lines]
        if self._one_connection:
            tasks.append(asyncio.ensure_future(self._watch_seat()))
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def want(self, wants: Sequence[Want]) -> None:
        """Share out what is wanted; what no line takes is named as left out by the first. Nobody misses a canary."""
        homeless = [
            want.symbol
            for want in wants
            if want.rank is not Rank.CANARY and not any(line.market.takes(want.symbol) for line in self.lines)
        ]
        for line in self.lines:
            mine = [want for want in wants if line.market.takes(want.symbol)]
            line.want(mine, homeless if line is self.lines[0] else ())

    def want_chain(self, underlying: str) -> None:
        """Ask the line that lists options."""
        for line in self.lines:
            if line.market.chains is not None and line.fetcher is not None:
                line.fetcher.want_chain(underlying)
                return
        self.listener.hear_chain(Chain(underlying, (), "This provider's feeds have no options.", never=True))

    async def _watch_seat(self) -> None:
        while True:
            await self.pace.sleep(LOOK_SECONDS)
            busiest = max(self.lines, key=lambda line: line.weight)
            long_held = self.pace.seconds() - self._held_since >= SEAT_SECONDS
            if busiest.weight > self._holder.weight and long_held:
                self._seat(busiest)

    def _seat(self, holder: MarketLine) -> None:
        """Give the one connection to this line; the lock of the streams sees to it that the other has let go."""
        self._holder, self._held_since = holder, self.pace.seconds()
        for line in self.lines:
            line.give_seat(line is holder)
        for line in self.lines:
            line.share()
            line.report()
