"""Writing many rows in few statements: a handful go in one batch, thousands as COPY.

The same call serves one order and a hundred thousand; all of it runs inside the caller's transaction.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

from papertrade.lib.batch import Batch, Executes

COPY_FROM_ROWS = 40  # below, the round trips of COPY cost more than it saves

Row = Sequence[Any]


class Writer:
    """Collects rows per table and writes them in the order the tables were first named."""

    def __init__(self) -> None:
        self._first: list[Callable[[Executes], None]] = []
        self._inserts: dict[tuple[str, tuple[str, ...]], list[Row]] = {}
        self._updates: dict[tuple[str, type[NamedTuple]], list[Row]] = {}

    def before(self, write: Callable[[Executes], None]) -> None:
        """Something that other rows point at, and that writes itself."""
        self._first.append(write)

    def insert(self, table: str, columns: tuple[str, ...], rows: Sequence[Row]) -> None:
        """Rows to insert."""
        if rows:
            self._inserts.setdefault((table, columns), []).extend(rows)

    def update(self, table: str, kind: type[NamedTuple], rows: Sequence[Row]) -> None:
        """Rows of that kind to update: its fields are the columns, the first of them the key."""
        if rows:
            self._updates.setdefault((table, kind), []).extend(rows)

    def write(self, to: Executes) -> None:
        """Write everything collected. Much of it is copied, which a cursor can and a batch cannot."""
        for write in self._first:
            write(to)
        for (table, kind), rows in self._updates.items():
            _update(to, table, kind._fields, rows)
        for (table, names), rows in self._inserts.items():
            _insert(to, table, names, rows)

    @property
    def is_small(self) -> bool:
        """Whether nothing in it needs COPY, which a batch cannot carry."""
        return all(len(rows) < COPY_FROM_ROWS for rows in [*self._inserts.values(), *self._updates.values()])


def write_all(cursor: psycopg.Cursor, *writers: Writer) -> None:
    """Write several writers, in one network round trip where the batches are small."""
    if all(writer.is_small for writer in writers):
        with Batch(cursor.connection) as batch:
            for writer in writers:
                writer.write(batch)
    else:
        for writer in writers:
            writer.write(cursor)


def _insert(to: Executes, table: str, columns: tuple[str, ...], rows: list[Row]) -> None:
    if len(rows) < COPY_FROM_ROWS:
        to.execute(_insert_statement(table, columns, len(rows)), [value for row in rows for value in row])
        return
    assert isinstance(to, psycopg.Cursor), "only a cursor copies"
    _copy(to, table, columns, rows, like=table)


def _update(to: Executes, table: str, columns: tuple[str, ...], rows: list[Row]) -> None:
    if len(rows) < COPY_FROM_ROWS:
        for key, *values in rows:
            to.execute(_update_statement(table, columns), [*values, key])
        return
    assert isinstance(to, psycopg.Cursor), "only a cursor copies"
    # Thousands of values are cheaper to copy into a scratch table than to bind.
    scratch = f"scratch_{table}"
    to.execute(_scratch_statement(table, scratch, columns))
    _copy(to, scratch, columns, rows, like=table)
    to.execute(_update_from_statement(table, scratch, columns))
    to.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(scratch)))


def _copy(cursor: psycopg.Cursor, table: str, columns: tuple[str, ...], rows: list[Row], *, like: str) -> None:
    """COPY in binary, half the cost of text; it needs to be told the types, which are those of the table `like`."""
    types = _types(cursor, like)
    with cursor.copy(_copy_statement(table, columns)) as copy:
        copy.set_types([types[column] for column in columns])
        for row in rows:
            copy.write_row(row)


_known_types: dict[str, dict[str, int]] = {}


def _types(cursor: psycopg.Cursor, table: str) -> dict[str, int]:
    """The type of each column, by its oid."""
    if table not in _known_types:
        columns = cursor.execute(
            "SELECT attname, atttypid::bigint FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0", [table]
        )
        _known_types[table] = dict(columns.fetchall())
    return _known_types[table]


# The statements are few and composing one costs as much as running it, so each is composed once.


@cache
def _insert_statement(table: str, columns: tuple[str, ...], rows: int) -> str:
    one = sql.SQL("({})").format(sql.SQL(", ").join([sql.Placeholder()] * len(columns)))
    return (
        sql.SQL("INSERT INTO {} ({}) VALUES {}")
        .format(sql.Identifier(table), _names(columns), sql.SQL(", ").join([one] * rows))
        .as_string()
    )


@cache
def _copy_statement(table: str, columns: tuple[str, ...]) -> str:
    return sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)").format(sql.Identifier(table), _names(columns)).as_string()


@cache
def _update_statement(table: str, columns: tuple[str, ...]) -> str:
    key, *changed = map(sql.Identifier, columns)
    sets = sql.SQL(", ").join(sql.SQL("{} = %s").format(name) for name in changed)
    return sql.SQL("UPDATE {} SET {} WHERE {} = %s").format(sql.Identifier(table), sets, key).as_string()


@cache
def _scratch_statement(table: str, scratch: str, columns: tuple[str, ...]) -> str:
    return (
        sql.SQL("CREATE TEMP TABLE IF NOT EXISTS {} ON COMMIT DELETE ROWS AS SELECT {} FROM {} WITH NO DATA")
        .format(sql.Identifier(scratch), _names(columns), sql.Identifier(table))
        .as_string()
    )


@cache
def _update_from_statement(table: str, scratch: str, columns: tuple[str, ...]) -> str:
    return (
        sql.SQL("UPDATE {table} AS t SET {sets} FROM {scratch} AS v WHERE t.{key} = v.{key}")
        .format(
            table=sql.Identifier(table),
            scratch=sql.Identifier(scratch),
            sets=sql.SQL(", ").join(sql.SQL("{0} = v.{0}").format(sql.Identifier(name)) for name in columns[1:]),
            key=sql.Identifier(columns[0]),
        )
        .as_string()
    )


def _names(columns: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
