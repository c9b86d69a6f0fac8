"""The places of a process: in which state a connection may stay how long, and who makes room where all are taken."""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import ClassVar, NamedTuple

from papertrade.lib import metrics
from papertrade.web import limits


class State(StrEnum):
    """What a connection waits for; named by what is counted where that took too long."""

    HEAD = "head_too_slow"  # a request's head
    BODY = "body_too_slow"  # the rest of a request
    IDLE = "idle"  # another request
    UNREAD = "reader_too_slow"  # that its client reads
    ENDING = "end_too_slow"  # that its client reads what was left to say at its end
    STRANGER = "not_identified"  # of a WebSocket: to hear who is there
    REFUSED = "refused"  # to be told that it asks too often, and then its end
    ANSWER = "answer"  # the server
    STREAM = "stream"  # of a WebSocket whose client is known: whatever comes


class Rule(NamedTuple):
    """How long a connection may be in a state, and when it makes room for another: the lower turn first, None never."""

    patience: Callable[[], float] | None
    turn: int | None


# Who has not sent a whole request, or not said who he is, loses nothing; who does not read loses what he did not read.
RULES: dict[State, Rule] = {
    State.ENDING: Rule(lambda: limits.WRITE_SECONDS, 0),
    State.HEAD: Rule(lambda: limits.HEAD_SECONDS, 1),
    State.BODY: Rule(lambda: limits.BODY_SECONDS + 2 * limits.LINGER_SECONDS, 1),  # the bridge has said 408 by then
    State.IDLE: Rule(lambda: limits.IDLE_SECONDS, 1),
    State.STRANGER: Rule(lambda: limits.IDENTIFY_SECONDS + limits.LINGER_SECONDS, 1),  # the stream has said so by then
    State.REFUSED: Rule(lambda: limits.HOLD_SECONDS + 2 * limits.LINGER_SECONDS, 0),  # the bridge has said 429 by then
    State.UNREAD: Rule(lambda: limits.WRITE_SECONDS, 2),
    State.ANSWER: Rule(None, None),  # few threads, and a bounded number waits for them
    State.STREAM: Rule(None, None),  # pings end who has gone, and its key is asked for again and again
}


class Watched(asyncio.Protocol):
    """What is added to a protocol of uvicorn's: a state at each moment, and an end."""

    most: ClassVar[int] = 1_000  # of a kind, in a process
    loop: asyncio.AbstractEventLoop
    transport: asyncio.Transport
    stalled_since: float | None = None
    ending_since: float | None = None  # the last word is said, and at most what is left of it is to be read

    def waits(self) -> tuple[State, float]:
        """What it waits for, and since when."""
        if self.ending_since is None and self.transport.is_closing():
            self.ending_since = self.loop.time()
        if self.ending_since is not None:
            return State.ENDING, self.ending_since
        if self.stalled_since is not None:
            return State.UNREAD, self.stalled_since
        return self.waits_for_client()

    def waits_for_client(self) -> tuple[State, float]:
        """The same of one that is open and whose client reads."""
        raise NotImplementedError

    def places(self) -> "Places":
        """Where it has its place."""
        raise NotImplementedError

    def pause_writing(self) -> None:
        """The client does not read."""
        super().pause_writing()
        self.stalled_since = self.loop.time()

    def resume_writing(self) -> None:
        """The client reads again."""
        super().resume_writing()
        self.stalled_since = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Its place is free."""
        super().connection_lost(exc)
        self.places().taken.discard(self)

    def cut_off(self, why: str) -> None:
        """End it at once, whatever is still to be sent."""
        metrics.CUT_OFF.labels(why).inc()
        self.places().taken.discard(self)
        self.transport.abort()


class Places:
    """Of one kind of connection, in a process."""

    def __init__(self) -> None:
        self.taken: set[Watched] = set()

    def make_room(self, most: int) -> bool:
        """Whether there is a place: where none is, whoever can be spared and has waited longest is ended."""
        if len(self.taken) < most:
            return True
        spared = [(turn, since, id(one), one) for one in self.taken for turn, since in [_turn(one)] if turn is not None]
        if not spared:
            return False
        min(spared)[-1].cut_off("no_place_left")
        return True

    def look(self, now: float) -> None:
        """End who has had his time."""
        for one in tuple(self.taken):
            state, since = one.waits()
            patience = RULES[state].patience
            if patience is not None and now - since > patience():
                one.cut_off(state)


def _turn(one: Watched) -> tuple[int | None, float]:
    state, since = one.waits()
    return RULES[state].turn, since


class Watch:
    """Looks after all connections of a process: requests and WebSockets have places of their own."""

    _running: ClassVar["Watch | None"] = None

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.requests, self.sockets = Places(), Places()
        loop.call_later(limits.LOOK_SECONDS, self._look)

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> "Watch":
        """The watch of this process's loop."""
        if cls._running is None or cls._running.loop is not loop:
            cls._running = cls(loop)
        return cls._running

    def _look(self) -> None:
        now = self.loop.time()
        for places in (self.requests, self.sockets):
            places.look(now)
        self.loop.call_later(limits.LOOK_SECONDS, self._look)
