"""Writing many rows in few statements: a handful go as one INSERT in a pipeline, thousands as COPY.

The same call serves one order and a hundred thousand; all of it runs inside the caller's transaction.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection
from psycopg import sql

COPY_FROM_ROWS = 40  # below, the round trips of COPY cost more than it saves

Row = Sequence[Any]


@contextmanager
def raw_cursor() -> Iterator[psycopg.Cursor]:
    """A psycopg cursor of Django's connection, for pipelines and COPY. Errors are raised as Django's own."""
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        yield cursor


class Writer:
    """Collects rows per table and writes them in the order the tables were first named."""

    def __init__(self) -> None:
        self._inserts: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
        self._updates: dict[tuple[str, tuple[tuple[str, str], ...]], list[Row]] = {}

    def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
        """Rows to insert."""
        if rows:
            self._inserts.setdefault((table, columns), []).extend(rows)

    def update(self, table: str, columns: tuple[tuple[str, str], ...], rows: Sequence[Row]) -> None:
        """Rows to update; `columns` are (name, PostgreSQL type), the first of them the key."""
        if rows:
            self._updates.setdefault((table, columns), []).extend(rows)

    def write(self, cursor: psycopg.Cursor) -> None:
        """Write everything collected; small batches leave in the pipeline the caller may have opened."""
        for (table, columns), rows in self._updates.items():
            _update(cursor, table, columns, rows)
        for (table, names), rows in self._inserts.items():
            _insert(cursor, table, names, rows)
        self._inserts.clear()
        self._updates.clear()

    @property
    def is_small(self) -> bool:
        """Whether nothing in it needs COPY, which a pipeline cannot carry."""
        return all(len(rows) < COPY_FROM_ROWS for rows in self._inserts.values())


def write_all(cursor: psycopg.Cursor, *writers: Writer) -> None:
    """Write several writers, in one network round trip where the batches are small."""
    if all(writer.is_small for writer in writers):
        with cursor.connection.pipeline():
            for writer in writers:
                writer.write(cursor)
    else:
        for writer in writers:
            writer.write(cursor)


def _insert(cursor: psycopg.Cursor, table: str, columns: tuple[str, ...], rows: list[Row]) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    if len(rows) < COPY_FROM_ROWS:
        one = sql.SQL("({})").format(sql.SQL(", ").join([sql.Placeholder()] * len(columns)))
        statement = sql.SQL("INSERT INTO {} ({}) VALUES {}").format(
            sql.Identifier(table), names, sql.SQL(", ").join([one] * len(rows))
        )
        cursor.execute(statement, [value for row in rows for value in row])
        return
    with cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)) as copy:
        for row in rows:
            copy.write_row(row)


def _update(cursor: psycopg.Cursor, table: str, columns: tuple[tuple[str, str], ...], rows: list[Row]) -> None:
    key = sql.Identifier(columns[0][0])
    statement = sql.SQL(
        "UPDATE {table} AS t SET {sets} FROM unnest({arrays}) AS v({names}) WHERE t.{key} = v.{key}"
    ).format(
        table=sql.Identifier(table),
        sets=sql.SQL(", ").join(sql.SQL("{0} = v.{0}").format(sql.Identifier(name)) for name, _ in columns[1:]),
        arrays=sql.SQL(", ").join(sql.SQL("%s::{}[]").format(sql.SQL(kind)) for _, kind in columns),
        names=sql.SQL(", ").join(sql.Identifier(name) for name, _ in columns),
        key=key,
    )
    cursor.execute(statement, [list(values) for values in zip(*rows, strict=True)])
