"""An account's events from a number on, in order, for as long as whoever asked may see them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from itertools import count
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from accounts.models import PaperAccount
from papertrade.lib.errors import PapertradeError
from papertrade.stream.moves import ask, moves
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


async def follow(
    account: PaperAccount, *, after: int, show: Show[Shown], still_allowed: Callable[[], Any]
) -> AsyncIterator[Shown | None]:
    """Every event after that number, each once and in order; None where nothing happened for a while.

    Raises NoLongerAllowed where `still_allowed`, asked on a thread, raises one of our refusals.
    """
    account_id: UUID = account.pk
    checked, beat = checked_at_first(), asyncio.get_running_loop().time()
    with moves.watch(account_id) as moved:
        more = False
        while True:
            shown: list[Shown] = []
            if more or moved.is_set():  # else it only woke to say that it is there, or to be checked
                moved.clear()
                shown, after, more = await ask(read, account, after, show)
            for one in shown:
                yield one
            now = asyncio.get_running_loop().time()
            if now - checked > CHECK_SECONDS:
                await check(still_allowed)
                checked = now
            if shown:
                beat = now
            if more:
                continue
            if not shown and now - beat >= HEARTBEAT_SECONDS:
                beat = now
                yield None
            try:
                async with asyncio.timeout(
                    min(HEARTBEAT_SECONDS - (now - beat), CHECK_SECONDS - (now - checked)) + 0.01
                ):
                    await moved.wait()
            except TimeoutError:
                continue


def checked_at_first() -> float:
    """When a new stream counts as checked: at some instant of the last while, so that a thousand that were opened together
    do not ask together, and keep the look waiting behind them.
    """
    return asyncio.get_running_loop().time() - CHECK_SECONDS * (next(_streams) * SPREAD % 1)


async def check(still_allowed: Callable[[], Any]) -> None:
    """Raises NoLongerAllowed."""
    try:
        await ask(still_allowed)
    except PapertradeError as refusal:
        raise NoLongerAllowed from refusal
