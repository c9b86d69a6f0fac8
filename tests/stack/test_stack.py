"""The embedded servers and the whole server under one command, as real processes in folders of their own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from papertrade import embedded

PROJECT = Path(__file__).resolve().parents[2]
READY_SECONDS = 60


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("a server with a space")
    for path in (place, *place.parents[:2]):
        path.chmod(0o755)
    return place


class TestEmbedded:
    def test_data_outlives_a_stop_and_a_killed_server(self, folder: Path) -> None:
        first = embedded.start(folder)
        with psycopg.connect(first.database_url) as connection:
            connection.execute("CREATE TABLE kept (n int)")
            connection.execute("INSERT INTO kept VALUES (7)")
        first.postgres.kill()
        first.stop()
        second = embedded.start(folder)
        try:
            with psycopg.connect(second.database_url) as connection:
                assert connection.execute("SELECT n FROM kept").fetchone() == (7,)
                assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (
                    False,
                )
            assert redis.Redis.from_url(second.redis_url).ping()
        finally:
            second.stop()

    def test_a_folder_has_one_owner(self, folder: Path) -> None:
        lock = embedded.own(folder)
        with pytest.raises(embedded.EmbeddedError, match=str(os.getpid())):
            embedded.own(folder)
        lock.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`python -m papertrade.stack` on a folder and a port."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder, self.port = folder, free_port()
        servers = {"DATABASE_URL", "REDIS_URL", "PAPERTRADE_SECRET_KEY"}
        environment = {name: value for name, value in os.environ.items() if name not in servers}
        environment |= {"PAPERTRADE_VAR": str(folder), "PAPERTRADE_PORT": str(self.port), **settings}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "papertrade.stack"], cwd=PROJECT, env=environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        self.lines: list[str] = []

    def wait_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            line = self.process.stdout.readline()
            self.lines.append(line)
            if "credentials" in line:
                return
            if not line and self.process.poll() is not None:
                break
        pytest.fail("the server did not get ready:\n" + "".join(self.lines))

    def call(self, method: str, path: str, body: object = None) -> dict:
        known = json.loads((self.folder / "credentials.json").read_text())
        request = urllib.request.Request(
            known["base_url"] + path, method=method, data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {known['market_key']}", "Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.load(answer)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    running: list[Server] = []
    yield running
    for server in running:
        if server.process.poll() is None:
            server.stop()


def test_two_servers_side_by_side_trade_stop_cleanly_and_go_on(
    tmp_path_factory: pytest.TempPathFactory, servers: list[Server]
) -> None:
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    for folder in folders:
        for path in (folder, *folder.parents[:2]):
            path.chmod(0o755)
        servers.append(Server(folder, PAPERTRADE_SPEED="0"))
    for server in servers:
        server.wait_ready()
        assert (server.folder / "credentials.json").stat().st_mode & 0o777 == 0o600
    first, second = servers

    first.call("POST", "/market/clock/advance/", {"seconds": 60})
    account = first.call("POST", "/paper/accounts/", {"name": "kept"})["account"]["id"]
    order = {
        "symbol": "AAPL",
        "qty": "1",
        "side": "buy",
        "type": "market",
        "time_in_force": "day",
        "client_order_id": "1",
    }
    assert first.call("POST", f"/paper/accounts/{account}/orders/", order)["status"] == "filled"
    assert second.call("GET", "/paper/accounts/")["results"] == []
    stood = first.call("GET", "/market/clock/")["timestamp"]

    first.stop()
    assert first.process.returncode == 0
    assert not _processes_of(first.folder)

    again = Server(first.folder, PAPERTRADE_SPEED="0")
    servers.append(again)
    again.wait_ready()
    assert again.call("GET", "/market/clock/")["timestamp"] == stood
    (position,) = again.call("GET", f"/paper/accounts/{account}/positions/")["results"]
    assert position["qty"] == "1.000000"


def test_a_taken_port_is_said_in_one_line(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        environment = dict(os.environ, PAPERTRADE_VAR=str(folder), PAPERTRADE_PORT=str(taken.getsockname()[1]))
        done = subprocess.run(
            [sys.executable, "-m", "papertrade.stack"], cwd=PROJECT, env=environment, capture_output=True, text=True
        )
    assert done.returncode == 1
    assert "is taken" in done.stdout and "Traceback" not in done.stdout + done.stderr


def _processes_of(folder: Path) -> list[str]:
    """Commands of live processes that name the folder; Linux only, elsewhere nothing is found."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in command:
            found.append(command)
    return found
