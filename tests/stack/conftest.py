"""Folders that servers can live in."""

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def new_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes folders with a space in their path. pytest closes its own to others, PostgreSQL under root is another."""

    def make() -> Path:
        place = tmp_path_factory.mktemp("a server")
        for path in (place, *place.parents[:2]):
            path.chmod(0o755)
        return place

    return make


@pytest.fixture
def folder(new_folder: Callable[[], Path]) -> Path:
    """One such folder."""
    return new_folder()
