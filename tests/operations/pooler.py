"""PgBouncer in front of the tests' PostgreSQL, where Debian's package is."""

import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from django.db import connection

from papertrade.stack.embedded.process import free_port
from tests.stack.server import wait_until

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
KEEPS_STATEMENTS_FROM = (1, 21)
SESSIONS = 6  # more than the threads of a test, so that nobody waits, and few enough to be handed around


def version() -> tuple[int, ...]:
    said = subprocess.run([str(PROGRAM), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", said)
    assert found is not None, said
    return int(found[1]), int(found[2])


class Pooler:
    """It runs until `stop`; `url` is the tests' database through it."""

    def __init__(self, folder: Path, *, to_url: str = "", statements_kept: int = 0, mode: str = "transaction") -> None:
        to, self.port = urlsplit(to_url or os.environ["DATABASE_URL"]), free_port()
        self.user = to.username
        kept = f"max_prepared_statements = {statements_kept}\n" if version() >= KEEPS_STATEMENTS_FROM else ""
        config = folder / "pgbouncer.ini"
        config.write_text(
            f"[databases]\n* = host=127.0.0.1 port={to.port} user={to.username} password={unquote(to.password or '')}\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {self.port}\nunix_socket_dir =\nauth_type = any\n"
            f"pool_mode = {mode}\ndefault_pool_size = {SESSIONS}\nserver_round_robin = 1\n"
            f"ignore_startup_parameters = options\n{kept}"
        )
        command: list[str] = [str(PROGRAM), "--quiet", str(config)]
        if os.geteuid() == 0:  # it refuses to be root
            for path in (config, folder):
                shutil.chown(path, pwd.getpwnam("nobody").pw_uid)
            for path in (folder, *folder.parents[:3]):
                path.chmod(path.stat().st_mode | 0o011)
            command += ["--user", "nobody"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.place = {"HOST": "127.0.0.1", "PORT": str(self.port)}
        wait_until(self._listens, "PgBouncer listens")

    def url(self, database: str) -> str:
        """The url of a database of the tests' server, through the pooler, which has the password."""
        return f"postgresql://{self.user}@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def between(self) -> Iterator[None]:
        """Django's connections go through it."""
        usual = dict(connection.settings_dict)
        self._connect({**usual, **self.place})
        try:
            yield
        finally:
            self._connect(usual)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)

    def _connect(self, settings_dict: dict[str, Any]) -> None:
        connection.close()
        connection.close_pool()
        for name, value in settings_dict.items():
            connection.settings_dict[name] = value

    def _listens(self) -> bool:
        import socket

        assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture(scope="module", params=[0, 100], ids=["forgets statements", "keeps statements"])
def pooler(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pooler]:
    """A pooler, one that keeps prepared statements and one that does not."""
    if PROGRAM is None:
        pytest.skip("PgBouncer is not installed (Debian's package pgbouncer)")
    if request.param and version() < KEEPS_STATEMENTS_FROM:
        pytest.skip("this PgBouncer is older than 1.21: it keeps no prepared statements")
    running = Pooler(tmp_path_factory.mktemp("pgbouncer"), statements_kept=request.param)
    yield running
    running.stop()
