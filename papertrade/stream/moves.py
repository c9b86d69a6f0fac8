"""Which accounts have moved: one look a process, however many streams wait.

A look asks for the number of each watched account's last event. Numbers are given under the book's lock, which is held
until the commit, so a number that can be seen has none before it that cannot: reading on from the last one misses nothing.
"""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, connection

from papertrade.web.lanes import Lane
from papertrade.web.refusals import Refusal

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.2
AFTER_A_FAULT_SECONDS = 2.0
THREADS, PATIENT_THREADS = 2, 1
LOOK = b"look"  # whose turn it is where the common looks ask
MAX_WAITING = 4_096  # calls of this process's streams that wait for a thread
MAX_WAITING_OF_ONE = 1_024  # of them for one who comes with more and more streams, or all strangers of an address

# The database does not answer just now, or too many ask it: a stream that has begun waits.
AWAY = (OperationalError, InterfaceError, Refusal)

Result = TypeVar("Result")
lane = Lane("stream", THREADS, MAX_WAITING)
patient = Lane("patient", PATIENT_THREADS, MAX_WAITING, most_of_one=MAX_WAITING_OF_ONE, gives_way=True)

_LAST_EVENTS = """
    SELECT account_id, max(event_seq) FROM portfolio_book WHERE account_id = ANY(%s) GROUP BY account_id
"""


async def ask(call: Callable[..., Result], *arguments: Any, whose: bytes = b"") -> Result:
    """What the call gives, on a thread of the streams. Raises Refusal where too many wait.

    The looks of the process, each account that is read, and everybody else have turns.
    """
    return await lane.run(call, *arguments, whose=whose)


async def ask_patiently(call: Callable[..., Result], *arguments: Any, whose: bytes) -> Result:
    """The same for what may wait: who somebody is that comes, and what he has missed. One at a time, after requests.

    Streams may all come at once, and orders are not to wait for hundreds of look-ups.
    """
    return await patient.run(call, *arguments, whose=whose)


def last_events(accounts: Collection[UUID]) -> dict[UUID, int]:
    """The number of each account's last event."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST_EVENTS, [list(accounts)])
        return dict(cursor.fetchall())


class Moves:
    """The one look of a process. It goes on while anybody watches, and survives a database that is away."""

    def __init__(self) -> None:
        self._watching: dict[UUID, set[asyncio.Event]] = defaultdict(set)
        self._known: dict[UUID, int] = {}
        self._looking: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def watch(self, account: UUID) -> Iterator[asyncio.Event]:
        """An event that is set when the account has moved, and once at the beginning."""
        moved = asyncio.Event()
        moved.set()
        self._watching[account].add(moved)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._look())
        try:
            yield moved
        finally:
            self._watching[account].discard(moved)
            if not self._watching[account]:
                del self._watching[account]
                self._known.pop(account, None)

    async def _look(self) -> None:
        while self._watching:
            try:
                found = await ask(last_events, list(self._watching), whose=LOOK)
            except Exception as error:  # whatever it is, the streams wait and the next look comes
                log.warning("streams_wait", error=str(error).strip())
                await asyncio.sleep(AFTER_A_FAULT_SECONDS)
                continue
            for account, last in found.items():
                if last != self._known.get(account):
                    self._known[account] = last
                    for moved in self._watching.get(account, ()):
                        moved.set()
            await asyncio.sleep(LOOK_SECONDS)


moves = Moves()
