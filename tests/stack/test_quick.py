"""`make quick`: the pure rules without Django, PostgreSQL or Valkey."""

import re
import shlex
import subprocess
from pathlib import Path

from tests.pure import is_pure
from tests.stack.server import PROJECT, without_servers

PURE = PROJECT / "tests/orders/test_guards_table.py"
WITH_DJANGO = PROJECT / "tests/orders/test_lifecycle.py"


def command(target: str) -> list[str]:
    """What `make quick` would run, as the Makefile has it."""
    recipe = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", "quick", f"T={target}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.replace("\\\n", " ")
    (line,) = re.findall(r"^PYTEST_.*", recipe, re.MULTILINE)
    return ["env", *shlex.split(line)]


def test_it_needs_no_server_and_leaves_other_tests_alone() -> None:
    done = subprocess.run(
        command("tests/orders"),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        env={**without_servers(), "DJANGO_SETTINGS_MODULE": "not.there"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d\d+ passed in", done.stdout, re.MULTILINE)


def test_a_file_is_pure_by_what_it_imports(tmp_path: Path) -> None:
    assert is_pure(PURE) and not is_pure(WITH_DJANGO)
    for line, pure in (
        ("from marketdata import quotes", True),
        ("from marketdata import clock", False),
        ("import django.db", False),
        ("from tests.desk import Desk", False),
        ("import subprocess", False),
    ):
        (tmp_path / "test_it.py").write_text(line)
        assert is_pure(tmp_path / "test_it.py") is pure, line
