"""A pytest plugin: which worker of a run does which test, and when. pytest-xdist's `--dist loadgroup`, with two differences.

Tests of one `xdist_group` stay on one worker. pytest-xdist 3.8 tells groups by names that it changes, which pytest 9.2 does not
heed (its issue 1386), and silently has none; here a worker writes down what it collected. And what takes long comes first, so
that nobody waits for it in the end: the largest groups, then tests that are marked `slow`, then all others.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.services_plugin import SHARED_FOLDER

FILE = "groups.json"  # from the name of a test to its group, of those that have one


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a worker: the long ones first, and the groups written down. All workers come to the same."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker is None:
        return
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    groups = {item.nodeid: mark.args[0] for item in items if (mark := item.get_closest_marker("xdist_group"))}
    place = Path(os.environ[SHARED_FOLDER]) / FILE
    scratch = place.with_suffix(f".{worker}")
    scratch.write_text(json.dumps(groups), encoding="utf-8")
    scratch.replace(place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """In the process that gives the workers their tests, once they have collected them."""
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Groups(LoadScopeScheduling):  # type: ignore[misc]
        """The largest group first, as ever with pytest-xdist; a test without one is a group of its own."""

        _groups: dict[str, str] | None = None

        def _split_scope(self, nodeid: str) -> str:
            if self._groups is None:
                self._groups = json.loads((Path(os.environ[SHARED_FOLDER]) / FILE).read_text(encoding="utf-8"))
            return self._groups.get(nodeid, nodeid)

    return Groups(config, log)
