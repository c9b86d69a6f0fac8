"""`bin/papertrade`: help without anything installed, commands from any folder, failures as one sentence."""

import ast
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import papertrade
from papertrade.stack import command
from papertrade.stack.__main__ import Stack
from papertrade.stack.embedded import EmbeddedError
from tests.stack.server import PROJECT, without_servers

SYSTEM_PYTHON = Path(sys.base_prefix) / "bin" / "python3"


def run(
    *typed: str, folder: Path, python: Path | str = sys.executable, **settings: str
) -> subprocess.CompletedProcess[str]:
    """What is typed in a folder."""
    return subprocess.run(
        [str(python), str(PROJECT / "bin/papertrade"), *typed],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**without_servers(), **settings},
    )


@pytest.mark.parametrize("typed", [[], ["help"], ["--help"], ["-h"]])
def test_help_needs_nothing_installed(tmp_path: Path, typed: list[str]) -> None:
    done = run(*typed, folder=tmp_path, python=SYSTEM_PYTHON)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"papertrade {papertrade.__version__}: a paper broker for US stocks and options")
    for name in (*command.STARTS, *command.OTHERS, *command.commands()):
        assert re.search(rf"^  {name}\b", done.stdout, re.MULTILINE), name
    assert max(map(len, done.stdout.splitlines())) <= 132


def test_every_command_of_manage_says_how_it_is_typed() -> None:
    for path in sorted(PROJECT.glob("*/management/commands/[a-z]*.py")):
        first = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n\n")[0]
        assert re.match(r"`(papertrade [a-z-]+|manage\.py \w+)\b[^`]*`: \S", " ".join(first.split())), path
    grouped = [name for _, names in command.GROUPS for name in names]
    assert len(grouped) == len(set(grouped))


def test_the_version_is_one(tmp_path: Path) -> None:
    version = papertrade.__version__
    assert run("--version", folder=tmp_path).stdout.startswith(f"papertrade {version}, Python ")
    stack = subprocess.run(
        [sys.executable, "-m", "papertrade.stack", "--version"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert stack.stdout == f"papertrade {version}\n"
    assert f'\nversion = "{version}"\n' in (PROJECT / "pyproject.toml").read_text()
    assert re.search(rf"^## {re.escape(version)}\b", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_a_mistyped_command_is_answered_with_the_nearest(tmp_path: Path) -> None:
    done = run("chekc-recording", folder=tmp_path)
    assert done.returncode == 1 and "Did you mean check-recording?" in done.stderr
    assert "`papertrade help` lists" in run("zzz", folder=tmp_path).stderr


def test_a_command_that_needs_no_server_works_anywhere(tmp_path: Path) -> None:
    (tmp_path / "day.csv").write_text(
        "ts,symbol,bid,ask,bid_size,ask_size,source\n2026-11-20T14:30:00Z,IBM,183.10,183.20,200,100,test\n"
    )
    done = run("check-recording", "day.csv", folder=tmp_path)
    assert done.returncode == 0 and "1 good row of 1 symbol" in done.stdout, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["day.csv"]


def test_a_command_that_needs_a_server_says_so_where_none_was_ever_started(tmp_path: Path) -> None:
    done = run("audit", folder=tmp_path, PAPERTRADE_VAR="nothing-here")
    assert done.returncode == 1 and "No server has been started on" in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == [], "a folder that was mistyped is not made"


def test_options_of_run_become_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    became: dict[str, str] = {}
    monkeypatch.chdir(tmp_path)
    others = {name: value for name, value in os.environ.items() if not name.startswith("PAPERTRADE_")}
    monkeypatch.setattr(os, "environ", others)
    monkeypatch.setattr(command, "_enter", lambda *_: None)
    monkeypatch.setattr(os, "execv", lambda *_: became.update(os.environ))
    command._start("run", ["--port", "8001", "--recording", "day", "--speed", "0", "--var", "v"])
    assert {name: value for name, value in became.items() if name.startswith("PAPERTRADE_")} == {
        "PAPERTRADE_PORT": "8001",
        "PAPERTRADE_SPEED": "0",
        "PAPERTRADE_MARKET": "recorded",
        "PAPERTRADE_RECORDING": str(tmp_path / "day"),
        "PAPERTRADE_VAR": str(tmp_path / "v"),
    }


def test_paths_are_meant_from_where_they_were_typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for given, meant in (
        ({}, {"PAPERTRADE_VAR": str(PROJECT / "var")}),
        ({"PAPERTRADE_VAR": " "}, {"PAPERTRADE_VAR": str(PROJECT / "var")}),  # as every other empty setting, unset
        ({"PAPERTRADE_VAR": "v"}, {"PAPERTRADE_VAR": str(tmp_path / "v")}),
        ({"PAPERTRADE_RECORDING": "day.csv"}, {"PAPERTRADE_RECORDING": str(tmp_path / "day.csv")}),
        ({"PAPERTRADE_RECORD": "kept"}, {"PAPERTRADE_RECORD": str(tmp_path / "kept")}),
        ({"PAPERTRADE_RECORD": "off"}, {"PAPERTRADE_RECORD": "off"}),
    ):
        monkeypatch.setattr(os, "environ", dict(given))
        command._fix_paths("var")
        assert os.environ == {"PAPERTRADE_VAR": str(PROJECT / "var"), **meant}


@pytest.mark.parametrize("below", ["", "deeper"])
def test_a_var_folder_that_is_none_is_said_in_a_sentence(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("")
    done = run("run", folder=tmp_path, PAPERTRADE_VAR=str(tmp_path / "file" / below))
    assert done.returncode == 1 and "cannot be used as the var folder" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr and len(done.stdout.splitlines()) == 1


def test_a_port_that_needs_rights_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setenv("PAPERTRADE_PORT", "80")
    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(EmbeddedError, match="Port 80 needs rights that you do not have"):
        Stack([])._refuse_taken_port()


def test_what_else_is_in_the_var_folder_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be somebody's home, or a project."""
    log, counts, program, notes = (
        tmp_path / name for name in ("postgres.log", "metrics/counter_a-1.db", "program", "metrics/notes.txt")
    )
    notes.parent.mkdir()
    for path in (log, counts, program, notes):
        path.touch()
        path.chmod(0o755)
    monkeypatch.setenv("PAPERTRADE_VAR", str(tmp_path))
    monkeypatch.setattr(Stack, "_refuse_taken_port", lambda stack: None)
    monkeypatch.setattr(os, "umask", lambda mask: None)
    with Stack([])._owned():
        pass
    assert log.stat().st_mode & 0o777 == 0o600 and not counts.exists(), (
        "ours: closed to others, and of processes that are gone"
    )
    assert program.stat().st_mode & 0o777 == 0o755 and notes.exists(), "somebody else's"
