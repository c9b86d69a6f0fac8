"""PostgreSQL and Valkey of a var folder: embedded where no others are named, for as long as somebody needs them."""

import contextlib
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from papertrade.lib import env
from papertrade.lib.files import PRIVATE_UMASK, private_file
from papertrade.stack import embedded

SECRET_FILE = "secret_key"
SECRET_BYTES = 50


def make_secret(var: Path) -> None:
    """Django's secret for the folder, where neither it nor the environment has one."""
    file = var / SECRET_FILE
    if not os.environ.get("PAPERTRADE_SECRET_KEY") and not file.exists():
        private_file(file, secrets.token_urlsafe(SECRET_BYTES))


@contextlib.contextmanager
def running(folder: embedded.Folder) -> Iterator[tuple[dict[str, str], tuple[embedded.Server, ...]]]:
    """(urls by variable, the servers started here), while the block runs; other processes find them through the folder.

    Raises EmbeddedError.
    """
    urls = {name: os.environ.get(name, "").strip() for name in env.SERVERS}
    servers = embedded.start(folder, postgres=not urls["DATABASE_URL"], valkey=not urls["REDIS_URL"])
    urls["DATABASE_URL"] = urls["DATABASE_URL"] or servers.database_url
    urls["REDIS_URL"] = urls["REDIS_URL"] or servers.redis_url
    urls[env.OWNER] = os.environ.get(env.OWNER, "").strip() or servers.owner_url
    state_file = folder.path / env.SERVERS_FILE
    try:
        private_file(state_file, json.dumps(urls))
        yield urls, servers.running
    finally:
        state_file.unlink(missing_ok=True)
        servers.stop()


@contextlib.contextmanager
def for_a_command(var: Path, *, make: bool = False) -> Iterator[None]:
    """Servers for a command of manage.py: those named in the environment, else those that run on the folder, else new ones.

    `make`: start them also on a folder that no server has used yet. Raises EmbeddedError.
    """
    named = all(os.environ.get(name, "").strip() for name in env.SERVERS)
    if named or (embedded.is_owned(var) and (var / env.SERVERS_FILE).exists()):
        yield
        return
    if not make and not (var / "postgres").is_dir() and not os.environ.get("DATABASE_URL", "").strip():
        raise embedded.EmbeddedError(f"No server has been started on {var} yet: `papertrade run` starts one.")
    folder = embedded.own(var)
    os.umask(PRIVATE_UMASK)
    try:
        make_secret(var)
        with running(folder):
            yield
    finally:
        folder.release()
