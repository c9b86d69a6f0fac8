"""The release before works on this one's tables: an upgrade replaces process by process, and may be taken back.

Its code comes out of git's history; `tests/releases/VERSION/commit` says which it was.
"""

import os
import re
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from tests.operations.test_upgrade import RELEASES
from tests.services_plugin import APP_URL
from tests.stack.server import PROJECT, wait_until, whole_server

LAST = RELEASES[-1]
COMMIT = (LAST / "commit").read_text().strip()
TRADE = Path(__file__).with_name("trade.py")
LEADER = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = 1886650369 AND granted"  # gate.FEED, of every release
THROUGH = "SELECT through FROM marketdata_marketclock"


@pytest.fixture(scope="module")
def last_release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its tree."""
    archive = subprocess.run(["git", "archive", COMMIT], cwd=PROJECT, capture_output=True)
    if archive.returncode:
        pytest.skip(f"the history of {LAST.name} ({COMMIT[:7]}) is not here: a shallow clone, or no git")
    tree = tmp_path_factory.mktemp(LAST.name)
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(tree, filter="data")
    return tree


class Rolling:
    """One database, prepared by this release, and processes of both."""

    def __init__(self, database: str, var: Path) -> None:
        self.database, self.var = database, var
        # With two roles where the server is ours: then the rights that this release grants must be enough for the one before.
        app = f"{os.environ.get(APP_URL, database).rsplit('/', 1)[0]}/{database.rsplit('/', 1)[1]}"
        later = {
            "PAPERTRADE_STRANGER_LIMIT_MINUTE"
        }  # the release before does not know it, and refused what it did not know
        self.environment = {name: value for name, value in os.environ.items() if name not in later} | {
            "DATABASE_URL": app,
            "PAPERTRADE_VAR": str(var),
            "PAPERTRADE_SPEED": "0",
            "PAPERTRADE_START": "2026-11-06T14:45:00Z",
        }
        self.feeds: list[Feed] = []

    def run(self, tree: Path, *command: str, **more: str) -> str:
        """A command of a release; what it printed."""
        done = subprocess.run(
            [sys.executable, *command], cwd=tree, env={**self.environment, **more}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def trade(self, tree: Path, friday: str) -> None:
        assert self.run(tree, str(TRADE), str(self.var / "credentials.json"), friday).endswith("traded\n")

    def feed(self, tree: Path) -> "Feed":
        self.feeds.append(Feed(tree, {**self.environment, "PAPERTRADE_SPEED": "120"}))
        return self.feeds[-1]

    def one(self, statement: str) -> object:
        with psycopg.connect(self.database) as session:
            row = session.execute(statement).fetchone()
        return None if row is None else row[0]


class Feed:
    def __init__(self, tree: Path, environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "run_feed"], cwd=tree, env=environment, stderr=subprocess.PIPE, text=True
        )
        self.said: list[str] = []
        threading.Thread(target=lambda: self.said.extend(self.process.stderr or ()), daemon=True).start()

    def leads(self) -> bool:
        assert self.process.poll() is None, "".join(self.said)
        return any("feed_started" in line for line in self.said)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


@pytest.fixture
def rolling(empty_database: str, tmp_path: Path) -> Iterator[Rolling]:
    servers = Rolling(empty_database, tmp_path)
    servers.run(PROJECT, "manage.py", "prepare", DATABASE_OWNER_URL=empty_database)
    yield servers
    for feed in servers.feeds:
        feed.stop()


@pytest.mark.slow
@whole_server
def test_the_last_release_goes_on_beside_this_one(rolling: Rolling, last_release: Path) -> None:
    rolling.trade(PROJECT, "2026-11-06")
    rolling.trade(last_release, "2026-11-13")

    before = rolling.feed(last_release)
    wait_until(before.leads, "the feed of the release before leads")
    began = rolling.one(THROUGH)
    after = rolling.feed(PROJECT)
    wait_until(lambda: rolling.one(THROUGH) != began, "it moves the market")
    time.sleep(2)  # time for two tries of the other
    assert before.leads() and not after.leads(), "it stands by, and spares who has no lease"
    before.stop()
    wait_until(after.leads, "the other takes over")
    after.stop()
    assert rolling.run(PROJECT, "manage.py", "audit_books").endswith("6 books checked, 0 differences.\n")


# What a release that knows nothing of it cannot work with.
TAKES_AWAY = re.compile(
    r"DROP COLUMN|DROP TABLE|RENAME |SET NOT NULL|SET DATA TYPE|ADD COLUMN (?!.*\b(?:NULL|DEFAULT|GENERATED)\b(?<!NOT NULL))",
    re.I,
)
# Looked at one by one, and tried by the test above.
STAYS_AS_IT_WAS = {
    ("portfolio", "0009_snapshots_by_month"): "the table becomes a part of one that has its name and its columns",
}


def takes_away(line: str) -> bool:
    return not line.startswith("--") and TAKES_AWAY.search(line) is not None


@pytest.mark.parametrize(
    ("line", "away"),
    [
        ('ALTER TABLE "t" ADD COLUMN "x" integer NOT NULL;', True),
        ('ALTER TABLE "t" ADD COLUMN "x" integer NULL;', False),
        ('ALTER TABLE "t" ADD COLUMN "x" integer DEFAULT 1 NOT NULL;', False),
        ('ALTER TABLE "t" ADD COLUMN "x" bigint NOT NULL GENERATED BY DEFAULT AS IDENTITY;', False),
        ('ALTER TABLE "t" DROP COLUMN "x" CASCADE;', True),
        ('ALTER TABLE "t" ALTER COLUMN "x" SET NOT NULL;', True),
        ('ALTER TABLE "t" RENAME TO "u";', True),
        ('-- Rename model "t" to "u"', False),
        ('DROP TABLE "t" CASCADE;', True),
    ],
)
def test_what_takes_away(line: str, away: bool) -> None:
    assert takes_away(line) == away


def test_migrations_since_then_take_nothing_away(committed: None, last_release: Path) -> None:
    """A column, table or name that is not used any more goes a release later."""
    loader = MigrationExecutor(connection).loader
    then = {(path.parts[-3], path.stem) for path in last_release.glob("*/migrations/0*.py")}
    since = [key for key in loader.graph.nodes if key[0] in {app for app, _ in then} and key not in then]
    found = {}
    for key in since:
        text = "\n".join(loader.collect_sql([(loader.get_migration(*key), False)]))
        if away := [line for line in text.splitlines() if takes_away(line)]:
            found[key] = away
    assert since and found.keys() == STAYS_AS_IT_WAS.keys(), found
