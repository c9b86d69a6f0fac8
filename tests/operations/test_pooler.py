"""Behind PgBouncer: trading goes on, and nobody takes a lock of a session that may not be his own."""

import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from marketdata import gate
from papertrade.lib.pooling import SessionNotOwn
from papertrade.lib.postgres import require_own_session, try_lock
from papertrade.trading.clock import moving
from tests.concurrency.threads import together
from tests.desk import Desk
from tests.factories import UserFactory
from tests.invariants import check_account
from tests.market_kit import MarketKit
from tests.operations.pooler import PROGRAM, Pooler, pooler
from tests.stack.server import PROJECT

__all__ = ["pooler"]

ADVISORY_LOCKS = """
    SELECT count(*) FROM pg_locks
    WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def close_the_gate() -> None:
    with gate.closed_gate():
        pass


def move() -> None:
    with moving():
        pass


@pytest.mark.parametrize(
    "work",
    [require_own_session, lambda: try_lock(gate.FEED), close_the_gate, move],
    ids=["ask", "lead", "gate", "move"],
)
def test_no_lock_of_a_session_is_taken(committed: None, pooler: Pooler, work: Callable[[], object]) -> None:
    with pooler.between():
        with pytest.raises(SessionNotOwn, match="DATABASE_URL goes through a pooler"):
            work()
        with connection.cursor() as cursor:
            cursor.execute(ADVISORY_LOCKS)
            assert cursor.fetchone() == (0,)
    require_own_session()


def test_session_mode_is_refused_too(committed: None, open_market: MarketKit, tmp_path: Path) -> None:
    """Nothing tells it from the other for certain."""
    if PROGRAM is None:
        pytest.skip("PgBouncer is not installed (Debian's package pgbouncer)")
    running = Pooler(tmp_path, mode="session")
    try:
        with running.between():
            with pytest.raises(SessionNotOwn, match="whatever its mode"):
                move()
            assert Desk(UserFactory()).buy("2").status == "filled"
    finally:
        running.stop()


def test_orders_are_sent_by_many(committed: None, open_market: MarketKit, pooler: Pooler) -> None:
    """Often enough for statements to be prepared, in sessions that go from hand to hand."""
    desks = [Desk(UserFactory()) for _ in range(3)]

    def trade(desk: Desk) -> Callable[[], Decimal]:
        def run() -> Decimal:
            for _ in range(8):
                desk.cancel(desk.buy("1", limit="90"))
                desk.buy("2")
            return desk.position().qty

        return run

    with pooler.between():
        assert [trade(desk)() for desk in desks[:1]] == [16], "alone"
        assert together(*map(trade, desks[1:])) == [16, 16], "with others"
    for desk in desks:
        check_account(desk.account)


def test_prepare_says_so_and_gives_the_role_what_a_session_would_set(pooler: Pooler, empty_database: str) -> None:
    name = empty_database.rsplit("/", 1)[1]
    run = partial(subprocess.run, [sys.executable, "manage.py", "prepare"], cwd=PROJECT, capture_output=True, text=True)
    refused = run(env={**os.environ, "DATABASE_URL": pooler.url(name)})
    assert refused.returncode == 1 and "DATABASE_URL goes through a pooler" in refused.stderr, (
        "tables are changed in a session of one's own"
    )
    owned = {"DATABASE_URL": pooler.url(name), "DATABASE_OWNER_URL": empty_database}
    prepared = run(env={**os.environ, **owned})
    assert prepared.returncode == 0, prepared.stderr
    assert (
        "goes through a pooler that keeps" in prepared.stdout and "has settings for its sessions now" in prepared.stdout
    )
    with psycopg.connect(empty_database) as session:
        assert session.execute("SELECT current_setting('lock_timeout'), current_setting('jit')").fetchone() == (
            "5s",
            "off",
        )


@pytest.mark.parametrize(
    "command",
    [["manage.py", "run_feed"], ["-m", "celery", "--app=papertrade", "worker", "--concurrency=1"]],
    ids=["feed", "worker"],
)
def test_who_needs_a_session_does_not_start(pooler: Pooler, command: list[str]) -> None:
    environment = {**os.environ, "DATABASE_URL": pooler.url("postgres")}
    process = subprocess.run(
        [sys.executable, *command], cwd=PROJECT, env=environment, capture_output=True, text=True, timeout=180
    )
    assert process.returncode == 1
    assert "DATABASE_URL goes through a pooler" in process.stderr
