"""What machines ask of a web process: does it answer, and may it be sent requests.

Neither can be kept waiting: the first is said in the loop, and the second is one answer for all who ask within a moment, with a
deadline for it. Whoever asks names the machine by its address and is nobody, so none of Django's middleware minds who it is.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import structlog

from papertrade.web import limits

log = structlog.get_logger(__name__)

ALIVE, READY = "/healthz", "/readyz"
NO_ANSWER = "The database does not answer."


class Readiness:
    """Why this process cannot serve requests: asked of one thread, once at a time."""

    def __init__(self, ask: Callable[[], Awaitable[list[str]]]) -> None:
        self._ask = ask
        self._asking: asyncio.Task[list[str]] | None = None
        self._since = 0.0
        self._told: list[str] = []
        self._asked: Counter[str] = Counter()  # in this second, by address
        self._second = 0

    def is_asked_too_often(self, network: str) -> bool:
        """Whether so many questions come from there within a second that no machine needs the answers. Counts this one."""
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._asked.clear()
            self._second = second
        self._asked[network] += 1
        return self._asked[network] > limits.READY_OF_ONE

    async def reasons(self) -> list[str]:
        """Empty where it can. No answer in time is a reason, however long the thread then still waits for one."""
        now = asyncio.get_running_loop().time()
        if self._asking is None or (self._asking.done() and now - self._since > limits.READY_KEPT_SECONDS):
            self._asking, self._since = asyncio.ensure_future(self._ask()), now
        asking = self._asking
        answered, _ = await asyncio.wait({asking}, timeout=max(0.0, self._since + limits.READY_SECONDS - now))
        reasons = asking.result() if answered else [NO_ANSWER]
        if reasons != self._told:
            log.warning("readiness", reasons=reasons)
            self._told = reasons
        return reasons
