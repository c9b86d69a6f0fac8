"""Before the tables are brought up to this release: is the database fit for it, and what will happen to which table?"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations import Migration, RunPython
from django.db.migrations.executor import MigrationExecutor

from papertrade.lib.postgres import raw_cursor, require_own_session
from papertrade.operations.table_locks import Lock, Waits, at_once, locks_of

LEAST_VERSION = 17
ROWS_A_SECOND = 250_000  # read, checked or indexed, on two busy cores
WAIT = {
    Waits.NOBODY: "nobody waits",
    Waits.WRITERS: "writers wait",
    Waits.EVERYBODY: "readers and writers wait",
}


class UnfitError(Exception):
    """This database cannot be used; the message says what to do."""


def refuse_unfit() -> None:
    """Raises UnfitError for a PostgreSQL that is too old, SessionNotOwn behind a pooler. Call it as the tables' owner."""
    major = connection.pg_version // 10_000
    if major < LEAST_VERSION:
        raise UnfitError(
            f"This is PostgreSQL {major}, and papertrade needs {LEAST_VERSION} or newer: upgrade it first."
        )
    require_own_session()


@dataclass(frozen=True, slots=True)
class Step:
    """A migration that is to be applied: its locks, each with the number of rows of its table.

    `whole`: it is one transaction, and keeps all of its locks to the end. `python`: it does more than its SQL says.
    """

    name: str
    locks: list[tuple[Lock, int]]
    whole: bool
    python: bool

    def sentences(self) -> Iterator[str]:
        """What is done, for operators."""
        if not self.locks:
            yield f"{self.name}: no table that is in use"
        all_of_it = sum(rows for lock, rows in self.locks if lock.reads)
        for lock, rows in self.locks:
            seconds = (all_of_it if self.whole else rows if lock.reads else 0) / ROWS_A_SECOND
            how_long = "an instant" if seconds < 1 else f"about {seconds:.0f} s"
            yield f"{self.name}: {lock.table} ({rows:,} rows): {WAIT[lock.waits]} for {how_long}"
        if self.python:
            yield f"{self.name}: and rows are written by a program, beside which others go on"


def pending() -> list[Step]:
    """The migrations to be applied to a database that is in use; none where all are, or where the database is new."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not executor.loader.applied_migrations or not plan:
        return []
    known = _rows()
    with _read_only():
        return [_step(executor, migration, known) for migration, _ in plan]


@contextmanager
def _read_only() -> Iterator[None]:
    """Within it, an operation that is asked for its SQL cannot change anything."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        try:
            yield
        finally:
            cursor.execute("RESET default_transaction_read_only")


def plan() -> Iterator[str]:
    """What will be done to a database that is in use, for operators; nothing where there is nothing to do."""
    steps = pending()
    if steps:
        longest = settings.SESSION["lock_timeout"]
        yield (
            f"{len(steps)} migrations. Each waits {longest} at most for a lock that others hold; where it does not get it, it "
            "changes nothing: run this again."
        )
    for step in steps:
        yield from step.sentences()


def _step(executor: MigrationExecutor, migration: Migration, known: dict[str, int]) -> Step:
    try:
        text = "\n".join(executor.loader.collect_sql([(migration, False)]))
    except (ValueError, DatabaseError):  # it looks at what an earlier one of the plan makes
        text = ""
    locks = locks_of(text)
    known_locks = [
        (lock, known[lock.table]) for lock in (at_once(locks) if migration.atomic else locks) if lock.table in known
    ]
    python = any(isinstance(operation, RunPython) for operation in migration.operations) or not text
    return Step(f"{migration.app_label}.{migration.name}", known_locks, migration.atomic, python)


def _rows() -> dict[str, int]:
    """About how many rows each table has."""
    with raw_cursor() as cursor:
        return dict(cursor.execute(_ROWS).fetchall())


_ROWS = """
    SELECT coalesce(pg_partition_root(c.oid), c.oid)::regclass::text,
        (sum(greatest(reltuples, n_live_tup, 0)) FILTER (WHERE relkind = 'r'))::bigint
    FROM pg_class c LEFT JOIN pg_stat_user_tables stat ON stat.relid = c.oid
    WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
    GROUP BY 1
"""


def give_session_settings() -> bool:
    """Give the session settings to the server's own role, as a pooler does not pass them on; whether that was needed."""
    here = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connection.cursor() as cursor:
        cursor.execute(_GIVEN)
        given = dict(text.lower().split("=", 1) for (text,) in cursor.fetchall())
        missing = {name: value for name, value in settings.SESSION.items() if given.get(name) != value.lower()}
        for name, value in missing.items():
            cursor.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {here} SET {name} = %s", [value])
    return bool(missing)


_GIVEN = """
    SELECT unnest(setconfig) FROM pg_db_role_setting
    WHERE setrole = current_user::regrole AND setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
