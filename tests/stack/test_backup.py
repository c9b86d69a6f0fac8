"""A backup of a running server, restored into another: the same books, and nothing that came later."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from tests.desk import Desk
from tests.stack.prepared import prepared
from tests.stack.server import MANUAL, PROJECT, Server, whole_server


@pytest.fixture
def start(new_folder: Callable[[], Path]) -> Iterator[Callable[..., Server]]:
    running: list[Server] = []

    def make(*before: str, credentials: Path | None = None) -> Server:
        folder = new_folder() if before else prepared(new_folder())
        if credentials:
            shutil.copy(credentials, folder)
        running.append(Server(folder, before=before, **MANUAL))
        return running[-1]

    yield make
    for server in running:
        if server.process.poll() is None:
            server.stop()


@pytest.mark.slow
@whole_server
def test_a_backup_is_restored_elsewhere(start: Callable[..., Server], tmp_path: Path) -> None:
    first = start()
    first.wait_for("credentials")
    first.call("POST", "/market/clock/advance/", {"seconds": 60})
    account = first.call("POST", "/paper/accounts/", {"name": "kept"})["account"]["id"]
    assert first.buy(account, "1") == "filled"

    file, heads = tmp_path / "backup", tmp_path / "heads.jsonl"
    heads.write_text(first.manage("export_heads").stdout)
    done = first.manage("backup", str(file))
    assert done.returncode == 0 and "portfolio_ledgerentry" in done.stderr, done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert first.buy(account, "2") == "filled"

    second = start("restore", str(file), credentials=first.folder / "credentials.json")
    second.wait_for("Restored.")
    second.wait_for("credentials  ")
    before, now = (json.loads((server.folder / "credentials.json").read_text()) for server in (first, second))
    elsewhere = {name: now[name] for name in ("base_url", "origin") if name in now}
    assert {**before, **elsewhere} == now, "users and keys are the backup's"
    (position,) = second.call("GET", f"/paper/accounts/{account}/positions/")["results"]
    assert position["qty"] == "1.000000"
    assert second.manage("audit_books").returncode == 0
    verified = second.manage("verify_heads", str(heads))
    assert (verified.returncode, verified.stdout) == (0, "0 differences.\n")
    assert second.buy(account, "3") == "filled", "it goes on"


def test_a_new_database_without_tables_takes_it(db: None, empty_database: str, tmp_path: Path) -> None:
    call_command("backup", tmp_path / "backup")
    restored = subprocess.run(
        [sys.executable, "manage.py", "restore", str(tmp_path / "backup")],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        env={**os.environ, "DATABASE_URL": empty_database},
    )
    assert restored.stdout.startswith("Restored."), restored.stderr


def test_it_reaches_the_database_as_the_server_does(db: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "target_session_attrs", "standby")
    with pytest.raises(CommandError, match="not in hot standby mode"):
        call_command("backup", tmp_path / "backup")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "name", "said"),
    [
        ("backup", "here", "overwrites nothing"),
        ("backup", "nowhere/file", "There is no folder"),
        ("restore", "missing", "There is no file"),
        ("restore", "here", "has accounts"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(desk: Desk, tmp_path: Path, command: str, name: str, said: str) -> None:
    (tmp_path / "here").write_text("something")
    with pytest.raises(CommandError, match=said):
        call_command(command, tmp_path / name)
    assert (tmp_path / "here").read_text() == "something"
