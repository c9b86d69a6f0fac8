"""The audit bundle: whole, the same for the same account, checked by a script alone, and not to be edited unseen."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from papertrade.proof import bundle
from tests.desk import Desk
from tests.market_kit import CALL, MarketKit


@pytest.fixture
def desk(open_market: MarketKit, trader: Any) -> Desk:
    """A stock bought and half sold, a call, an order that waits, one that was refused, and an earlier generation."""
    desk = Desk(trader)
    desk.buy("5")
    desk.reset(reason="a second try")
    desk.buy("10")
    desk.sell("4")
    desk.buy("2", symbol=CALL)
    desk.buy("3", limit="95")
    desk.sell("1", limit="200")
    desk.buy("1000000")
    return desk


@pytest.fixture
def path(desk: Desk, tmp_path: Path) -> Path:
    bundle.write(account=desk.account, path=tmp_path / "account.zip")
    return tmp_path / "account.zip"


def checked(path: Path) -> tuple[int, str]:
    """Exit status and output of the script in the bundle, run alone: no project, no packages, no environment."""
    script = path.with_name("check.py")
    with zipfile.ZipFile(path) as archive:
        script.write_bytes(archive.read("check.py"))
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(script), str(path)], cwd=path.parent, env={}, capture_output=True, text=True
    )
    return done.returncode, done.stdout + done.stderr


def rewritten(path: Path, change: Callable[[str, bytes], bytes]) -> Path:
    """The bundle with some of its files changed."""
    other = path.with_name("other.zip")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return other


def test_it_is_for_its_owner_alone(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == 0o600


def test_one_that_could_not_be_finished_leaves_nothing(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(bundle, "_add", full)
    with pytest.raises(OSError, match="No space"):
        bundle.write(account=desk.account, path=tmp_path / "account.zip")
    assert not list(tmp_path.glob("account.zip*"))


def test_it_is_whole_and_right(path: Path, desk: Desk) -> None:
    assert checked(path) == (0, "The bundle is whole, and its books are right.\n")
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    rows = {name.removesuffix(".jsonl"): told["rows"] for name, told in manifest["files"].items()}
    assert manifest["account"] == str(desk.account.pk)
    assert (rows["generations"], rows["books"], rows["orders"], rows["fills"]) == (2, 2, 7, 4)
    assert (rows["ledger"], rows["positions"], rows["quotes"] >= 2, rows["events"] > 12) == (6, 3, True, True)


def test_the_same_account_gives_the_same_bytes(path: Path, desk: Desk) -> None:
    again = path.with_name("again.zip")
    bundle.write(account=desk.account, path=again)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["orders", "events", "fills", "ledger", "quotes", "books", "positions", "snapshots"])
def test_an_edited_file_is_found(path: Path, name: str) -> None:
    def change(member: str, data: bytes) -> bytes:
        return data.replace(b"1", b"2", 1) if member == f"{name}.jsonl" else data

    status, said = checked(rewritten(path, change))
    assert status == 1 and f"{name}.jsonl: is not the file that was exported" in said


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("fills", '"price":"100.100000"', '"price":"99.000000"', "its quote was IBM 100 x 100.1"),
        ("ledger", '"1001.0000"', '"1002.0000"', "is not what its hash says"),
        ("quotes", '"100.1"', '"100.2"', "was changed"),
        ("orders", '"filled_qty":"10.000000"', '"filled_qty":"9.000000"', "does not say what its fills say"),
        ("fills", '"realized_pl":"0.0000"', '"realized_pl":"1.0000"', "is not what ledger transaction"),
        ("positions", '"realized_pl":"', '"realized_pl":"1', "realized 1"),
        ("orders", '"status":"filled"', '"status":"new"', "its events say filled"),
        ("books", '"realized_pl":"', '"realized_pl":"1', "its ledger"),
    ],
)
def test_an_edited_file_with_a_manifest_that_fits_is_found(
    path: Path, name: str, old: str, new: str, said: str
) -> None:
    """Whoever edits rows can also write the manifest anew; the rows still contradict each other."""
    from hashlib import sha256

    with zipfile.ZipFile(path) as archive:
        data = archive.read(f"{name}.jsonl").decode()
        manifest = json.loads(archive.read("manifest.json"))
    assert old in data
    forged = data.replace(old, new, 1).encode()
    manifest["files"][f"{name}.jsonl"]["sha256"] = sha256(forged).hexdigest()
    files = {f"{name}.jsonl": forged, "manifest.json": json.dumps(manifest).encode()}
    status, found = checked(rewritten(path, lambda member, data: files.get(member, data)))
    assert status == 1 and said in found and "is not the file" not in found, found


def test_what_is_no_bundle_is_said(tmp_path: Path, path: Path) -> None:
    other = path.with_name("text.zip")
    other.write_text("nothing")
    script = path.with_name("check.py")
    checked(path)
    done = subprocess.run([sys.executable, str(script), str(other)], capture_output=True, text=True)
    assert done.returncode == 1 and "not a bundle" in done.stdout and "Traceback" not in done.stderr
