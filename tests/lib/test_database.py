"""Connections of the pool: one that the server has ended is replaced, without anybody noticing."""

import psycopg
import pytest
from django.db import connection

pytestmark = pytest.mark.usefixtures("committed")


def pid() -> int:
    """The server's process behind the connection that is handed out now; the connection goes back to the pool."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        found = cursor.fetchone()[0]
    connection.close()
    return found


def test_the_same_connection_is_handed_out_again() -> None:
    first = pid()
    assert first in {pid() for _ in range(10)}


def test_connections_that_the_server_ended_are_not_handed_out() -> None:
    before = {pid() for _ in range(10)}
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
        )
    assert not before & {pid() for _ in range(10)}
