"""PostgreSQL and Valkey out of their wheels, owned by one supervisor process. No Django in here.

A folder has one owner (a flock, not a pid). Its servers listen on loopback with a random password and stop when their
supervisor does.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from papertrade.lib.files import private_file
from papertrade.stack.embedded.postgres import Postgres
from papertrade.stack.embedded.process import (
    LOOPBACK,
    EmbeddedError,
    Folder,
    Server,
    die_with_parent,
    is_owned,
    own,
)
from papertrade.stack.embedded.valkey import Valkey

__all__ = [
    "LOOPBACK",
    "EmbeddedError",
    "Folder",
    "Server",
    "Servers",
    "die_with_parent",
    "is_owned",
    "own",
    "start",
]


@dataclass(frozen=True)
class Servers:
    """The running servers of a folder; the url of one that was not wanted is empty."""

    database_url: str
    owner_url: str
    redis_url: str
    running: tuple[Server, ...]

    def stop(self) -> None:
        """Stop them at once and wait until they have."""
        _stop(self.running)


def start(folder: Folder, *, postgres: bool = True, valkey: bool = True, durable: bool = True) -> Servers:
    """Start the wanted servers on the folder's data, which the first start creates. Raises EmbeddedError.

    `durable=False`: what was committed survives the end of any process, but not that of the machine.
    """
    password = _password(folder.path, "servers_password")
    owner_password = _password(folder.path, "owner_password")
    database = Postgres(folder.path, password, owner_password, durable=durable) if postgres else None
    broker = Valkey(folder.path, password) if valkey else None
    wanted: tuple[Server, ...] = tuple(server for server in (broker, database) if server)
    try:
        for server in wanted:
            server.start()
        for server in wanted:
            server.await_ready()
    except BaseException:
        _stop(wanted)
        raise
    return Servers(
        database_url=database.url if database else "",
        owner_url=database.owner_url if database else "",
        redis_url=broker.url if broker else "",
        running=wanted,
    )


def _stop(servers: Iterable[Server]) -> None:
    for server in servers:
        server.ask_to_stop()
    for server in servers:
        server.await_stopped()


def _password(root: Path, name: str) -> str:
    path = root / name
    if not path.exists():
        private_file(path, secrets.token_urlsafe(24))
    return path.read_text().strip()
