"""Leases beside the advisory locks of `marketdata.gate`: how a process that is stopped loses what it holds.

A lock belongs to a database session, and a stopped process keeps its session. So whoever leads or moves the market holds a
lease too, which a thread renews. Where it has run out anybody may end that session (`end_the_hung`), and its locks are free.
Each holding has a number, one more than the last. A process that wakes up finds its session gone and its number no longer the
latest: that is checked in the transaction of what a step writes (`clock.commit_position`), by the quote book, and before
anything is recorded.
"""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import structlog
from django.db import Error, InterfaceError, InternalError, OperationalError, ProgrammingError, connection

from marketdata import gate
from marketdata.models import Lease
from papertrade.lib.errors import Unavailable
from papertrade.lib.postgres import raw_cursor
from papertrade.lib.processes import process_name

log = structlog.get_logger(__name__)

LEASE_SECONDS = 5.0
RENEW_SECONDS = 1.0
END_SECONDS = 2.0  # that a session may take to end

# Monotonic, and goes on while the machine sleeps, where there is such a clock.
_steady = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class LeaseLost(Unavailable):
    """Another process holds what this one held: it was stopped, or cut off, for too long. Nothing more may be written."""

    def __init__(self, name: str) -> None:
        super().__init__(f"This process was stopped for too long: another one is the {name} now.")


class Holding:
    """A lease while it is held."""

    def __init__(self, name: str, number: int) -> None:
        self.name, self.number = name, number
        self._renewed_at = _steady()
        self._over = threading.Event()

    def confirm(self) -> None:
        """Raises LeaseLost where it has been lost; asks the database only where it was not renewed of late."""
        if _steady() - self._renewed_at > LEASE_SECONDS and not self.is_latest():
            raise LeaseLost(self.name)

    def is_latest(self) -> bool:
        """What the database says; where it knows of no holding there is none later."""
        with raw_cursor() as cursor:
            found = cursor.execute("SELECT number FROM marketdata_lease WHERE name = %s", [self.name]).fetchone()
        return found in (None, (self.number,))

    def begin(self) -> None:
        """Renew it again and again, until `end`."""
        threading.Thread(target=self._keep, name=f"lease {self.name}", daemon=True).start()

    def end(self) -> None:
        self._over.set()

    def _keep(self) -> None:
        while not self._over.wait(RENEW_SECONDS):
            at = _steady()
            try:
                with raw_cursor() as cursor:
                    cursor.execute(_RENEW, [LEASE_SECONDS, self.name, self.number])
                    if cursor.rowcount:
                        self._renewed_at = at
            except Error as error:  # away for a moment, or for good: then the lease runs out
                log.warning("lease_not_renewed", lease=self.name, error=str(error).strip())
            finally:
                connection.close()


_held: ContextVar[Mapping[str, Holding]] = ContextVar("held", default=MappingProxyType({}))


@contextmanager
def held(name: str) -> Iterator[Holding]:
    """Hold a lease; the caller holds its lock. For one thread."""
    with raw_cursor() as cursor:
        row = cursor.execute(_TAKE, [name, process_name(), LEASE_SECONDS]).fetchone()
    assert row is not None, "a row is written"
    holding = Holding(name, row[0])
    token = _held.set({**_held.get(), name: holding})
    holding.begin()
    try:
        yield holding
    finally:
        holding.end()
        _held.reset(token)
        _give_back(holding)


@contextmanager
def as_the_latest(name: str) -> Iterator[None]:
    """Write as whoever held the lease last, without holding it: with the gate closed nobody else does."""
    with raw_cursor() as cursor:
        row = cursor.execute("SELECT number FROM marketdata_lease WHERE name = %s", [name]).fetchone()
    token = _held.set({**_held.get(), name: Holding(name, row[0] if row is not None else 0)})
    try:
        yield
    finally:
        _held.reset(token)


def _give_back(holding: Holding) -> None:
    try:
        with raw_cursor() as cursor:
            cursor.execute(_GIVE_BACK, [holding.name, holding.number])
    except (OperationalError, InterfaceError, InternalError):  # it runs out
        log.warning("lease_not_given_back", lease=holding.name)


def holding_of(name: str) -> Holding:
    """The lease that this thread holds. LookupError where it holds none."""
    return _held.get()[name]


def end_the_hung() -> list[str]:
    """End the database sessions whose leases have run out, while they still have their locks; who they were.

    A role may end the sessions of its own. Where the hung one has another role, an operator must.
    """
    try:
        with raw_cursor() as cursor:
            ended = cursor.execute(_END, [list(LOCKS), list(LOCKS.values()), int(END_SECONDS * 1000)]).fetchall()
    except ProgrammingError as error:
        log.error("hung_process_not_ended", error=str(error).strip())
        return []
    for name, holder in ended:
        log.warning("hung_process_lost_its_lease", lease=name, holder=holder)
    return [holder for _, holder in ended]


class Leader(NamedTuple):
    """Who leads: host and process, its number, and until when (of the database's clock) if nothing more is heard of it."""

    holder: str
    number: int
    until: datetime


def leader() -> Leader | None:
    """The feed process that leads; None where none does."""
    row = Lease.objects.filter(name=FEED, until__isnull=False).values_list("holder", "number", "until").first()
    return Leader(*row) if row is not None else None


def seconds_left() -> dict[str, float]:
    """For how long each lease that is held lasts if it is not renewed; negative where it has run out."""
    with raw_cursor() as cursor:
        return dict(cursor.execute(_LEFT).fetchall())


FEED, MOVER = "feed", "mover"
LOCKS = {FEED: gate.FEED, MOVER: gate.MOVER}

# Not flushed to disk: where the database crashes no session lives on that an old number would have to be kept from.
_TAKE = """
    WITH quickly AS (SELECT set_config('synchronous_commit', 'off', true))
    INSERT INTO marketdata_lease (name, number, holder, session_pid, until)
    SELECT %s, 1, %s, pg_backend_pid(), clock_timestamp() + make_interval(secs => %s) FROM quickly
    ON CONFLICT (name) DO UPDATE SET number = marketdata_lease.number + 1, holder = excluded.holder,
        session_pid = excluded.session_pid, until = excluded.until
    RETURNING number
"""
_RENEW = """
    UPDATE marketdata_lease SET until = clock_timestamp() + make_interval(secs => %s)
    WHERE name = %s AND number = %s AND until IS NOT NULL
"""
_LEFT = """
    SELECT name, extract(epoch FROM until - clock_timestamp())::float8
    FROM marketdata_lease WHERE until IS NOT NULL ORDER BY name
"""
_GIVE_BACK = """
    WITH quickly AS (SELECT set_config('synchronous_commit', 'off', true))
    UPDATE marketdata_lease SET until = NULL FROM quickly WHERE name = %s AND number = %s
"""
# Where a lease was taken and its lock given back the session lives on, for others: only one with the lock is ended.
_END = """
    WITH hung AS MATERIALIZED (
        SELECT name, holder, pid
        FROM marketdata_lease JOIN unnest(%s::text[], %s::bigint[]) AS locks (name, key) USING (name)
            JOIN pg_locks ON pid = session_pid AND objid = key
        WHERE locktype = 'advisory' AND classid = 0 AND objsubid = 1 AND granted AND until < clock_timestamp()
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    ), ended AS MATERIALIZED (
        SELECT pid, pg_terminate_backend(pid, %s) FROM (SELECT DISTINCT pid FROM hung) AS pids
    )
    SELECT name, holder FROM hung JOIN ended USING (pid) ORDER BY name
"""
