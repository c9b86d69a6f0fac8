"""A backup of a running server, restored into another: the same books, and nothing that came later."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stack.server import Server

MANUAL = {"PAPERTRADE_SPEED": "0"}


@pytest.fixture
def start(new_folder: Callable[[], Path]) -> Iterator[Callable[..., Server]]:
    running: list[Server] = []

    def make(*before: str) -> Server:
        running.append(Server(new_folder(), before=before, **MANUAL))
        return running[-1]

    yield make
    for server in running:
        if server.process.poll() is None:
            server.stop()


@pytest.mark.slow
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
    assert "overwrites nothing" in first.manage("backup", str(file)).stderr
    assert first.buy(account, "2") == "filled"
    assert "has accounts" in first.manage("restore", str(file)).stderr

    second = start("restore", str(file))
    second.wait_for("Restored.")
    second.wait_for("credentials  ")
    base_url = json.loads((second.folder / "credentials.json").read_text())["base_url"]
    known = json.loads((first.folder / "credentials.json").read_text())  # users and keys are the backup's
    (second.folder / "credentials.json").write_text(json.dumps({**known, "base_url": base_url}))
    (position,) = second.call("GET", f"/paper/accounts/{account}/positions/")["results"]
    assert position["qty"] == "1.000000"
    assert second.manage("audit_books").returncode == 0
    verified = second.manage("verify_heads", str(heads))
    assert (verified.returncode, verified.stdout) == (0, "0 differences.\n")
    assert second.buy(account, "3") == "filled", "it goes on"


def test_a_restore_that_cannot_be_is_said_in_a_line(start: Callable[..., Server], tmp_path: Path) -> None:
    server = start()
    server.wait_for("credentials")
    (tmp_path / "text").write_text("nothing")
    for file, said in (("missing", "There is no file"), ("text", "pg_restore failed")):
        done = server.manage("restore", str(tmp_path / file))
        assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr, done.stderr
