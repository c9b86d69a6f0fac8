"""Django's own checks, with the settings that people get and with those of production."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PRODUCTION = {"PAPERTRADE_BEHIND_TLS": "true", "PAPERTRADE_SECRET_KEY": "0123456789 abcdefghij ABCDEFGHIJ " * 3}


@pytest.mark.parametrize(
    ("arguments", "variables"), [([], {}), (["--deploy"], PRODUCTION)], ids=["as run", "production"]
)
def test_django_finds_nothing_to_complain_about(arguments: list[str], variables: dict[str, str]) -> None:
    inherited = {
        name: value for name, value in os.environ.items() if name != "DJANGO_ALLOW_ASYNC_UNSAFE"
    }  # of browser tests
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--fail-level", "WARNING", *arguments],
        cwd=PROJECT,
        env={**inherited, **variables},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
