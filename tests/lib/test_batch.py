"""Statements in one message: what a caller may rely on, also when one of them fails."""

import gc
import weakref
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection

from orders.terms import Side
from papertrade.lib.batch import Batch

pytestmark = pytest.mark.django_db


@pytest.fixture
def conn(django_db_setup: None) -> Iterator[psycopg.Connection[Any]]:
    """A connection of its own to the test database, with a table that goes when it ends."""
    with psycopg.connect(**connection.get_connection_params()) as own:
        own.execute("CREATE TEMP TABLE thing (id bigint PRIMARY KEY, what text)")
        own.commit()
        yield own


def add(batch: Batch, number: int, what: str | None = None) -> None:
    batch.execute("INSERT INTO thing VALUES (%s, %s)", [number, what])


def things(conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    with Batch(conn) as batch:
        reply = batch.execute("SELECT id, what FROM thing ORDER BY id")
    return reply.rows()


def test_each_statement_sees_what_the_ones_before_it_did(conn: psycopg.Connection[Any]) -> None:
    with Batch(conn) as batch:
        before = batch.execute("SELECT count(*) FROM thing")
        add(batch, 1, "a")
        after = batch.execute("SELECT count(*) FROM thing")
    assert (before.rows(), after.rows()) == ([(0,)], [(1,)])


def test_a_transaction_begins_with_the_first_and_goes_on_until_it_is_ended(conn: psycopg.Connection[Any]) -> None:
    with Batch(conn) as batch:
        add(batch, 1)
    assert conn.info.transaction_status == psycopg.pq.TransactionStatus.INTRANS
    with Batch(conn) as batch:
        add(batch, 2)
    conn.rollback()
    assert things(conn) == []


def test_with_autocommit_a_batch_is_done_or_not_done_as_a_whole(conn: psycopg.Connection[Any]) -> None:
    conn.autocommit = True
    with Batch(conn) as batch:
        add(batch, 1)
    with pytest.raises(psycopg.errors.UniqueViolation), Batch(conn) as batch:
        add(batch, 2)
        add(batch, 1)
    assert things(conn) == [(1, None)]


def test_the_first_failure_is_raised_and_what_comes_after_it_is_not_done(conn: psycopg.Connection[Any]) -> None:
    for _ in range(3):  # what was prepared in a batch that failed is no hindrance to the next
        with pytest.raises(psycopg.errors.DivisionByZero), Batch(conn) as batch:
            add(batch, 1)
            batch.execute("SELECT 1 / %s::int", [0])
            batch.execute("SELECT nothing_of_that_name")
        assert conn.info.transaction_status == psycopg.pq.TransactionStatus.INERROR
        conn.rollback()
    assert things(conn) == []


def test_what_a_failure_kept_from_being_prepared_is_prepared_the_next_time(conn: psycopg.Connection[Any]) -> None:
    conn.autocommit, conn.prepare_threshold = True, 1
    with Batch(conn) as batch:
        add(batch, 1)
    with pytest.raises(psycopg.errors.DivisionByZero), Batch(conn) as batch:
        batch.execute("SELECT 1 / %s::int", [0])
        add(batch, 2)  # would be prepared now
    for number in (2, 3):
        with Batch(conn) as batch:
            add(batch, number)
    assert things(conn) == [(1, None), (2, None), (3, None)]


def test_nothing_is_sent_where_the_block_raises(conn: psycopg.Connection[Any]) -> None:
    with pytest.raises(KeyError), Batch(conn) as batch:
        add(batch, 1)
        raise KeyError
    with Batch(conn):
        pass
    assert conn.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert things(conn) == []


def test_a_value_that_cannot_be_sent_leaves_the_connection_as_it_was(conn: psycopg.Connection[Any]) -> None:
    conn.prepare_threshold = 0
    with pytest.raises(psycopg.DataError), Batch(conn) as batch:
        add(batch, 1, "a")
        add(batch, 1, "a\0b")
    with Batch(conn) as batch:
        add(batch, 1, "a")
    assert things(conn) == [(1, "a")]


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bigint", 2**40),
        ("numeric", Decimal("12345678901234567890.123456789012")),
        ("text", "a 'quoted' %s and % — ünï"),
        ("text", ""),
        ("boolean", False),
        ("uuid", UUID("018f2f5e-0000-7000-8000-000000000001")),
        ("timestamptz", datetime(2026, 11, 25, 14, 30, 0, 123456, tzinfo=UTC)),
        ("date", date(2026, 11, 25)),
        ("numeric[]", [Decimal("1.10"), None]),
        ("text[]", ["a,b", 'c"d']),
    ],
)
def test_values_come_back_as_they_went(conn: psycopg.Connection[Any], kind: str, value: object) -> None:
    with Batch(conn) as batch:
        given = batch.execute(f"SELECT %s::{kind}, '100 %%'", [value])
        none = batch.execute(f"SELECT %s::{kind}, '100 %%'", [None])
    assert given.rows() == [(value, "100 %")]
    assert none.rows() == [(None, "100 %")]


def test_a_word_of_an_enum_is_its_text(conn: psycopg.Connection[Any]) -> None:
    with Batch(conn) as batch:
        reply = batch.execute("SELECT %s::text", [Side.BUY])
    assert reply.rows() == [("buy",)]


def test_what_is_sent_often_is_prepared_and_a_rollback_that_forgets_it_is_no_hindrance(
    conn: psycopg.Connection[Any],
) -> None:
    conn.prepare_threshold = 1
    for _ in range(3):
        add_again = "INSERT INTO thing VALUES (%s, %s) ON CONFLICT (id) DO NOTHING"
        for _ in range(3):
            with Batch(conn) as batch:
                for number in range(5):
                    batch.execute(add_again, [number, "a"])
        [(prepared,)] = conn.execute("SELECT count(*) FROM pg_prepared_statements").fetchall()
        assert prepared
        conn.rollback()  # psycopg deallocates everything
    assert things(conn) == []


def test_no_more_statements_are_prepared_than_the_connection_keeps(conn: psycopg.Connection[Any]) -> None:
    conn.prepare_threshold, conn.prepared_max = 1, 10
    for _ in range(3):
        with Batch(conn) as batch:
            replies = [batch.execute(f"SELECT {number} + %s::int", [1]) for number in range(30)]
        assert [reply.rows() for reply in replies] == [[(number + 1,)] for number in range(30)]
    [(prepared,)] = conn.execute("SELECT count(*) FROM pg_prepared_statements").fetchall()
    assert prepared <= 10


def test_more_than_the_sockets_hold_goes_both_ways(conn: psycopg.Connection[Any]) -> None:
    long = "x" * 1_000_000
    with Batch(conn) as batch:
        replies = [batch.execute("SELECT %s::text", [long]) for _ in range(20)]
    assert all(reply.rows() == [(long,)] for reply in replies)


def test_a_connection_that_died_says_so(conn: psycopg.Connection[Any]) -> None:
    conn.autocommit = True
    with pytest.raises(psycopg.OperationalError), Batch(conn) as batch:
        batch.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        batch.execute("SELECT 1")
    assert conn.closed


def test_nothing_is_kept_of_a_connection_that_is_gone(django_db_setup: None) -> None:
    own = psycopg.connect(**connection.get_connection_params())
    assert things_of_none(own) == [(1,)]
    gone = weakref.ref(own)
    own.close()
    del own
    gc.collect()
    assert gone() is None


def things_of_none(conn: psycopg.Connection[Any]) -> list[tuple[Any, ...]]:
    with Batch(conn) as batch:
        reply = batch.execute("SELECT 1")
    return reply.rows()
