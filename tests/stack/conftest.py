"""Folders that servers can live in."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def new_folder() -> Iterator[Callable[[], Path]]:
    """Makes folders with a space in their path that others may enter: PostgreSQL under root is another.

    Not below pytest's own: each start of another pytest closes that one to others again.
    """
    made: list[Path] = []

    def make() -> Path:
        made.append(Path(tempfile.mkdtemp(prefix="papertrade a server ")))
        made[-1].chmod(0o755)
        return made[-1]

    yield make
    for place in made:
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture
def folder(new_folder: Callable[[], Path]) -> Path:
    """One such folder."""
    return new_folder()
