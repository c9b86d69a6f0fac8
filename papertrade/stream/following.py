"""An account's events from a number on, in order, for as long as whoever asked may see them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from accounts.models import PaperAccount
from papertrade.lib.errors import PapertradeError
from papertrade.stream.moves import AFTER_A_FAULT_SECONDS, AWAY, ask, ask_patiently, moves
from papertrade.stream.sse import HEARTBEAT_SECONDS
from portfolio.models import AccountEvent
from portfolio.selectors import events_after, with_evidence

EVENTS_A_READ = 200
CHECK_SECONDS = 30.0  # so often it is asked again whether the key still opens the account

SPREAD = 0.618  # its multiples, without their whole parts, are spread evenly

Shown = TypeVar("Shown")
Show = Callable[[list[AccountEvent]], list[Shown]]
_streams = count()


class NoLongerAllowed(Exception):
    """The key was revoked, or its user switched off."""


class Part(NamedTuple):
    """Some events as they are shown, the number of the last that was read, and whether there may be more at once."""

    shown: list[Any]
    last: int
    more: bool


def read(account: PaperAccount, after: int, show: Show[Shown]) -> Part:
    """The next events after a number. Not every one has to be shown."""
    rows = list(events_after(account=account, after_seq=after)[:EVENTS_A_READ])
    return Part(show(with_evidence(rows)), rows[-1].seq, len(rows) == EVENTS_A_READ) if rows else Part([], after, False)


class Permit:
    """Whether whoever asked may still see it, which is asked again and again.

    `still_allowed` is called on a thread and raises one of our refusals where not.
    """

    def __init__(self, still_allowed: Callable[[], Any]) -> None:
        self._still_allowed = still_allowed
        # As if it was asked at some instant of the last while, so that a thousand streams that were opened together do not ask
        # together, and keep the look waiting behind them.
        self._due_at = _now() + CHECK_SECONDS * (1 - next(_streams) * SPREAD % 1)

    @property
    def seconds_left(self) -> float:
        """Until it is to be asked again."""
        return max(0.0, self._due_at - _now())

    async def check(self) -> None:
        """Ask now. Raises NoLongerAllowed; while nobody can tell, it is asked again in a moment."""
        try:
            await ask(self._still_allowed)
        except PapertradeError as refusal:
            raise NoLongerAllowed from refusal
        except AWAY:
            self._due_at = _now() + AFTER_A_FAULT_SECONDS
        else:
            self._due_at = _now() + CHECK_SECONDS

    async def check_if_due(self) -> None:
        """Ask where it was not asked for a while. Raises NoLongerAllowed."""
        if not self.seconds_left:
            await self.check()


async def follow(
    account: PaperAccount, *, after: int, show: Show[Shown], permit: Permit
) -> AsyncIterator[Shown | None]:
    """Every event after that number, each once and in order; None where nothing happened for a while.

    It goes on where it was when a database that was away is back. Raises NoLongerAllowed.
    """
    account_id: UUID = account.pk
    beat = _now()
    with moves.watch(account_id) as moved:
        more, has_caught_up = False, False
        while True:
            shown: list[Shown] = []
            if more or moved.is_set():  # else it only woke to say that it is there, or to be checked
                moved.clear()
                asking = ask if has_caught_up else ask_patiently
                try:
                    shown, after, more = await asking(read, account, after, show, whose=account_id.bytes)
                    has_caught_up = not more
                except AWAY:
                    await asyncio.sleep(AFTER_A_FAULT_SECONDS)
                    moved.set()
            for one in shown:
                yield one
            await permit.check_if_due()
            if shown:
                beat = _now()
            if more:
                continue
            if not shown and _now() - beat >= HEARTBEAT_SECONDS:
                beat = _now()
                yield None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(HEARTBEAT_SECONDS - (_now() - beat), permit.seconds_left) + 0.01):
                    await moved.wait()


def _now() -> float:
    return asyncio.get_running_loop().time()
