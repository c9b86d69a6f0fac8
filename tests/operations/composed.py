"""The commands of compose.yaml as local processes, with the environment that the file gives them.

Against the PostgreSQL and Valkey of the test run: two web hosts (behind PgBouncer, where that is installed), feed, two workers
and beat. The images themselves are not built.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import yaml

from papertrade.lib import env
from papertrade.stack.embedded.process import free_port
from tests.operations.pooler import PROGRAM, Pooler
from tests.services_plugin import APP_URL
from tests.stack.server import PROJECT, wait_until

COMPOSE = yaml.safe_load((PROJECT / "compose.yaml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if service.get("image") == "papertrade"}
GIVEN = {
    "DOMAIN": "paper.example.com",
    "POSTGRES_PASSWORD": "p",
    "APP_PASSWORD": "a",
    "VALKEY_PASSWORD": "v",
    "PAPERTRADE_SECRET_KEY": "0123456789" * 6,
    "PAPERTRADE_METRICS_TOKEN": "0123456789" * 3,
}
WITHIN_A_SESSION = "2026-11-06T15:00:00Z"


def filled(text: str) -> str:
    """A value with its variables in place, as compose does it."""
    return re.sub(r"\$\{(\w+):\?\}", lambda match: GIVEN[match.group(1)], text)


@contextmanager
def database_of_its_own() -> Iterator[str]:
    """The url of a database without tables, for as long as this lasts."""
    whole, name = os.environ["DATABASE_URL"], f"composed_{os.getpid()}"
    with psycopg.connect(whole, autocommit=True) as own:
        own.execute(f"CREATE DATABASE {name}")
        try:
            yield f"{whole.rsplit('/', 1)[0]}/{name}"
        finally:
            own.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Host:
    """A machine that serves: its own folder, port and log."""

    def __init__(self, composed: "Composed", folder: Path) -> None:
        folder.mkdir()
        self.port, self.log = free_port(), folder / "log"
        own = {"PAPERTRADE_PORT": str(self.port), "PAPERTRADE_VAR": str(folder), "PAPERTRADE_WEB_WORKERS": "1"}
        if composed.pooled is not None:
            own["DATABASE_URL"] = composed.pooled.url(composed.database.rsplit("/", 1)[1])
        with self.log.open("ab") as log:
            self.process = composed.start("web", stderr=log, start_new_session=True, **own)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """What its log says of an event."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in map(json.loads, lines) if line["event"] == event]

    def die(self) -> None:
        """All of its processes at once, as when the power goes."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(60)

    def ask(self, method: str, path: str, body: Any = None, token: str = "", host: str = GIVEN["DOMAIN"]) -> Any:
        """An answer, asked for as a proxy that ends TLS would."""
        headers = {"Host": host, "X-Forwarded-Proto": "https"} | ({"Authorization": f"Bearer {token}"} if token else {})
        answer = httpx.request(
            method, f"http://127.0.0.1:{self.port}{path}", json=body, headers=headers, timeout=60
        ).raise_for_status()
        return answer.text if path == "/metrics" else answer.json()

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.ask("GET", "/readyz", host="10.1.2.3")["status"] == "ok"
        except httpx.HTTPError:
            return False


class Composed:
    """All of it, until `stop`."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.database = folder, database
        # With two roles, as in the file, where the server is ours.
        app = f"{os.environ.get(APP_URL, database).rsplit('/', 1)[0]}/{database.rsplit('/', 1)[1]}"
        self.environment = {
            **os.environ,
            **{name: filled(value) for name, value in OURS["web"]["environment"].items()},
            "DATABASE_URL": app,
            "REDIS_URL": os.environ["REDIS_URL"].rsplit("/", 1)[0] + "/15",
            "PAPERTRADE_VAR": str(folder),
            "PAPERTRADE_START": WITHIN_A_SESSION,
            "PAPERTRADE_LOG_FORMAT": "json",
            "DJANGO_SETTINGS_MODULE": "papertrade.settings",
        }
        self.pooled: Pooler | None = None
        self.processes: list[subprocess.Popen[bytes]] = []
        try:
            self._start_all(app)
        except BaseException:
            self.stop()
            raise

    def _start_all(self, app: str) -> None:
        if PROGRAM is not None:  # web is behind PgBouncer, where that is installed: who needs a session is not
            (self.folder / "pooler").mkdir()
            self.pooled = Pooler(self.folder / "pooler", to_url=app, statements_kept=100)
        assert self.start("prepare", **{env.OWNER: self.database}).wait(300) == 0
        self.hosts = [Host(self, self.folder / f"host-{number}") for number in (1, 2)]
        for name in ("feed", "worker", "worker", "beat"):
            self.start(name)
        for host in self.hosts:
            wait_until(host.is_ready, "a web host serves")
        wait_until(lambda: self.hosts[0].ask("GET", "/v1/status/")["status"] == "ok", "the feed moves the market")
        self.known = json.loads((self.folder / "credentials.json").read_text())
        self.key = self.known["paper_key"]

    def start(self, name: str, **more: Any) -> subprocess.Popen[bytes]:
        """The command of a service; what is in capitals goes into its environment, the rest to Popen."""
        command = [
            part.replace("/var/lib/papertrade", str(self.folder)).replace("0.0.0.0", "127.0.0.1")
            for part in OURS[name]["command"]
        ]
        program = [sys.executable] if command[0] == "python" else [sys.executable, "-m", command[0]]
        own = {word: more.pop(word) for word in tuple(more) if word.isupper()}
        process = subprocess.Popen([*program, *command[1:]], cwd=PROJECT, env={**self.environment, **own}, **more)
        self.processes.append(process)
        return process

    def open_account(self) -> str:
        """The id of a new account."""
        return self.hosts[0].ask("POST", "/v1/paper/accounts/", {}, self.key)["account"]["id"]

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(60)
        if self.pooled is not None:
            self.pooled.stop()
