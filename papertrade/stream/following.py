"""An account's events from a number on, in order, for as long as whoever asked may see them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar
from uuid import UUID

from accounts.models import PaperAccount
from papertrade.lib.errors import PapertradeError
from papertrade.stream.moves import ask, moves
from papertrade.stream.sse import HEARTBEAT_SECONDS
from portfolio.models import AccountEvent
from portfolio.selectors import events_after, with_evidence

EVENTS_A_READ = 200
CHECK_SECONDS = 30.0  # so often it is asked again whether the key still opens the account

Shown = TypeVar("Shown")
Show = Callable[[list[AccountEvent]], list[Shown]]


class NoLongerAllowed(Exception):
    """The key was revoked, or its user switched off."""


def read(account: PaperAccount, after: int, show: Show[Shown]) -> tuple[list[Shown], int]:
    """The next events after a number as they are shown, and the number of the last."""
    rows = list(events_after(account=account, after_seq=after)[:EVENTS_A_READ])
    return (show(with_evidence(rows)), rows[-1].seq) if rows else ([], after)


async def follow(
    account: PaperAccount, *, after: int, show: Show[Shown], still_allowed: Callable[[], Any]
) -> AsyncIterator[Shown | None]:
    """Every event after that number, each once and in order; None where nothing happened for a while.

    Raises NoLongerAllowed where `still_allowed`, asked on a thread, raises one of our refusals.
    """
    account_id: UUID = account.pk
    checked = beat = asyncio.get_running_loop().time()
    with moves.watch(account_id) as moved:
        while True:
            moved.clear()
            shown, after = await ask(read, account, after, show)
            for one in shown:
                yield one
            now = asyncio.get_running_loop().time()
            if now - checked > CHECK_SECONDS:
                await check(still_allowed)
                checked = now
            if shown:
                beat = now
                if len(shown) >= EVENTS_A_READ:
                    continue
            elif now - beat >= HEARTBEAT_SECONDS:
                beat = now
                yield None
            try:
                async with asyncio.timeout(
                    min(HEARTBEAT_SECONDS - (now - beat), CHECK_SECONDS - (now - checked)) + 0.01
                ):
                    await moved.wait()
            except TimeoutError:
                continue


async def check(still_allowed: Callable[[], Any]) -> None:
    """Raises NoLongerAllowed."""
    try:
        await ask(still_allowed)
    except PapertradeError as refusal:
        raise NoLongerAllowed from refusal
