"""A whole server as a user starts it: `python -m papertrade.stack` on a folder and a port of its own."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from papertrade.stack.embedded.process import free_port

PROJECT = Path(__file__).resolve().parents[2]
WAIT_SECONDS = 180
POLL_SECONDS = 0.1
# A simulated market that stands shortly before the open of a day, whichever is today.
MANUAL = {"PAPERTRADE_SPEED": "0", "PAPERTRADE_START": "2026-11-06T14:00:00Z"}
# Of a test with servers of its own. One worker of the run has them all, from the beginning: two at once would take the cores
# from each other, and the last of them would be waited for alone.
whole_server = pytest.mark.xdist_group("servers")


def without_servers() -> dict[str, str]:
    """The environment without the servers and the secret of this test run."""
    own = {"DATABASE_URL", "REDIS_URL", "PAPERTRADE_SECRET_KEY"}
    return {name: value for name, value in os.environ.items() if name not in own}


def wait_until(true: Callable[[], Any], what: str) -> None:
    """Wait for something to come true; AssertionError where it does not."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"waited {WAIT_SECONDS} s in vain: {what}"
        time.sleep(POLL_SECONDS)


class Server:
    """Starts at once; `lines` is what it has printed so far."""

    def __init__(self, folder: Path, *, before: Sequence[str] = (), port: int | None = None, **settings: str) -> None:
        self.folder, self.port = folder, port or free_port()
        environment = without_servers()
        environment |= {"PAPERTRADE_VAR": str(folder), "PAPERTRADE_PORT": str(self.port), **settings}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "papertrade.stack", *before],
            cwd=PROJECT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, text: str) -> None:
        """Wait until it has printed the text."""

        def printed() -> bool:
            assert self.process.poll() is None, "it ended:\n" + "".join(self.lines)
            return any(text in line for line in self.lines)

        wait_until(printed, f"{text!r} in:\n" + "".join(self.lines))

    def call(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """An answer of the API. Raises urllib's errors."""
        known = json.loads((self.folder / "credentials.json").read_text())
        request = urllib.request.Request(
            known["base_url"] + path,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Authorization": f"Bearer {known['market_key']}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def buy(self, account: str, client_order_id: str) -> str | None:
        """Buy a share at the market; the order's status, None where the server could not answer."""
        order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
        try:
            path = f"/paper/accounts/{account}/orders/"
            return self.call("POST", path, {**order, "client_order_id": client_order_id})["status"]
        except (urllib.error.URLError, OSError):
            return None

    def manage(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of manage.py on the server's folder, as its operator would."""
        return subprocess.run(
            [sys.executable, "manage.py", *command],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            env={**without_servers(), "PAPERTRADE_VAR": str(self.folder)},
        )

    def stop(self) -> None:
        """As `kill` or Ctrl-C would."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(WAIT_SECONDS)

    def processes(self) -> list[str]:
        """The live processes of the folder: those that name it, know it, or work in it. Linux only; elsewhere none."""
        return [line for path in Path("/proc").glob("[0-9]*") if (line := self._if_ours(path))]

    def _if_ours(self, process: Path) -> str | None:
        mark = os.fsencode(self.folder)
        try:
            command = (process / "cmdline").read_bytes()
            known = [command, (process / "environ").read_bytes(), os.fsencode((process / "cwd").readlink())]
        except OSError:
            return None
        return f"{process.name} {command!r}" if any(mark in text for text in known) else None

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.append(line)
