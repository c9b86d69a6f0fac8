"""A pooler between this process and PostgreSQL, such as PgBouncer: noticed when a connection is made.

Behind one, two statements may run in two sessions of the server. Work that cannot do with that refuses (`SessionNotOwn`);
statements are prepared only where the pooler keeps track of them.

A pooler in session mode is refused like any other. It differs from one in transaction mode only in what *another* client gets,
which no statement can show for certain: a session that stays ours may only mean that the pool has room. The mode can be read in
the pooler's console, to which this role has no access, and a reload may change it while locks are held.
"""

import secrets
import time
from typing import Any, Self

import psycopg

from papertrade.lib import tracing
from papertrade.lib.errors import Unavailable


class SessionNotOwn(Unavailable):
    """An advisory lock would be taken in a session that others use too, or that another one replaces at the next statement."""

    def __init__(self) -> None:
        super().__init__(
            "This work holds locks of a database session, and DATABASE_URL goes through a pooler (PgBouncer or the like), "
            "which may give a session to others and does not say whether it does, whatever its mode. Let the DATABASE_URL of "
            "feed, workers, commands and any web process whose clock endpoint is used name PostgreSQL itself."
        )


class Connection(psycopg.Connection[Any]):
    """A connection that knows whether PostgreSQL or a pooler is at its other end, and tells the trace how long it waited."""

    is_pooled = False
    keeps_statements = True

    @classmethod
    def connect(cls, *arguments: Any, **parameters: Any) -> Self:
        """As psycopg's, and asks who is there."""
        connection = super().connect(*arguments, **parameters)
        connection._look()
        return connection

    def wait(self, *arguments: Any, **options: Any) -> Any:
        """As psycopg's: everything that is waited for goes through here."""
        trace = tracing.current()
        if trace is None:
            return super().wait(*arguments, **options)
        began = time.perf_counter()
        try:
            return super().wait(*arguments, **options)
        finally:
            trace.database += time.perf_counter() - began

    def _look(self) -> None:
        with psycopg.Cursor(self) as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            self.is_pooled = cursor.fetchone() != (self.info.backend_pid,)  # a pooler makes up the pid that it tells
        if self.is_pooled and not self._pooler_keeps_statements():
            self.keeps_statements, self.prepare_threshold = False, None
        if not self.autocommit:
            self.rollback()

    def _pooler_keeps_statements(self) -> bool:
        """A pooler that follows prepared statements gives them names of its own, as many clients choose the same ones."""
        name = f"papertrade_{secrets.token_hex(8)}"
        with self.transaction(), psycopg.Cursor(self) as cursor:
            self.pgconn.prepare(name.encode(), b"SELECT 1")
            cursor.execute("SELECT FROM pg_prepared_statements WHERE name = %s", [name])
            if cursor.fetchone() is None:
                return True
            cursor.execute(f"DEALLOCATE {name}")
        return False
