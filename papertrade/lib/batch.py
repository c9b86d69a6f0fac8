"""Statements that travel together: one message to PostgreSQL and one back, whatever their number.

psycopg's own pipeline sends each statement by itself, and waits where a transaction begins and where pipelines nest: a submit
took twelve round trips. This is libpq's pipeline mode without those waits. It knows no table.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import count
from types import TracebackType
from typing import Any, Protocol, TypeVar
from weakref import WeakKeyDictionary

import psycopg
from psycopg import abc, adapt, generators, pq

MOST_PREPARED = 100  # statements of a connection; further ones are parsed each time
FINE = {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}

Made = TypeVar("Made")


class _Session:
    """What is known of one connection: how values are written and read there, and the names of prepared statements."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        # Of the adapters and not of the connection, which it would keep alive.
        self.values: abc.Transformer = adapt.Transformer(connection.adapters)
        self.prepared: dict[str, bytes] = {}
        self.numbers = count(1)


_sessions: WeakKeyDictionary[psycopg.Connection[Any], _Session] = WeakKeyDictionary()


class Executes(Protocol):
    """A batch, or a cursor: whatever takes a statement with its values."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Any: ...


class Reply:
    """The answer to one statement, once the batch was sent."""

    result: pq.abc.PGresult

    def __init__(self, values: abc.Transformer) -> None:
        self._values = values

    def take(self, result: pq.abc.PGresult) -> None:
        self.result = result

    def rows(self, make: Callable[[Sequence[Any]], Made] = tuple) -> list[Made]:  # type: ignore[assignment]
        """The rows, each made of its values."""
        self._values.set_pgresult(self.result)
        return self._values.load_rows(0, self.result.ntuples, make)


@dataclass(slots=True)
class _Step:
    """One thing to send, and what is done with its result."""

    send: Callable[[], None]
    then: Callable[[pq.abc.PGresult], None] | None = None


class Batch:
    """Collects statements, and sends them where the `with` block ends; it sends nothing where that raises.

    They are executed in order, and each sees what the ones before it did. The first that fails ends the batch, and its error
    is raised. Where autocommit is off and no transaction has begun, one begins with the first.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        session = _sessions.get(connection)
        if session is None:
            session = _sessions[connection] = _Session(connection)
        self._connection, self._pgconn, self._session = connection, connection.pgconn, session
        self._steps: list[_Step] = []
        self._preparing: dict[str, bytes] = {}

    def __enter__(self) -> "Batch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._steps:
            self._send()

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Reply:
        """Add a statement with `%s` for each value. Values are sent as text, and PostgreSQL infers their types."""
        reply = Reply(self._session.values)
        written = self._session.values.dump_sequence(values, [adapt.PyFormat.TEXT] * len(values))
        name = self._name_of(statement)
        if name:
            send = partial(self._pgconn.send_query_prepared, name, written)
        else:
            send = partial(self._pgconn.send_query_params, _numbered(statement), written)
        self._steps.append(_Step(send, reply.take))
        return reply

    def _name_of(self, statement: str) -> bytes | None:
        """The name of the prepared statement; None where this connection has prepared enough of them."""
        prepared = self._session.prepared
        name = prepared.get(statement) or self._preparing.get(statement)
        if name is None and len(prepared) + len(self._preparing) < MOST_PREPARED:
            # A number of its own each time: one that was given in a batch that failed may be in use.
            name = self._preparing[statement] = b"batch_%d" % next(self._session.numbers)

            def keep(_: pq.abc.PGresult, name: bytes = name) -> None:
                prepared[statement] = name

            self._steps.append(_Step(partial(self._pgconn.send_prepare, name, _numbered(statement)), keep))
        return name

    def _send(self) -> None:
        if not self._connection.autocommit and self._pgconn.transaction_status == pq.TransactionStatus.IDLE:
            self._steps.insert(0, _Step(partial(self._pgconn.send_query_params, b"BEGIN", None)))
        self._pgconn.enter_pipeline_mode()
        try:
            results = self._connection.wait(self._exchange())
            self._pgconn.exit_pipeline_mode()
        except BaseException:
            self._connection.close()  # nobody knows what is still on its way
            raise
        failed = None
        for step, result in zip(self._steps, results, strict=False):
            if result.status not in FINE:
                failed = failed or result
            elif step.then is not None:
                step.then(result)
        if failed is not None:
            raise psycopg.errors.error_from_result(failed)

    def _exchange(self) -> abc.PQGen[list[pq.abc.PGresult]]:
        """Put everything into the buffer, flush it, and fetch the result of each step."""
        for step in self._steps:
            step.send()
        self._pgconn.pipeline_sync()
        yield from generators.send(self._pgconn)
        results = []
        for _ in self._steps:
            results += yield from generators.fetch_many(self._pgconn)
        yield from generators.fetch_many(self._pgconn)  # of the sync
        return results


@cache
def _numbered(statement: str) -> bytes:
    """The statement with `$1`, `$2` and so on for each `%s`."""
    numbers: Iterator[int] = count(1)
    return re.sub("%([%s])", lambda found: "%" if found[1] == "%" else f"${next(numbers)}", statement).encode()
