"""A pytest plugin that starts PostgreSQL and Valkey for the run: one pair, whatever the number of workers.

pytest-django reads the settings before any conftest, so this is loaded with `-p`. Servers named in the environment are used
as they are.
"""

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from papertrade import embedded

_servers: embedded.Servers | None = None
_folder: Path | None = None


@pytest.hookimpl(wrapper=True)  # a wrapper goes before pytest-django's own, which is marked to go first
def pytest_load_initial_conftests() -> Generator[None]:
    """Runs in the controller and in each xdist worker; workers inherit the controller's environment."""
    global _servers, _folder
    os.environ.setdefault("PAPERTRADE_SECRET_KEY", "tests-only-" + "x" * 40)
    if "DATABASE_URL" not in os.environ:
        _folder = Path(tempfile.mkdtemp(prefix="papertrade-tests-"))
        _servers = embedded.start(_folder)
        os.environ["DATABASE_URL"], os.environ["REDIS_URL"] = _servers.database_url, _servers.redis_url
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        # A Valkey database of its own for each worker, as pytest-django gives each a PostgreSQL one.
        os.environ["REDIS_URL"] = f"{os.environ['REDIS_URL'].rsplit('/', 1)[0]}/{int(worker[2:]) + 1}"
    return (yield)


def pytest_unconfigure() -> None:
    global _servers
    if _servers is not None:
        _servers.stop()
        _servers = None
        shutil.rmtree(_folder, ignore_errors=True)
