"""A database of every release that there was, brought up to this one: the same books, and they go on.

`tests/releases/VERSION` holds what that version's own commands wrote on a server that had traded: a backup, exported heads
and a bundle. Stocks, fractions, an option that settled, a partial sell, refusals, cancels, a reset and an archived account
are in it.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from papertrade.lib import env
from papertrade.lib.postgres import as_owner
from papertrade.operations import backup
from tests.operations.test_documented_sql import HASHES, SPLIT
from tests.stack.server import PROJECT

RELEASES = sorted((PROJECT / "tests" / "releases").iterdir())
# What the rows of a book come to, by the columns that the first release had.
WHAT_STANDS = """
    SELECT a.name, b.generation_number, b.cash, b.realized_pl, b.peak_equity, b.closed_trades,
        (SELECT count(*) FROM orders_order o WHERE o.book_id = b.id),
        (SELECT count(*) FROM orders_fill f WHERE f.book_id = b.id),
        (SELECT count(*) FROM portfolio_equitysnapshot s WHERE s.book_id = b.id),
        (SELECT count(*) FROM portfolio_accountevent e WHERE e.book_id = b.id)
    FROM portfolio_book b JOIN accounts_paperaccount a ON a.id = b.account_id ORDER BY a.name, b.generation_number
"""


def manage(database: str, *command: str) -> subprocess.CompletedProcess[str]:
    """A command of this version on that database."""
    return subprocess.run(
        [sys.executable, "manage.py", *command],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        env={**os.environ, "DATABASE_URL": database},
    )


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_its_backup_is_migrated_and_proven(empty_database: str, release: Path) -> None:
    restored = manage(empty_database, "restore", str(release / "backup"))
    assert restored.stdout.startswith("Restored."), restored.stderr
    # What will be done to which table is said before it is done.
    said = restored.stderr.splitlines()
    assert any(re.fullmatch(r"\d+ migrations\. Each waits 5s at most .+", line) for line in said), restored.stderr
    months = [line.split(": ", 1)[1] for line in said if line.startswith("portfolio.0009_snapshots_by_month")]
    assert months and all(re.match(r"portfolio_equitysnapshot \([\d,]+ rows\): ", line) for line in months)
    assert {line.split(": ")[1] for line in months} >= {
        "nobody waits for an instant",
        "readers and writers wait for an instant",
    }

    audited = manage(empty_database, "audit_books")
    assert (audited.returncode, audited.stdout.splitlines()[-1]) == (0, "4 books checked, 0 differences."), (
        audited.stdout
    )
    verified = manage(empty_database, "verify_heads", str(release / "heads.jsonl"))
    assert (verified.returncode, verified.stdout) == (0, "0 differences.\n"), verified.stdout
    with psycopg.connect(empty_database) as database:
        found = database.execute(WHAT_STANDS).fetchall()
        sweeps = database.execute("SELECT count(*) FROM orders_sessionrun WHERE finished_at IS NOT NULL").fetchone()
    assert [(name, number) for name, number, *_ in found] == [
        ("archived", 1),
        ("options and stocks", 1),
        ("reset once", 1),
        ("reset once", 2),
    ]
    assert all(orders and fills and snapshots and events for *_, orders, fills, snapshots, events in found)
    assert sweeps is not None and sweeps[0] > 0


DIVIDED = "SELECT relname, relkind FROM pg_class WHERE relname = ANY(%s) ORDER BY 1"
# Of the tables and of all of their parts.
NOT_VALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
UNINDEXED_PARTS = """
    SELECT i.indexrelid::regclass::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid AND c.relkind = 'I'
    WHERE (SELECT count(*) FROM pg_inherits WHERE inhparent = i.indexrelid)
       <> (SELECT count(*) FROM pg_inherits WHERE inhparent = i.indrelid)
"""


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_one_whose_evidence_was_split_by_hash_is_migrated_too(
    empty_database: str, release: Path, monkeypatch: pytest.MonkeyPatch, django_db_blocker: Any
) -> None:
    """As docs/operations.md says for large ones, of that release already."""
    monkeypatch.setenv(env.OWNER, empty_database)
    tables = sorted(model._meta.db_table for model in SPLIT)
    with django_db_blocker.unblock(), as_owner():
        for _ in backup.restore(path=release / "backup"):
            pass
        with connection.cursor() as cursor:
            cursor.execute(HASHES)
            before = [_count(cursor, table) for table in tables]
            executor = MigrationExecutor(connection)
            executor.migrate(executor.loader.graph.leaf_nodes())
            cursor.execute(DIVIDED, [tables])
            assert cursor.fetchall() == [(table, "p") for table in tables]
            assert [_count(cursor, table) for table in tables] == before and all(before)
            for wrong in (NOT_VALID, UNINDEXED_PARTS):
                cursor.execute(wrong)
                assert cursor.fetchall() == []
    ContentType.objects.clear_cache()


def _count(cursor: Any, table: str) -> int:
    cursor.execute(f"SELECT count(*) FROM {table}")
    return cursor.fetchone()[0]
