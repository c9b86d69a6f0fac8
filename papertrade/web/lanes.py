"""Threads for work of a kind, and who gets one next: nobody's calls, however many, keep all others waiting."""

import asyncio
import contextvars
import mmap
import threading
import time
import weakref
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

    Askers have turns: however many calls one has, the next of another waits for one of them. Calls of a lane that `gives_way`
    begin when those of the lanes that go first leave a pause (`Courtesy`).
    """

    def __init__(
        self,
        name: str,
        threads: int,
        most_waiting: int,
        *,
        most_of_one: int | None = None,
        goes_first: bool = False,
        gives_way: bool = False,
    ) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most, self._most_of_one = threads + most_waiting, most_of_one
        self._gives_way, self._goes_first = gives_way, goes_first
        self._taken: Counter[bytes] = Counter()
        self.under_way = 0  # calls, of whomever
        self._free = threads + 1  # one more than threads, so that a thread finds its next call there
        self._waiting: OrderedDict[bytes, deque[asyncio.Future[None]]] = OrderedDict()
        if goes_first:
            rush.mind(self)

    async def run(self, call: Callable[..., Result], *arguments: Any, whose: bytes = b"") -> Result:
        """What the call gives; its database connection goes back to the pool. Raises Refusal where too many wait.

        Cancelled, a call that no thread has begun is never made; one that is under way counts until it ends.
        """
        if self.under_way >= self._most:
            raise BUSY
        if self._most_of_one is not None and self._taken[whose] >= self._most_of_one:
            raise TOO_MANY_AT_ONCE if whose else TOO_MANY_STRANGERS
        self._taken[whose] += 1
        self._count(1)
        try:
            await self._turn(whose)
        except asyncio.CancelledError:
            self._ended(whose)
            raise
        context = contextvars.copy_context()  # the thread works for whom the loop works for
        given_up = threading.Event()
        context.run(_given_up.set, given_up)
        work = asyncio.get_running_loop().run_in_executor(
            self._pool, context.run, _make, call, arguments, self._gives_way
        )
        work.add_done_callback(lambda _: self._ended(whose, had_turn=True))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            given_up.set()
            work.add_done_callback(lambda work: work.cancelled() or work.exception())  # nobody else will look at it
            raise

    def _count(self, change: int) -> None:
        self.under_way += change
        if self._goes_first:
            rush.goes_on()

    def _ended(self, whose: bytes, *, had_turn: bool = False) -> None:
        self._count(-1)
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


class Rush:
    """Whether lanes that go first have calls: of this process just now, of all workers a moment ago.

    They are forks of one process and share this memory. Which of them had a call is no matter, so that none has to take back
    what another left there when it died.
    """

    def __init__(self) -> None:
        self._lanes: tuple[weakref.ref[Lane], ...] = ()
        self._last = memoryview(mmap.mmap(-1, 8)).cast("d")

    def mind(self, lane: Lane) -> None:
        """It goes first."""
        self._lanes = (*(one for one in self._lanes if one() is not None), weakref.ref(lane))

    def goes_on(self) -> None:
        """A call has come or ended."""
        self._last[0] = time.monotonic()

    def pauses(self) -> bool:
        """Whether there was none for a moment."""
        lanes = (one() for one in self._lanes)
        under_way = any(lane.under_way for lane in lanes if lane is not None)
        return not under_way and time.monotonic() - self._last[0] >= limits.QUIET_SECONDS


rush = Rush()


class Courtesy:
    """Of long work beside lanes that go first: it computes for a moment, then lets them go first, but not for ever."""

    def __init__(self) -> None:
        self._since = time.monotonic()

    def give_way(self) -> None:
        """Called again and again, on a thread of a lane. Raises GivenUp where nobody waits for the work any more."""
        if time.monotonic() - self._since < limits.SLICE_SECONDS:
            return
        _wait_for_a_pause()
        _end_if_given_up()
        self._since = time.monotonic()


_given_up: contextvars.ContextVar[threading.Event] = contextvars.ContextVar("given_up")  # of the call that is made here


def _wait_for_a_pause() -> None:
    until = time.monotonic() + limits.GIVE_WAY_SECONDS
    while not _given_up.get().is_set() and not rush.pauses() and time.monotonic() < until:
        time.sleep(limits.GIVE_WAY_SECONDS / 8)


def _end_if_given_up() -> None:
    if _given_up.get().is_set():
        raise GivenUp


def _make(call: Callable[..., Result], arguments: tuple[Any, ...], gives_way: bool) -> Result:
    """On a thread: make the call, unless nobody waits for it any more, and give back its connection."""
    if gives_way:
        _wait_for_a_pause()
    _end_if_given_up()
    try:
        return call(*arguments)
    finally:
        close_old_connections()
