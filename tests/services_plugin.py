"""A pytest plugin that starts PostgreSQL and Valkey for the run: one pair, whatever the number of workers.

pytest-django reads the settings before any conftest, so this is loaded with `-p`. Servers named in the environment are used
as they are.
"""

import gc
import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from papertrade.stack import embedded

APP_URL = "TESTS_APP_URL"  # of the role that a server works as; the tests themselves are the owner of their database
SHARED_FOLDER = "TESTS_SHARED_FOLDER"  # of all processes of a run

_servers: embedded.Servers | None = None
_folder: embedded.Folder | None = None
_var: Path | None = None  # made by this process, and removed by it
_shared: Path | None = None  # likewise, by the first process for all of the run


@pytest.hookimpl(wrapper=True)  # a wrapper goes before pytest-django's own, which is marked to go first
def pytest_load_initial_conftests() -> Generator[None]:
    """Runs in the controller and in each xdist worker; workers inherit the controller's environment.

    Each has a var folder of its own, as what is counted there is counted by folder. One that the environment names is
    somebody's, and left alone.
    """
    global _var, _shared
    # Whatever the shell says: a run starts hundreds of processes, and each would compile all that it imports.
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ.setdefault("PAPERTRADE_SECRET_KEY", "tests-only-" + "x" * 40)
    os.environ.setdefault("PAPERTRADE_STRANGER_LIMIT_MINUTE", "unlimited")  # all tests come from one address
    _var = Path(tempfile.mkdtemp(prefix="papertrade-tests-var-"))
    os.environ["PAPERTRADE_VAR"] = str(_var)
    if SHARED_FOLDER not in os.environ:
        _shared = Path(tempfile.mkdtemp(prefix="papertrade-tests-shared-"))
        _shared.chmod(0o755)  # PostgreSQL under root is another
        os.environ[SHARED_FOLDER] = str(_shared)
    _start_missing_servers()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if worker:
        # A Valkey database of its own for each worker, as pytest-django gives each a PostgreSQL one.
        os.environ["REDIS_URL"] = f"{os.environ['REDIS_URL'].rsplit('/', 1)[0]}/{int(worker[2:]) + 1}"
    return (yield)


def pytest_collection_finish() -> None:
    """What was imported stays: half a million objects that the garbage collector need not look at again."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    global _servers, _folder, _var, _shared
    for made in filter(None, (_var, _shared)):
        shutil.rmtree(made, ignore_errors=True)
    _var = _shared = None
    if _servers is not None and _folder is not None:
        _servers.stop()
        _folder.release()
        shutil.rmtree(_folder.path, ignore_errors=True)
        _servers = _folder = None


def _start_missing_servers() -> None:
    global _servers, _folder
    postgres, valkey = not os.environ.get("DATABASE_URL"), not os.environ.get("REDIS_URL")
    if not postgres and not valkey:
        return
    _folder = embedded.own(Path(tempfile.mkdtemp(prefix="papertrade-tests-")))
    _servers = embedded.start(_folder, postgres=postgres, valkey=valkey, durable=False)
    for name, url in (
        ("DATABASE_URL", _servers.owner_url),
        (APP_URL, _servers.database_url),
        ("REDIS_URL", _servers.redis_url),
    ):
        if url:
            os.environ[name] = url
