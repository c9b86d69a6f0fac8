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

import psycopg
import pytest

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
