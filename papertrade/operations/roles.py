"""Two roles: one owns the tables and migrates them, the other does everything else and has no rights beyond that.

A table's triggers say how it may be used (architecture.md, "What the database enforces"), and the rights follow from them, so
that a new table is covered by its own migration.
"""

from collections.abc import Callable

from django.core.management import call_command
from django.db import ProgrammingError, connection, transaction
from psycopg import sql

from papertrade.lib.postgres import as_owner, raw_cursor
from papertrade.operations import upgrading

EVERYTHING = (
    "SELECT, INSERT, UPDATE, DELETE"  # of the rows; of the table itself nothing: no TRUNCATE, TRIGGER, REFERENCES
)
BY_TRIGGER = {"append_only": "SELECT, INSERT", "kept": "SELECT, INSERT, UPDATE"}
BY_TABLE = {
    "django_migrations": "SELECT",
    "portfolio_auditreport": "SELECT, INSERT",
    "portfolio_audit": "SELECT, INSERT, UPDATE",
    "portfolio_snapshotmonth": "SELECT",  # written by the database's own functions
}


class RoleError(Exception):
    """The roles cannot be used as they are; the message says what to do."""


def migrate(*, say: Callable[[str], object], only_say: bool = False) -> None:
    """Bring the tables up to this release, as their owner, and give the server's role its rights; `say` first what is due.

    Where DATABASE_OWNER_URL is not set, or names the same role, that role does everything and nothing is granted. Raises
    RoleError, UnfitError, SessionNotOwn.
    """
    role, password = connection.settings_dict["USER"], connection.settings_dict["PASSWORD"]
    with as_owner():
        upgrading.refuse_unfit()
        for sentence in upgrading.plan():
            say(sentence)
        if only_say:
            return
        two = connection.settings_dict["USER"] != role
        if two:
            _make(role, password)
        call_command("migrate", verbosity=0)
        if two:
            _grant(role)


def _make(role: str, password: str) -> None:
    """Make the server's role, if it is missing. Raises RoleError where it could get around the rights that it is given."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT rolsuper OR pg_has_role(oid, current_user, 'MEMBER') FROM pg_roles WHERE rolname = %s", [role]
        )
        known = cursor.fetchone()
        cursor.execute("SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = 'public' AND tableowner = %s)", [role])
        if known and known[0]:
            raise RoleError(
                f"The role {role} of DATABASE_URL is a superuser, or a member of the role of DATABASE_OWNER_URL: it could "
                "switch off every guard. Name another one."
            )
        if cursor.fetchone()[0]:
            raise RoleError(
                f"The role {role} of DATABASE_URL owns tables. As a superuser: REASSIGN OWNED BY {role} TO "
                f"{connection.settings_dict['USER']}"
            )
        if not known:
            create = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
            try:
                cursor.execute(create)
            except ProgrammingError:
                raise RoleError(
                    f"There is no role {role}, which DATABASE_URL names, and the owner may not make one. As a superuser: "
                    f"CREATE ROLE {role} LOGIN PASSWORD '...'"
                ) from None


_TABLES = """
    SELECT c.relname, coalesce(array_agg(t.tgname) FILTER (WHERE t.tgname IS NOT NULL), '{}')
    FROM pg_class c LEFT JOIN pg_trigger t ON t.tgrelid = c.oid AND NOT t.tgisinternal
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    GROUP BY c.relname
"""


# Views, and the functions that do one thing each as the owner.
_VIEWS_AND_FUNCTIONS = """
    SELECT 'TABLE', oid::regclass::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'v'
    UNION ALL
    SELECT 'FUNCTION', oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef
"""


def _grant(role: str) -> None:
    """Grant all rights anew, in one transaction, so that there is no moment without them."""
    to = sql.Identifier(role)
    with transaction.atomic(), raw_cursor() as cursor:
        cursor.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        cursor.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(to))
        cursor.execute(sql.SQL("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}").format(to))
        for kind, name in cursor.execute(_VIEWS_AND_FUNCTIONS).fetchall():
            right = sql.SQL("SELECT" if kind == "TABLE" else "EXECUTE")
            # A function is everybody's until it is taken back, also after a restore, which brings no rights along.
            cursor.execute(sql.SQL("REVOKE ALL ON {} {} FROM PUBLIC").format(sql.SQL(kind), sql.SQL(name)))
            cursor.execute(sql.SQL("GRANT {} ON {} {} TO {}").format(right, sql.SQL(kind), sql.SQL(name), to))
        for table, triggers in cursor.execute(_TABLES).fetchall():
            name = sql.Identifier(table)
            rights = sql.SQL(rights_on(table, triggers))
            cursor.execute(sql.SQL("REVOKE ALL ON {} FROM {}").format(name, to))
            cursor.execute(sql.SQL("GRANT {} ON {} TO {}").format(rights, name, to))


def rights_on(table: str, triggers: list[str]) -> str:
    """What the server's role may do with the rows of a table that has these triggers."""
    if table in BY_TABLE:
        return BY_TABLE[table]
    return next((rights for trigger, rights in BY_TRIGGER.items() if trigger in triggers), EVERYTHING)
