"""Threads for work of a kind, and who gets one next: nobody's calls, however many, keep all others waiting."""

import asyncio
import contextvars
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from django.db import close_old_connections

from papertrade.web import limits
from papertrade.web.refusals import BUSY, TOO_MANY_AT_ONCE, TOO_MANY_STRANGERS

Result = TypeVar("Result")


class GivenUp(Exception):
    """Nobody waits for the call; so nobody sees this."""


class Lane:
    """A few threads, and calls that wait for one: a bounded number, and of one asker fewer, so that none fills it alone.

    Askers have turns: however many calls one has, the next of another waits for one of them.
    """

    def __init__(self, name: str, threads: int, most_waiting: int, *, most_of_one: int | None = None) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most, self._most_of_one = threads + most_waiting, most_of_one
        self._taken: Counter[bytes] = Counter()
        self.under_way = 0  # calls, of whomever
        self._free = threads + 1  # one more than threads, so that a thread finds its next call there
        self._waiting: OrderedDict[bytes, deque[asyncio.Future[None]]] = OrderedDict()

    async def run(self, call: Callable[..., Result], *arguments: Any, whose: bytes = b"") -> Result:
        """What the call gives; its database connection goes back to the pool. Raises Refusal where too many wait.

        Cancelled, a call that no thread has begun is never made; one that is under way counts until it ends.
        """
        if self.under_way >= self._most:
            raise BUSY
        if self._most_of_one is not None and self._taken[whose] >= self._most_of_one:
            raise TOO_MANY_AT_ONCE if whose else TOO_MANY_STRANGERS
        self._taken[whose] += 1
        self.under_way += 1
        try:
            await self._turn(whose)
        except asyncio.CancelledError:
            self._ended(whose)
            raise
        context = contextvars.copy_context()  # the thread works for whom the loop works for
        given_up = threading.Event()
        work = asyncio.get_running_loop().run_in_executor(self._pool, context.run, _make, call, arguments, given_up)
        work.add_done_callback(lambda _: self._ended(whose, had_turn=True))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            given_up.set()
            raise

    def _ended(self, whose: bytes, *, had_turn: bool = False) -> None:
        self.under_way -= 1
        self._taken[whose] -= 1
        if not self._taken[whose]:
            del self._taken[whose]
        if had_turn:
            self._give_turn()

    async def _turn(self, whose: bytes) -> None:
        if self._free:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(whose, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it came at the same moment
                self._give_turn()
            raise

    def _give_turn(self) -> None:
        while self._waiting:
            whose, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[whose] = turns  # behind the others
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def close(self) -> None:
        """Take no more calls."""
        self._pool.shutdown(wait=False, cancel_futures=True)


class Courtesy:
    """Of long work beside a lane: it computes for a moment, then lets the lane's calls go first, but not for ever."""

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self._since = time.monotonic()

    def give_way(self) -> None:
        """Called again and again, on a thread."""
        now = time.monotonic()
        if now - self._since < limits.SLICE_SECONDS:
            return
        while self._lane.under_way and time.monotonic() - now < limits.GIVE_WAY_SECONDS:
            time.sleep(limits.SLICE_SECONDS / 4)
        self._since = time.monotonic()


def _make(call: Callable[..., Result], arguments: tuple[Any, ...], given_up: threading.Event) -> Result:
    """On a thread: make the call, unless nobody waits for it any more, and give back its connection."""
    if given_up.is_set():
        raise GivenUp
    try:
        return call(*arguments)
    finally:
        close_old_connections()
