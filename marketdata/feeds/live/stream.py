"""One stream kept open: connect, log in, subscribe, read, notice silence, and begin again, each for a reason that is named.

A connection ends in one of a few ways (`Why`), and each has its own patience: a lost one is tried again within a second, a seat
that another process has is asked for ever more rarely, and a key that was refused once a minute. The states are told to
`on_state`, so that nothing is only in a log.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException

from marketdata.feeds.live.dialect import Control, Market, Said, is_loopback
from marketdata.feeds.live.pace import Pace
from marketdata.feeds.live.protocol import Count, Listener, RawQuote, State
from marketdata.feeds.live.reading import SYMBOLS_A_FRAME, Unreadable, hide, sentence_of

log = structlog.get_logger(__name__)
# websockets logs each handshake at DEBUG, headers and keys included: this one never does.
socket_log = logging.getLogger(f"{__name__}.socket")
socket_log.setLevel(logging.WARNING)

# A ping so often, and so long for its answer: with the closing, a peer that is gone is given up within 10 s.
PING_SECONDS, PONG_SECONDS = 5.0, 4.0
OPEN_SECONDS = 5.0
LOGIN_SECONDS = 10.0
ANSWER_SECONDS = 5.0  # a subscription without an answer is taken for done
CLOSE_SECONDS = 1.0
MAX_FRAME_BYTES = 4 * 1_048_576
MAX_QUEUED_FRAMES = 16
MUTE_SECONDS = 20.0
MOST_MUTE_SECONDS = 320.0
MUTE_FROM_SYMBOLS = 10  # so many symbols are never all silent for long while the exchange is open
LOOK_SECONDS = 1.0
HEALTHY_SECONDS = 60.0  # after so long the next trouble is a new one
USER_AGENT = "papertrade"


class Why(StrEnum):
    """Why a connection ended."""

    LOST = "lost"
    MUTE = "mute"
    SLOW = "slow"
    SEAT_TAKEN = "seat_taken"
    REFUSED = "refused"


# (first wait, longest wait) in seconds before the next try; it doubles in between.
PATIENCE = {
    Why.LOST: (0.5, 30.0),
    Why.MUTE: (0.5, 30.0),
    Why.SLOW: (0.5, 30.0),
    Why.SEAT_TAKEN: (5.0, 90.0),
    Why.REFUSED: (60.0, 60.0),
}
# What ends a connection, of what a provider says, and of the codes by which it closes or refuses one.
ENDS = {Said.REFUSED: Why.REFUSED, Said.SEAT_TAKEN: Why.SEAT_TAKEN, Said.SLOW: Why.SLOW, Said.OVER: Why.LOST}
CLOSE_CODES = {4401: Why.REFUSED, 4403: Why.REFUSED, 4409: Why.SEAT_TAKEN}
HTTP_STATUS = {401: Why.REFUSED, 402: Why.REFUSED, 403: Why.REFUSED, 409: Why.SEAT_TAKEN, 429: Why.SEAT_TAKEN}


@dataclass(frozen=True, slots=True)
class Ending:
    """How a connection ended; `sentence` is for people, without keys."""

    why: Why
    sentence: str


class Backoff:
    """How long to wait before the next connection."""

    def __init__(self) -> None:
        self._tries: dict[Why, int] = {}

    def after(self, why: Why, *, healthy: bool) -> float:
        """Seconds; a connection that was healthy makes good what went before it."""
        if healthy:
            self._tries.clear()
        first, longest = PATIENCE[why]
        tries = self._tries[why] = self._tries.get(why, 0) + 1
        wait = min(first * 2.0 ** (tries - 1), longest)
        # Not all clients of a provider that comes back at the same moment.
        return wait if why in (Why.REFUSED, Why.SEAT_TAKEN) else wait * random.uniform(0.75, 1.0)  # noqa: S311


class Stream:
    """The stream of one market. `on_state` is called with each state and its sentence, `on_subscribed` with symbols that
    are new on it, `on_limit` with the number of symbols that the plan allows, as far as is known. Everything runs on one loop.
    """

    def __init__(
        self,
        market: Market,
        listener: Listener,
        *,
        pace: Pace,
        on_state: Callable[[State, str], None],
        on_subscribed: Callable[[Collection[str]], None],
        on_limit: Callable[[int | None], None],
        seat: asyncio.Lock | None = None,
    ) -> None:
        if market.stream is None:
            raise ValueError("the market has no stream")
        self.market, self.dialect, self.listener, self.pace = market, market.stream, listener, pace
        self.on_state, self.on_subscribed, self.on_limit = on_state, on_subscribed, on_limit
        self.seat = seat  # held while connected, where a user has one connection for several streams
        self.subscribed: set[str] = set()
        self.state, self.since = State.CONNECTING, pace.seconds()
        self._wanted: list[str] = []
        self._changed = asyncio.Event()
        self._allowed = asyncio.Event()
        self._allowed.set()
        self._forbidden = asyncio.Event()
        self._mute_seconds = MUTE_SECONDS
        self._begin()

    def want(self, symbols: Sequence[str]) -> None:
        """Stream these from now on, the first the soonest."""
        self._wanted = list(symbols)
        self._changed.set()

    def allow(self, allowed: bool) -> None:
        """Whether it may be connected at all; one that must not is closed."""
        (self._allowed.set if allowed else self._allowed.clear)()
        (self._forbidden.clear if allowed else self._forbidden.set)()

    async def run(self) -> None:
        """Be connected until cancelled."""
        backoff = Backoff()
        while True:
            await self._allowed.wait()
            async with self.seat or nullcontext():
                ending = await self._connection()
            healthy = self._ready_at is not None and self.pace.seconds() - self._ready_at >= HEALTHY_SECONDS
            self._begin()
            if ending is None:  # somebody else has the seat now
                self._tell(State.POLLING, "")
                continue
            self.listener.count(Count.RECONNECTS, reason=str(ending.why))
            log.warning(
                "live_stream_ended",
                line=self.market.name,
                feed=self.market.feed,
                why=str(ending.why),
                said=ending.sentence,
            )
            self._tell(State.REFUSED if ending.why is Why.REFUSED else State.INTERRUPTED, ending.sentence)
            await self.pace.until(self._forbidden, backoff.after(ending.why, healthy=healthy))

    def _begin(self) -> None:
        """A new connection knows nothing of the one before."""
        self.subscribed = set()
        self._put_off: set[str] = set()  # not confirmed on this connection
        self._limit: int | None = None  # of symbols, as this connection taught it
        self._answers: asyncio.Queue[Control] = asyncio.Queue()
        self._asking = False
        self._ready = asyncio.Event()
        self._ready_at: float | None = None
        self._heard_at = self.pace.seconds()

    def _tell(self, state: State, sentence: str) -> None:
        if state is not self.state:
            self.since = self.pace.seconds()
        self.state = state
        self.on_state(state, sentence)

    async def _connection(self) -> Ending | None:
        """From the handshake to the end; None where it was forbidden meanwhile."""
        real = self.pace.network
        try:
            async with connect(
                self.dialect.url,
                additional_headers=dict(self.dialect.headers),
                user_agent_header=USER_AGENT,
                logger=socket_log,
                open_timeout=real(OPEN_SECONDS),
                ping_interval=real(PING_SECONDS),
                ping_timeout=real(PONG_SECONDS),
                close_timeout=real(CLOSE_SECONDS),
                max_size=MAX_FRAME_BYTES,
                max_queue=MAX_QUEUED_FRAMES,
                proxy=None if is_loopback(self.dialect.url) else True,
            ) as socket:
                try:
                    return await _first(
                        self._read(socket), self._keep_subscribed(socket), self._watch(), self._until_forbidden()
                    )
                finally:
                    await socket.close()  # a parting in order even when cancelled: it frees the seat at once
        except ConnectionClosed as closed:
            frame = closed.rcvd
            if frame is None:
                return Ending(Why.LOST, "The connection was lost.")
            said = self._hide(frame.reason) or f"The provider closed the connection ({frame.code})."
            return Ending(CLOSE_CODES.get(frame.code, Why.LOST), said)
        except InvalidStatus as answer:
            status = answer.response.status_code
            return Ending(HTTP_STATUS.get(status, Why.LOST), self._refusal(status, bytes(answer.response.body or b"")))
        except (OSError, TimeoutError, WebSocketException) as error:
            return Ending(Why.LOST, f"No connection: {self._hide(error) or type(error).__name__}.")

    async def _read(self, socket: ClientConnection) -> Ending:
        if not self.dialect.asks_login:
            self._enter()
        async for frame in socket:
            self.listener.give_way()
            quotes: list[RawQuote] = []
            ending = None
            try:
                for heard in self.dialect.read(frame):
                    if isinstance(heard, RawQuote):
                        quotes.append(heard)
                    elif isinstance(heard, Unreadable):
                        self._count_bad(heard)
                    elif ending is None:
                        ending = await self._obey(socket, heard)
            except Unreadable as fault:
                self._count_bad(fault)
            if quotes:
                self._heard_at, self._mute_seconds = self.pace.seconds(), MUTE_SECONDS
                self.listener.count(Count.MESSAGES, len(quotes))
                self.listener.hear(quotes)
            if ending is not None:
                return ending
        return Ending(Why.LOST, "The provider closed the connection.")

    def _count_bad(self, fault: Unreadable) -> None:
        self.listener.count(Count.MESSAGES)
        self.listener.count(Count.BAD, reason=fault.word)

    async def _obey(self, socket: ClientConnection, control: Control) -> Ending | None:
        """Do what a control message asks for; how the connection ends, if it does."""
        if control.said in ENDS:
            return Ending(ENDS[control.said], self._hide(control.sentence) or f"The provider says: {control.said}.")
        if control.said is Said.HELLO and self.dialect.asks_login and self._ready_at is None:
            await socket.send(self.dialect.login())
        elif control.said is Said.READY:
            self._enter()
        elif self._asking and control.said in (Said.SUBSCRIBED, Said.LIMIT, Said.BAD_SYMBOL):
            self._answers.put_nowait(control)
        return None

    def _enter(self) -> None:
        """We are in: subscribe to all that is wanted."""
        if self._ready_at is None:
            self._ready_at = self._heard_at = self.pace.seconds()
            self._ready.set()
            # The limit that the last connection learned may be that of a day that is over.
            self.on_limit(self.market.symbol_limit)
            self._tell(State.STREAMING, "")

    async def _keep_subscribed(self, socket: ClientConnection) -> Ending:
        if not await self.pace.until(self._ready, LOGIN_SECONDS):
            return Ending(Why.LOST, "The provider did not answer the login.")
        try:
            while True:
                self._changed.clear()
                await self._drop(socket, self.subscribed.difference(self._wanted))
                if not await self._add(socket):
                    return Ending(
                        Why.SEAT_TAKEN, "The provider allows not one symbol: it may count a connection that is gone."
                    )
                await self._changed.wait()
        except ConnectionClosed:
            # What the provider said last may still wait to be read: the reader says how this ended.
            return await asyncio.get_running_loop().create_future()

    async def _drop(self, socket: ClientConnection, symbols: Collection[str]) -> None:
        ordered = sorted(symbols)
        for start in range(0, len(ordered), SYMBOLS_A_FRAME):
            await socket.send(self.dialect.unsubscribe(ordered[start : start + SYMBOLS_A_FRAME]))
        self.subscribed.difference_update(symbols)

    async def _add(self, socket: ClientConnection) -> bool:
        """Subscribe to what is new. A frame that is refused whole is tried in halves, until the plan's limit, or the one symbol
        that the provider does not know, is found. False where it allows none at all.
        """
        most = SYMBOLS_A_FRAME
        while fresh := self._fresh(most):
            answer = await self._ask(socket, fresh)
            if answer in (Said.LIMIT, Said.BAD_SYMBOL) and len(fresh) > 1:
                most = len(fresh) // 2
            elif answer is Said.LIMIT:
                self._limit = len(self.subscribed)
                if not self._limit:
                    return False
                self.on_limit(self._limit)
            elif answer is Said.BAD_SYMBOL:
                self._put_off.update(fresh)
                self.listener.refuse_symbol(fresh[0])
                most = SYMBOLS_A_FRAME
        return True

    def _fresh(self, most: int) -> list[str]:
        known = self.subscribed | self._put_off
        if self._limit is not None:
            most = min(most, self._limit - len(self.subscribed))
        fresh = (symbol for symbol in self._wanted if symbol not in known)
        return [symbol for symbol, _ in zip(fresh, range(most), strict=False)]

    async def _ask(self, socket: ClientConnection, symbols: Sequence[str]) -> Said:
        """Subscribe to these, and wait for the answer: SUBSCRIBED, or LIMIT or BAD_SYMBOL and nothing was done."""
        self._asking, confirmed = True, set[str]()
        self._answers = asyncio.Queue()
        await socket.send(self.dialect.subscribe(symbols))
        until = self.pace.seconds() + ANSWER_SECONDS
        while not confirmed.issuperset(symbols):
            try:
                left = self.pace.real(max(until - self.pace.seconds(), 0))
                answer = await asyncio.wait_for(self._answers.get(), left)
            except TimeoutError:
                break
            if answer.said is not Said.SUBSCRIBED:
                self._asking = False
                return answer.said
            confirmed.update(answer.symbols)
        self._asking = False
        # Who confirms some and not others has not taken the others; who says nothing at all has taken them.
        taken = confirmed.intersection(symbols) or set(symbols)
        self._put_off.update(set(symbols) - taken)
        self.subscribed.update(taken)
        self.on_subscribed(taken)
        return Said.SUBSCRIBED

    async def _watch(self) -> Ending:
        """Notice a stream that is open and says nothing while the exchange is open.

        One that stays mute is given ever longer, as its symbols may be quiet ones.
        """
        while True:
            await self.pace.sleep(LOOK_SECONDS)
            now = self.pace.seconds()
            if not self.listener.in_session or not self._expects_quotes():
                self._heard_at = now
            elif now - self._heard_at >= self._mute_seconds:
                silent = self._mute_seconds
                self._mute_seconds = min(2 * silent, MOST_MUTE_SECONDS)
                return Ending(Why.MUTE, f"No quote for {silent:.0f} s while the exchange is open.")

    def _expects_quotes(self) -> bool:
        return len(self.subscribed) >= MUTE_FROM_SYMBOLS or self.market.canary in self.subscribed

    async def _until_forbidden(self) -> None:
        await self._forbidden.wait()

    def _refusal(self, status: int, body: bytes) -> str:
        said = self._hide(sentence_of(body))
        return f"{said or 'The provider refused the connection'} ({status})."

    def _hide(self, said: object) -> str:
        return hide(said, self.market.secrets)


async def _first(*ways: Coroutine[Any, Any, Ending | None]) -> Ending | None:
    """The result of the one that ends first; the others are cancelled. An error of one is raised."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        # What the provider said in its last frame is worth more than the closing of the socket that follows it.
        return next(task for task in tasks if task in done).result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
