"""Folders that servers can live in."""

import os
from collections.abc import Iterator

import pytest

from tests.stack.conftest import new_folder
from tests.stack.prepared import MAKING_SECONDS, being_made

__all__ = ["new_folder"]


@pytest.fixture(scope="session", autouse=True)
def _beside_the_first_tests(request: pytest.FixtureRequest) -> Iterator[None]:
    """In a run of one process another core is idle: the folder of the whole server is made there until it is needed."""
    is_alone = "PYTEST_XDIST_WORKER" not in os.environ
    if not is_alone or not any("test_whole_server" in item.nodeid for item in request.session.items):
        yield
        return
    making = being_made()
    yield
    making.wait(MAKING_SECONDS)


@pytest.fixture(autouse=True)
def _with_a_loop_of_its_own(outside_of_any_loop: None) -> None:
    """These run loops."""
