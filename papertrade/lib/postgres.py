"""PostgreSQL beneath the ORM: a cursor for pipelines, COPY and prepared statements, rows by a fixed query, advisory locks.

It knows no table.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Generic, TypeVar

import psycopg
from django.conf import settings
from django.db import InterfaceError, InternalError, OperationalError, connection, transaction
from django.db.models import JSONField, Model, QuerySet

from papertrade.lib import env
from papertrade.lib.batch import Batch
from papertrade.lib.pooling import SessionNotOwn

Row = TypeVar("Row", bound=Model)


@contextmanager
def raw_cursor() -> Iterator[psycopg.Cursor]:
    """A psycopg cursor of Django's connection.

    Values are bound by the server, so PostgreSQL plans a statement once. Errors are raised as Django's own.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        yield cursor


@contextmanager
def connected_batch() -> Iterator[Batch]:
    """A batch on Django's connection. Errors are raised as Django's own."""
    connection.ensure_connection()
    with connection.wrap_database_errors, Batch(connection.connection) as batch:
        yield batch


@contextmanager
def one_instant(*, writing: bool = False) -> Iterator[None]:
    """Let several statements read as of one instant, while others write. Inside an open transaction that one's rules hold.

    With `writing` it may write, and fails where a row that it locks or changes has changed since then (`is_too_late`).
    """
    nested = connection.in_atomic_block
    with transaction.atomic():
        if not nested:
            with raw_cursor() as cursor:
                mode = "READ WRITE" if writing else "READ ONLY"
                cursor.execute(f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, {mode}")
        yield


def is_too_late(error: OperationalError) -> bool:
    """Whether the error says that a row has changed since the instant as of which the transaction reads."""
    return isinstance(error.__cause__, psycopg.errors.SerializationFailure)


@contextmanager
def as_owner() -> Iterator[None]:
    """Work as the role that owns the tables, DATABASE_OWNER_URL, where one is named: for commands, in one thread.

    Django's connection goes on as that role, and as the usual one afterwards.
    """
    url = env.owner_url(settings.PAPERTRADE_VAR)
    if not url:
        yield
        return
    place, parameters = env.database(url)
    usual = connection.settings_dict
    _reconnect({**usual, **place, "OPTIONS": {**usual["OPTIONS"], **parameters}})
    try:
        yield
    finally:
        _reconnect(usual)


def _reconnect(settings_dict: dict[str, Any]) -> None:
    connection.close()
    connection.close_pool()
    connection.settings_dict = settings_dict


def try_lock(key: int) -> bool:
    """Take an advisory lock for this database session; whether it was free. It ends with the session at the latest.

    Raises SessionNotOwn behind a pooler.
    """
    return _in_own_session("pg_try_advisory_lock", key)


def lock(key: int) -> None:
    """The same, but waits for it; at most for the session's lock_timeout."""
    _in_own_session("pg_advisory_lock", key)


def unlock(key: int) -> None:
    """Release an advisory lock of this database session; where the session has ended, so has the lock."""
    with suppress(OperationalError, InterfaceError, InternalError), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def require_own_session() -> None:
    """Raises SessionNotOwn where a pooler stands between this process and PostgreSQL."""
    _in_own_session("abs", 0)


def _in_own_session(function: str, key: int) -> Any:
    """What the function returns. Raises SessionNotOwn, without calling it, in a session that is not this connection's own."""
    connection.ensure_connection()
    own = connection.connection.info.backend_pid
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {function}(%s) WHERE pg_backend_pid() = %s", [key, own])
        found = cursor.fetchone()
    if found is None:
        raise SessionNotOwn
    return found[0]


def fetch(cursor: psycopg.Cursor, rows: "QuerySet[Row]") -> list[Row]:
    """The rows of a query as the ORM gives them, in a third of the time: they come in PostgreSQL's binary format."""
    statement, values = rows.query.sql_with_params()
    found = cursor.execute(statement, values, binary=True).fetchall()
    return instances(rows.model, found)


class FixedQuery(Generic[Row]):
    """A query that is composed once and run many times, for the look-ups that every request makes.

    `rows` has as many filter values as `one` will be given, in their order; composing a query costs more than running it.
    `with_related` names a foreign key whose row is read along.
    """

    def __init__(self, rows: "QuerySet[Row]", *, with_related: str = "") -> None:
        self._rows = rows.select_related(with_related) if with_related else rows
        self._related = with_related
        self._statement = ""

    def one(self, values: Sequence[Any]) -> Row | None:
        """The first row for these values, or None."""
        with connected_batch() as batch:
            row = self.ask(batch, values)
        return row()

    def ask(self, batch: Batch, values: Sequence[Any]) -> Callable[[], Row | None]:
        """The same as a statement of a batch: call what is returned, once the batch was sent, for the row."""
        if not self._statement:
            self._statement, _ = self._rows.query.sql_with_params()
        reply = batch.execute(self._statement, values)
        return lambda: self._first(reply.rows())

    def _first(self, rows: Sequence[Sequence[Any]]) -> Row | None:
        if not rows:
            return None
        found = rows[0]
        model = self._rows.model
        own = len(model._meta.concrete_fields)
        [row] = instances(model, [found[:own]])
        if self._related:
            [related] = instances(model._meta.get_field(self._related).related_model, [found[own:]])
            setattr(row, self._related, related)
        return row


def instances(model: type[Row], rows: Sequence[Sequence[Any]]) -> list[Row]:
    """Instances of a model from rows of all its columns, in their order, as the ORM makes them."""
    fields = model._meta.concrete_fields
    names = [field.attname for field in fields]
    if texts := [place for place, field in enumerate(fields) if isinstance(field, JSONField)]:
        rows = [_with_json(row, texts) for row in rows]
    return [model.from_db(connection.alias, names, row) for row in rows]


def _with_json(row: Sequence[Any], places: Sequence[int]) -> list[Any]:
    """Django leaves jsonb as text on its connections."""
    values = list(row)
    for place in places:
        if isinstance(values[place], str):
            values[place] = json.loads(values[place])
    return values
