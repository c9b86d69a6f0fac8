"""Who may move the market, and who must wait while it moves: three PostgreSQL advisory locks.

`GATE`: submits, cancels, resets and archives hold it shared, a step of the market exclusively, so that a step sees every order
sent before it and no quote slips past an order. `MOVER`: one advance or step at a time. `FEED`: one active feed process, the
others stand by.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from papertrade.lib.batch import Executes
from papertrade.lib.postgres import lock, raw_cursor, unlock

FEED = 0x70740001
MOVER = 0x70740002
GATE = 0x70740003
# Without a statement: the server ends the transaction of a process that stopped inside the gate, or in a chunk of a sweep.
HUNG_SECONDS = 30
IDLE_SECONDS = 15.0  # that a session with the gate closed may compute without asking anything

_PASS = f"""
    SELECT pg_advisory_xact_lock_shared(%s), set_config('idle_in_transaction_session_timeout', '{HUNG_SECONDS}s', true)
"""


def pass_gate(to: Executes) -> None:
    """Hold the gate shared until the transaction ends; waits, within lock_timeout, while the market moves."""
    to.execute(_PASS, [GATE])


@contextmanager
def closed_gate() -> Iterator[None]:
    """Keep everyone out over several transactions."""
    lock(GATE)
    try:
        yield
    finally:
        unlock(GATE)


def stuck_at() -> int | None:
    """The pid of a PostgreSQL session that keeps the gate closed and has done nothing for a while; None where none does.

    A step or a sweep asks the database all the time, so that such a one is somebody who is gone or stopped.
    """
    with raw_cursor() as cursor:
        if cursor.execute("SELECT pg_try_advisory_xact_lock_shared(%s)", [GATE]).fetchone() == (True,):
            return None
        found = cursor.execute(_IDLE_HOLDER, [GATE, IDLE_SECONDS]).fetchone()
    return found[0] if found is not None else None


_IDLE_HOLDER = """
    SELECT pid FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND classid = 0 AND objid = %s AND objsubid = 1 AND mode = 'ExclusiveLock' AND granted
        AND datname = current_database() AND state LIKE 'idle%%'
        AND state_change < clock_timestamp() - make_interval(secs => %s)
"""
