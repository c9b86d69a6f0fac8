"""Who may move the market, and who must wait while it moves: three PostgreSQL advisory locks.

`GATE`: in the recorded and simulated markets submits, cancels, resets and archives hold it shared, a step of the market
exclusively, so that a step sees every order sent before it and no quote slips past an order. `MOVER`: one advance or
step at a time. `FEED`: one active feed process, the others stand by.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection

from papertrade.lib.postgres import unlock

FEED = 0x70740001
MOVER = 0x70740002
GATE = 0x70740003


def pass_gate(cursor: psycopg.Cursor) -> None:
    """Hold the gate shared until the transaction ends; waits, within lock_timeout, while the market moves."""
    cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [GATE])


@contextmanager
def closed_gate() -> Iterator[None]:
    """Keep everyone out over several transactions."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [GATE])
    try:
        yield
    finally:
        unlock(GATE)
