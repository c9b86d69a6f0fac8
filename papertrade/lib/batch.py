"""Statements that travel together: one message to PostgreSQL and one back, whatever their number.

psycopg's own pipeline sends each statement by itself, and waits where a transaction begins and where pipelines nest: with it a
submit takes twelve round trips. This is libpq's pipeline mode without those waits. Which statements are prepared is left to the
connection (psycopg's PrepareManager), since it forgets all of them after a rollback. It knows no table.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from itertools import count
from types import TracebackType
from typing import Any, NamedTuple, Protocol, TypeVar, overload
from weakref import WeakKeyDictionary

import psycopg
from psycopg import abc, adapt, generators, pq
from psycopg._preparing import Prepare

FINE = {pq.ExecStatus.COMMAND_OK, pq.ExecStatus.TUPLES_OK}

Made = TypeVar("Made")

# How values are written and read on each connection. Made of its adapters, not of the connection, which it would keep alive.
_values: WeakKeyDictionary[psycopg.Connection[Any], abc.Transformer] = WeakKeyDictionary()


class Executes(Protocol):
    """A batch, or a cursor: whatever takes a statement with its values."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Any: ...


class Reply:
    """The answer to one statement, once the batch was sent."""

    result: pq.abc.PGresult

    def __init__(self, values: abc.Transformer) -> None:
        self._values = values

    @overload
    def rows(self) -> list[tuple[Any, ...]]: ...

    @overload
    def rows(self, make: Callable[[Sequence[Any]], Made]) -> list[Made]: ...

    def rows(self, make: Callable[[Sequence[Any]], Any] = tuple) -> list[Any]:
        """The rows, each made of its values."""
        self._values.set_pgresult(self.result)
        return self._values.load_rows(0, self.result.ntuples, make)


class _Query(NamedTuple):
    """A statement as psycopg's manager of prepared statements knows it."""

    query: bytes
    types: tuple[int, ...] = ()


class _Step(NamedTuple):
    """One thing to send, and what is done with its result, good or bad."""

    send: Callable[[], None]
    then: Callable[[pq.abc.PGresult], None]


class Batch:
    """Collects statements and sends them when the `with` block ends, or not at all if the block raises.

    They are executed in order, and each sees what those before it did. The first that fails ends the batch, and its error is
    raised. Where autocommit is off and no transaction is open, the batch begins one.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        values = _values.get(connection)
        if values is None:
            values = _values[connection] = adapt.Transformer(connection.adapters)
        self._connection, self._values = connection, values
        self._statements: list[tuple[str, Sequence[abc.Buffer | None], Reply]] = []

    def __enter__(self) -> "Batch":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self._statements:
            self._send()

    def execute(self, statement: str, values: Sequence[Any] = (), /) -> Reply:
        """Add a statement with `%s` for each value. Values are sent as text, and PostgreSQL infers their types."""
        written = self._values.dump_sequence(values, [adapt.PyFormat.TEXT] * len(values))
        reply = Reply(self._values)
        self._statements.append((statement, written, reply))
        return reply

    def _send(self) -> None:
        connection, pgconn = self._connection, self._connection.pgconn
        steps = list(self._steps())
        pgconn.enter_pipeline_mode()
        try:
            results = connection.wait(_exchange(pgconn, steps))
            pgconn.exit_pipeline_mode()
        except BaseException:
            connection.close()  # nobody knows what is still on its way
            raise
        for step, result in zip(steps, results, strict=False):
            step.then(result)
        failed = next((result for result in results if result.status not in FINE), None)
        if failed is not None:
            connection._prepared.clear()  # what came after the failure was not prepared
        if pgconn.transaction_status != pq.TransactionStatus.INERROR:
            connection.wait(connection._prepared.maintain_gen(connection))
        if failed is not None:
            raise psycopg.errors.error_from_result(failed)

    def _steps(self) -> Iterator[_Step]:
        connection, pgconn = self._connection, self._connection.pgconn
        manager: Any = connection._prepared
        if not connection.autocommit and pgconn.transaction_status == pq.TransactionStatus.IDLE:
            yield _Step(partial(pgconn.send_query_params, b"BEGIN", None), nothing)
        for statement, written, reply in self._statements:
            query = _numbered(statement)
            prepare, name = manager.get(query)
            if prepare is Prepare.SHOULD:
                yield _Step(partial(pgconn.send_prepare, name, query.query), nothing)
            key = manager.maybe_add_to_cache(query, prepare, name)
            if prepare is Prepare.NO:
                send = partial(pgconn.send_query_params, query.query, written)
            else:
                send = partial(pgconn.send_query_prepared, name, written)

            def take(
                result: pq.abc.PGresult, reply: Reply = reply, known: tuple[Any, ...] = (key, prepare, name)
            ) -> None:
                reply.result = result
                if known[0] is not None:
                    manager.validate(*known, [result])

            yield _Step(send, take)


def _exchange(pgconn: pq.abc.PGconn, steps: Sequence[_Step]) -> abc.PQGen[list[pq.abc.PGresult]]:
    """Put everything into the buffer, flush it, and fetch the result of each step."""
    for step in steps:
        step.send()
    pgconn.pipeline_sync()
    yield from generators.send(pgconn)
    results = []
    for _ in steps:
        results += yield from generators.fetch_many(pgconn)
    yield from generators.fetch_many(pgconn)  # of the sync
    return results


def nothing(_: pq.abc.PGresult) -> None:
    """What is done with a result that says nothing."""


@cache
def _numbered(statement: str) -> _Query:
    """The statement with `$1`, `$2` and so on for each `%s`."""
    numbers = count(1)
    return _Query(re.sub("%([%s])", lambda found: "%" if found[1] == "%" else f"${next(numbers)}", statement).encode())
