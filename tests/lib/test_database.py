"""Connections of the pool: one that the server has ended is replaced, without anybody noticing. And commits that fail."""

import psycopg
import pytest
from django.db import connection

from papertrade.lib import metrics
from papertrade.lib.pooling import Connection
from tests.api.contract import is_error
from tests.api_kit import Api
from tests.market_kit import MarketKit

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


def test_a_commit_that_was_lost_is_told_from_one_that_was_refused(
    open_market: MarketKit, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = api.open_account()
    commit = Connection.commit

    def lost(self: Connection) -> None:
        commit(self)
        raise psycopg.OperationalError("the connection is lost")

    def refused(self: Connection) -> None:
        raise psycopg.errors.SerializationFailure("somebody else was faster")

    for way, status, code in ((refused, 503, "unavailable"), (lost, 500, "outcome_unknown")):
        with monkeypatch.context() as broken:
            broken.setattr(Connection, "commit", way)
            is_error(api.order(account, client_order_id="once"), status, code)
    again = api.order(account, client_order_id="once")
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true"), "the lost one was stored"


def test_what_fails_after_the_commit_is_no_refusal(
    open_market: MarketKit, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody may be told to send again what is stored."""

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on the device")

    account = api.open_account()
    monkeypatch.setattr(metrics, "count_orders", full)
    assert api.order(account).status_code == 201
