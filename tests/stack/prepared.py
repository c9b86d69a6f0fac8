"""A var folder whose server has been started and stopped once. Made once a run, and copied.

The first start initializes PostgreSQL, migrates and hashes passwords, which takes longer than most tests of a server.
"""

import fcntl
import os
import subprocess
from pathlib import Path

from tests.services_plugin import SHARED_FOLDER
from tests.stack.server import Server


def prepared(folder: Path) -> Path:
    """The folder, made where it is missing, with a database, users and keys in it, and no account."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["cp", "-a", f"{_template()}/.", str(folder)], check=True)
    return folder


def _template() -> Path:
    shared = Path(os.environ[SHARED_FOLDER])
    template, made = shared / "var", shared / "made"
    with open(shared / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            server = Server(template, PAPERTRADE_SPEED="0")
            try:
                server.wait_for("credentials")
            finally:
                server.stop()
            made.touch()
    return template
