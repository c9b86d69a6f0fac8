"""The database backend of the settings: Django's own, but for how a pooled connection is looked at before it is handed out.

Asking the server would cost every request a round trip, a twentieth of a submit. A server that ends a connection says so on
its socket, so looking there is enough; one that vanishes without a word is noticed by keepalives, as it would be otherwise.

Where a connection is lost during a commit, nobody knows whether that took place: this has an error of its own.
"""

import select
from typing import Any

from django.db import OperationalError
from django.db.backends.postgresql import base
from psycopg import Connection

SHUTDOWN = "57P"  # the class of SQLSTATEs with which a server ends


class CommitLost(OperationalError):
    """What was to be committed may be stored, or may not be."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Does not hand out a connection that the server has ended, and tells a commit that was lost from one that was refused."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        while True:
            connection = super().get_new_connection(conn_params)
            if not self.pool or not has_ended(connection):
                return connection
            connection.close()
            self.pool.putconn(connection)  # which opens another in its place

    def _commit(self) -> None:
        asked = self.connection is not None and not self.connection.closed
        try:
            super()._commit()
        except OperationalError as error:
            state = getattr(error.__cause__, "sqlstate", None)
            if asked and (state is None or state.startswith(SHUTDOWN)):
                raise CommitLost(*error.args) from error.__cause__
            raise


def has_ended(connection: Connection) -> bool:
    """Whether the server has said something that nobody asked for: between two requests that is its farewell."""
    look = select.poll()
    look.register(connection.pgconn.socket, select.POLLIN)
    return bool(look.poll(0))
