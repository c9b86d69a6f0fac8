"""The embedded servers: data that survives, one owner, no second server on the same data."""

import os
from pathlib import Path

import psycopg
import pytest
import redis

from papertrade.stack import embedded


def ask(url: str, statement: str) -> object:
    """The first value of the first row, where there is one."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute(statement)
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


def test_data_outlives_a_kill_and_a_stop(folder: Path) -> None:
    owned = embedded.own(folder)
    first = embedded.start(owned)
    ask(first.database_url, "CREATE TABLE kept AS SELECT 7 AS n")
    redis.Redis.from_url(first.redis_url).set("kept", "7")
    for server in first.running:
        assert server.process is not None
        server.process.kill()
    first.stop()
    second = embedded.start(owned)
    try:
        assert ask(second.database_url, "SELECT n FROM kept") == 7
        assert redis.Redis.from_url(second.redis_url).ping()
        assert ask(second.database_url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    finally:
        second.stop()


def test_servers_that_outlived_their_supervisor_are_ended_first(folder: Path) -> None:
    owned = embedded.own(folder)
    left_behind = embedded.start(owned)
    ask(left_behind.database_url, "CREATE TABLE kept AS SELECT 7 AS n")
    ours = embedded.start(owned)
    try:
        assert all(server.status() is not None for server in left_behind.running)
        assert ask(ours.database_url, "SELECT n FROM kept") == 7
    finally:
        ours.stop()
        left_behind.stop()


def test_data_of_another_account_are_said_and_left_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owned = embedded.own(folder)
    embedded.start(owned, valkey=False).stop()
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(embedded.EmbeddedError, match=r"belongs to account .* and would be run by 54321"):
        embedded.start(owned, valkey=False)


def test_either_server_can_be_one_of_your_own(folder: Path) -> None:
    only_valkey = embedded.start(embedded.own(folder), postgres=False)
    try:
        assert redis.Redis.from_url(only_valkey.redis_url).ping()
        assert only_valkey.database_url == ""
        assert not (folder / "postgres").exists()
    finally:
        only_valkey.stop()


def test_a_folder_has_one_owner(folder: Path) -> None:
    owned = embedded.own(folder)
    with pytest.raises(embedded.EmbeddedError, match=f"in use by process {os.getpid()}"):
        embedded.own(folder)
    owned.release()
    embedded.own(folder).release()


def test_passwords_are_the_owners_alone(folder: Path) -> None:
    servers = embedded.start(embedded.own(folder), postgres=False)
    try:
        assert (folder / "servers_password").stat().st_mode & 0o777 == 0o600
        process = servers.running[0].process
        assert process is not None
        assert servers.running[0].password not in " ".join(map(str, process.args))
    finally:
        servers.stop()
