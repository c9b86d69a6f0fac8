"""A newcomer, long form: a fresh user without rights, a fresh clone, an environment that is installed, every snippet as written."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.newcomer.snippets import PROJECT, RUN, Reader, all_snippets

USER = "papertrade-newcomer"
PYTHON = Path("/usr/bin/python3")  # of the system: one that lives in somebody's home is closed to others
MOST_MEGABYTES = 400
MEGABYTE = 1 << 20

pytestmark = [
    pytest.mark.torture,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("useradd"), reason="only root can make a user"),
]


@pytest.fixture
def newcomer() -> Iterator[str]:
    """A user of their own, gone with all that is theirs in the end."""
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/bash", USER], check=True)
    yield USER
    subprocess.run(["userdel", "--remove", "--force", USER], capture_output=True, check=False)


@pytest.fixture
def clone(newcomer: str) -> Iterator[Path]:
    """What is committed, as theirs."""
    with tempfile.TemporaryDirectory(prefix="papertrade newcomer ") as place:
        folder = Path(place) / "papertrade"
        subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(folder)], check=True)
        subprocess.run(["chown", "--recursive", newcomer, place], check=True)
        yield folder


def test_from_a_clone_to_the_last_page(newcomer: str, clone: Path) -> None:
    home = {"HOME": f"/home/{newcomer}", "PATH": "/usr/local/bin:/usr/bin:/bin", "PYTHON": str(PYTHON)}
    reader = Reader(clone, user=newcomer, **home)
    wanted = [found for found in all_snippets() if found.language in RUN and not found.ignored]
    began = time.monotonic()
    said = reader.follow(wanted)
    print(f"all pages in {time.monotonic() - began:.0f} s")
    assert all(str(found) in said for found in wanted)
    assert "Traceback" not in said
    size = sum(path.lstat().st_size for path in clone.rglob("*") if not path.is_symlink()) // MEGABYTE
    assert size <= MOST_MEGABYTES, f"{size} MB"
