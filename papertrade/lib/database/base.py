"""The database backend of the settings: Django's own, but for how a pooled connection is looked at before it is handed out.

Asking the server costs every request a round trip, a twentieth of a submit. A server that ended a connection has said so on
its socket, so looking there is enough; one that vanished without a word is found out by keepalives, as it would be otherwise.
"""

import select
from typing import Any

from django.db.backends.postgresql import base
from psycopg import Connection


class DatabaseWrapper(base.DatabaseWrapper):
    """Does not hand out a connection that the server has ended."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        while True:
            connection = super().get_new_connection(conn_params)
            if not self.pool or not has_ended(connection):
                return connection
            connection.close()
            self.pool.putconn(connection)  # which opens another in its place


def has_ended(connection: Connection) -> bool:
    """Whether the server has said something that nobody asked for: between two requests that is its farewell."""
    look = select.poll()
    look.register(connection.pgconn.socket, select.POLLIN)
    return bool(look.poll(0))
