"""The role that a server works as: it can trade, and it can neither change what is append-only nor switch a guard off."""

import os
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from papertrade.operations.roles import EVERYTHING, rights_on
from tests.services_plugin import APP_URL
from tests.stack.server import PROJECT

APPEND_ONLY = [
    "marketdata_quoterecord",
    "orders_fill",
    "portfolio_accountevent",
    "portfolio_auditreport",
    "portfolio_equitysnapshot",
    "portfolio_ledgerentry",
    "portfolio_ledgertransaction",
]
KEPT = ["orders_order", "portfolio_book"]


CALLED_BY_ALL = """
    SELECT proname FROM pg_proc p CROSS JOIN LATERAL aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) r
    WHERE prosecdef AND pronamespace = 'public'::regnamespace AND r.grantee = 0
"""


def prepare(owner: str, app: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "prepare"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        env={**os.environ, "DATABASE_URL": app, "DATABASE_OWNER_URL": owner},
    )


def as_app(database: str) -> str:
    """The url of the same database for the server's role."""
    return f"{os.environ[APP_URL].rsplit('/', 1)[0]}/{database.rsplit('/', 1)[1]}"


@pytest.fixture
def app(empty_database: str) -> Iterator[psycopg.Connection]:
    """A session of the server's role in a database that was prepared with two roles."""
    if APP_URL not in os.environ:
        pytest.skip("the database server is somebody else's, and its roles too")
    done = prepare(empty_database, as_app(empty_database))
    assert done.returncode == 0, done.stderr
    with psycopg.connect(as_app(empty_database), autocommit=True) as session:
        yield session


def refused(session: psycopg.Connection, statement: str) -> bool:
    try:
        session.execute(statement)
    except psycopg.errors.InsufficientPrivilege:
        return True
    return False


def test_it_can_do_what_serving_takes_and_nothing_to_the_guards(app: psycopg.Connection, empty_database: str) -> None:
    column = {
        table: app.execute(
            "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum = 1", [table]
        ).fetchone()[0]
        for table in [*APPEND_ONLY, *KEPT]
    }
    for table in [*APPEND_ONLY, *KEPT]:
        assert refused(app, f"DELETE FROM {table}"), table
        assert refused(app, f"TRUNCATE {table}"), table
        assert refused(app, f"DROP TABLE {table}"), table
        assert refused(app, f"ALTER TABLE {table} DISABLE TRIGGER USER"), table
        assert refused(app, f"CREATE TRIGGER mine AFTER INSERT ON {table} EXECUTE FUNCTION portfolio_refuse_change()")
        assert refused(app, f"UPDATE {table} SET {column[table]} = {column[table]}") == (table in APPEND_ONLY), table
    for statement in (
        "CREATE TABLE mine (id int)",
        "CREATE OR REPLACE FUNCTION portfolio_refuse_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "ALTER FUNCTION portfolio_refuse_change() OWNER TO CURRENT_USER",
        "SET session_replication_role = replica",
        "UPDATE django_migrations SET name = ''",
        "UPDATE portfolio_snapshotmonth SET rows = 0",
        "CREATE DATABASE mine",
    ):
        assert refused(app, statement), statement
    with psycopg.connect(empty_database) as owner:
        role = sql.Identifier(app.info.user)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(owner.info.user)))
        # Prepared again, as at every release, it has the same rights.
        owner.execute(sql.SQL("REVOKE ALL ON portfolio_book FROM {}").format(role))
        owner.execute("GRANT EXECUTE ON FUNCTION portfolio_thin_snapshots TO PUBLIC")  # as after a restore
        owner.commit()
        assert prepare(empty_database, as_app(empty_database)).returncode == 0
        assert owner.execute(CALLED_BY_ALL).fetchall() == []
    assert app.execute("SELECT count(*) FROM portfolio_book").fetchone() == (0,)


def test_one_role_that_owns_what_it_is_to_be_kept_from_is_refused(empty_database: str) -> None:
    if APP_URL not in os.environ:
        pytest.skip("the database server is somebody else's, and its roles too")
    with psycopg.connect(as_app(empty_database)) as session, psycopg.connect(empty_database) as owner:
        owner.execute(sql.SQL("GRANT CREATE ON SCHEMA public TO {}").format(sql.Identifier(session.info.user)))
        owner.commit()
        session.execute("CREATE TABLE mine (id int)")
    done = prepare(empty_database, as_app(empty_database))
    assert done.returncode != 0 and "REASSIGN OWNED BY papertrade TO papertrade_owner" in done.stderr


@pytest.mark.parametrize(
    ("table", "triggers", "rights"),
    [
        ("orders_fill", ["append_only", "append_only_truncate", "points_at_rows"], "SELECT, INSERT"),
        ("portfolio_book", ["kept", "kept_id", "kept_truncate"], "SELECT, INSERT, UPDATE"),
        ("portfolio_auditreport", [], "SELECT, INSERT"),
        ("accounts_apikey", [], EVERYTHING),
    ],
)
def test_rights_follow_from_the_triggers(table: str, triggers: list[str], rights: str) -> None:
    assert rights_on(table, triggers) == rights
