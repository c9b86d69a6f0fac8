"""A var folder that a server has been prepared in. Made once a run, and copied.

It takes longer than most tests of a server to initialize PostgreSQL, migrate and hash passwords, as a first start does.
"""

import fcntl
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

from tests.services_plugin import SHARED_FOLDER
from tests.stack.server import PROJECT, without_servers

MAKING_SECONDS = 300  # ten times what it takes on a machine that is busy with five other runs
# As the first start does, but for the processes that serve.
PREPARE = """
import os, pathlib, subprocess, sys
from papertrade.stack.servers import for_a_command
with for_a_command(pathlib.Path(os.environ["PAPERTRADE_VAR"]), make=True):
    sys.exit(subprocess.run([sys.executable, "manage.py", "prepare"]).returncode)
"""


def prepared(folder: Path) -> Path:
    """The folder, made where it is missing, with a database, users and keys in it, and no account."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", f"{_template()}/.", str(folder)], check=True)
    return folder


def _template() -> Path:
    shared = Path(os.environ[SHARED_FOLDER])
    made = shared / "made"
    with open(shared / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            assert being_made().wait(MAKING_SECONDS) == 0, (shared / "log").read_text()
            made.touch()
    return shared / "var"


@cache
def being_made() -> "subprocess.Popen[bytes]":
    """The process that makes it, begun at the first call: in a run of one process another core is idle until it is needed."""
    shared = Path(os.environ[SHARED_FOLDER])
    environment = {**without_servers(), "PAPERTRADE_VAR": str(shared / "var"), "PAPERTRADE_SPEED": "0"}
    with open(shared / "log", "wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", PREPARE], cwd=PROJECT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
