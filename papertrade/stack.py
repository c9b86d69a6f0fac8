"""The whole server under one command: database, broker, web, feed, worker and beat, in the foreground.

`python -m papertrade.stack` (what `make run` calls). No Django in here: the children have it. A child that dies is started
again; Ctrl-C or SIGTERM stops everything in order, and the next start goes on where this one stopped.
"""

import contextlib
import ctypes
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from papertrade import embedded, env

READY_SECONDS = 60
STOP_SECONDS = 10
FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 15.0
STEADY_SECONDS = 30.0  # a child that ran this long starts anew without delay
POLL_SECONDS = 0.1
NAME_WIDTH = 6
PROJECT = Path(__file__).resolve().parent.parent
GRANIAN_LOG_LEVEL = "warning"


def say(name: str, line: str) -> None:
    """One readable line, with who says it in front."""
    print(f"{name:>{NAME_WIDTH}} | {line}", flush=True)


@dataclass
class Child:
    """A process of the server, started again when it dies."""

    name: str
    command: list[str]
    environment: dict[str, str]
    process: subprocess.Popen[str] | None = None
    started: float = 0.0
    backoff: float = FIRST_BACKOFF_SECONDS
    retry_at: float = field(default=0.0)

    def start(self) -> None:
        """Start it, with its output on ours."""
        self.started = time.monotonic()
        self.process = subprocess.Popen(
            self.command, env=self.environment, cwd=PROJECT, text=True, errors="replace", bufsize=1,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=_end_with_parent,
        )  # fmt: skip
        threading.Thread(target=self._relay, args=(self.process,), daemon=True).start()

    def _relay(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            if line.strip():
                say(self.name, line.rstrip())

    def watch(self, now: float) -> None:
        """Start it again where it died, later and later while it keeps dying."""
        if self.process is not None and self.process.poll() is not None:
            if now - self.started > STEADY_SECONDS:
                self.backoff = FIRST_BACKOFF_SECONDS
            say(self.name, f"ended with status {self.process.returncode}; starts again in {self.backoff:g} s")
            self.process, self.retry_at = None, now + self.backoff
            self.backoff = min(2 * self.backoff, LONGEST_BACKOFF_SECONDS)
        if self.process is None and now >= self.retry_at:
            self.start()

    def signal(self, sign: signal.Signals) -> None:
        """Signal it and whatever it started."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, sign)


def _end_with_parent() -> None:
    """Linux: a killed supervisor takes its children along."""
    if embedded.LINUX:
        ctypes.CDLL(None).prctl(embedded.PR_SET_PDEATHSIG, signal.SIGTERM)


class Stack:
    """One server on one var folder."""

    def __init__(self) -> None:
        self.var = Path(env.text("PAPERTRADE_VAR", "var")).expanduser().resolve()
        self.port = env.whole("PAPERTRADE_PORT", 8000, low=1, high=65535)
        self.web_workers = env.whole("PAPERTRADE_WEB_WORKERS", 2, low=1, high=64)
        self.web_threads = env.whole("PAPERTRADE_WEB_THREADS", 2, low=1, high=64)
        self.workers = env.whole("PAPERTRADE_WORKERS", 1, low=1, high=64)
        self.stopping = threading.Event()
        self.children: list[Child] = []

    def run(self) -> int:
        """Run until told to stop; the exit status."""
        for sign in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sign, lambda *_: self.stopping.set())
        started = time.monotonic()
        with self._servers() as environment:
            if not self._prepare(environment):
                return 1
            self.children = [Child(name, command, environment) for name, command in self._commands().items()]
            try:
                for child in self.children:
                    child.start()
                if self._await_ready():
                    self._announce(time.monotonic() - started)
                while not self.stopping.wait(POLL_SECONDS):
                    for child in self.children:
                        child.watch(time.monotonic())
            finally:
                self._stop()
        say("stack", "stopped; everything is kept in " + str(self.var))
        return 0

    @contextlib.contextmanager
    def _servers(self) -> Iterator[dict[str, str]]:
        """The environment of the children; embedded servers where no others are named."""
        self.var.mkdir(parents=True, exist_ok=True)
        self._refuse_taken_port()
        environment = dict(os.environ, DJANGO_SETTINGS_MODULE="papertrade.settings", PAPERTRADE_VAR=str(self.var))
        environment["PYTHONUNBUFFERED"] = "1"
        if not environment.get("PAPERTRADE_SECRET_KEY") and not (self.var / "secret_key").exists():
            embedded.private_file(self.var / "secret_key", secrets.token_urlsafe(50))
        if environment.get("DATABASE_URL") and environment.get("REDIS_URL"):
            lock = embedded.own(self.var)
            say("stack", "uses the servers of DATABASE_URL and REDIS_URL")
            yield environment
            lock.close()
            return
        servers = embedded.start(self.var)
        say("stack", "PostgreSQL and Valkey are up")
        environment.setdefault("DATABASE_URL", servers.database_url)
        environment.setdefault("REDIS_URL", servers.redis_url)
        try:
            yield environment
        finally:
            servers.stop()

    def _refuse_taken_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((embedded.LOOPBACK, self.port))
            except OSError:
                raise embedded.EmbeddedError(
                    f"Port {self.port} is taken. Stop what uses it, or choose another: PAPERTRADE_PORT=8001 make run"
                ) from None

    def _prepare(self, environment: dict[str, str]) -> bool:
        done = subprocess.run(
            [sys.executable, "manage.py", "prepare"],
            env=environment,
            cwd=PROJECT,
            text=True,
            capture_output=True,
            check=False,
        )
        for line in (done.stdout + done.stderr).splitlines():
            say("setup", line)
        return done.returncode == 0

    def _commands(self) -> dict[str, list[str]]:
        python = [sys.executable, "-m"]
        celery = [*python, "celery", "--quiet", "--app", "papertrade"]
        return {
            "web": [
                *python, "granian", "--interface", "wsgi", "--host", embedded.LOOPBACK, "--port", str(self.port),
                "--workers", str(self.web_workers), "--blocking-threads", str(self.web_threads),
                "--respawn-failed-workers", "--no-ws", "--log-level", GRANIAN_LOG_LEVEL, "papertrade.wsgi:application",
            ],
            "feed": [sys.executable, "manage.py", "run_feed"],
            "worker": [
                *celery, "worker", "--concurrency", str(self.workers), "--loglevel", "warning", "--without-gossip",
                "--without-mingle", "--pool", "prefork",
            ],
            "beat": [*celery, "beat", "--loglevel", "warning", "--schedule", str(self.var / "beat"), "--pidfile="],
        }  # fmt: skip

    def _await_ready(self) -> bool:
        """Wait until web and feed answer; False where told to stop before."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.stopping.wait(POLL_SECONDS):
            if self._healthy():
                return True
            for child in self.children:
                child.watch(time.monotonic())
            if time.monotonic() > deadline:
                say("stack", f"not ready after {READY_SECONDS} s; the lines above say why. It goes on trying.")
                return False
        return False

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{embedded.LOOPBACK}:{self.port}/v1/status/", timeout=5) as answer:
                return json.load(answer)["status"] == "ok"
        except (urllib.error.URLError, OSError, ValueError):
            return False

    def _announce(self, seconds: float) -> None:
        address = f"http://{embedded.LOOPBACK}:{self.port}"
        for line in (
            f"ready in {seconds:.1f} s",
            f"dashboard    {address}/",
            f"API          {address}/v1/  (browse it at {address}/docs/)",
            f"admin        {address}/admin/",
            f"credentials  {self.var / 'credentials.json'}",
            "Ctrl-C stops it; the next start goes on from here.",
        ):
            say("stack", line)

    def _stop(self) -> None:
        say("stack", "stopping")
        for child in self.children:
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children:
            if child.process is not None:
                try:
                    child.process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    say(child.name, "does not stop; killed")
                child.signal(signal.SIGKILL)


def main() -> int:
    """Run the server; an error that the user can mend is one line."""
    try:
        return Stack().run()
    except embedded.EmbeddedError as error:
        say("stack", str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
