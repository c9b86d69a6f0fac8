"""The whole database into a file and back, with PostgreSQL's own programs: those of the embedded server, or those on PATH."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.db import connection
from psycopg.conninfo import make_conninfo

from accounts.models import PaperAccount
from papertrade.lib import env
from papertrade.lib.files import private_part
from papertrade.stack.embedded.postgres import postgres_programs
from papertrade.stack.embedded.process import EmbeddedError

Progress = Iterator[str]


class DumpError(Exception):
    """A backup or restore failed, and nothing was left half done. The message says why."""


def backup(*, path: Path) -> Progress:
    """Write the database, as of one instant, to a private file (it has password hashes), while others go on working.

    Yields what is being done, line by line. Raises DumpError.
    """
    with private_part(path) as unfinished:
        yield from _run(
            "pg_dump",
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            "--verbose",
            f"--file={unfinished}",
            f"--dbname={_place()}",
        )


def restore(*, path: Path) -> Progress:
    """Replace a database that has no accounts yet by a backup, in one transaction. Raises DumpError."""
    if not path.is_file():
        raise DumpError(f"There is no file {path}.")
    if PaperAccount._meta.db_table in connection.introspection.table_names() and PaperAccount.objects.exists():
        raise DumpError(
            "This database has accounts; a backup is restored into an empty one only (a new PAPERTRADE_VAR)."
        )
    connection.close_pool()  # pg_restore replaces the tables, and waits for whoever reads them
    yield from _run(
        "pg_restore",
        "--clean",
        "--if-exists",
        "--no-owner",
        "--no-privileges",
        "--single-transaction",
        "--exit-on-error",
        "--verbose",
        f"--dbname={_place()}",
        str(path),
    )


def _place() -> str:
    """How the server reaches its database, as a libpq connection string without the password."""
    settings: dict[str, Any] = connection.settings_dict
    names = {"host": "HOST", "port": "PORT", "user": "USER", "dbname": "NAME"}
    given = {name: settings["OPTIONS"][name] for name in env.DATABASE_PARAMETERS if name in settings["OPTIONS"]}
    return make_conninfo(**{name: settings[key] for name, key in names.items() if settings[key]}, **given)


def _run(program: str, *arguments: str) -> Progress:
    """The lines that the program prints. The password goes through the environment: anybody may see arguments."""
    password = connection.settings_dict["PASSWORD"]
    known = {"PGPASSWORD": password} if password else {}
    last = ""
    with subprocess.Popen(
        [_program(program), *arguments],
        env={**os.environ, **known},
        text=True,
        errors="replace",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        for line in process.stdout or ():
            last = line.strip()
            yield last
    if process.returncode:
        raise DumpError(f"{program} failed: {last}")


def _program(name: str) -> str:
    encrypted = "sslmode" in connection.settings_dict["OPTIONS"]  # the wheel's programs are built without TLS
    with suppress(EmbeddedError):
        if not encrypted and (found := postgres_programs() / name).exists():
            return str(found)
    if found_on_path := shutil.which(name):
        return found_on_path
    raise DumpError(f"{name} is not here: install PostgreSQL's client programs of the server's version.")
