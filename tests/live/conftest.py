"""Folders that servers can live in."""

import pytest

from tests.stack.conftest import new_folder

__all__ = ["new_folder"]


@pytest.fixture(autouse=True)
def _with_a_loop_of_its_own(outside_of_any_loop: None) -> None:
    """These run loops."""
