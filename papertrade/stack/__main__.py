"""The whole server under one command: database, broker, web, feed, worker and beat, in the foreground.

`papertrade run` becomes `python -m papertrade.stack`. Its arguments are a command of manage.py to run before the processes
start: `python -m papertrade.stack seed_demo`. There is no Django in this process: its children have it. What dies is started
again; Ctrl-C or SIGTERM stops everything in order, and the next start goes on where this one stopped.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from papertrade import __version__
from papertrade.lib import env
from papertrade.lib.files import PRIVATE_UMASK, close_to_others
from papertrade.stack import embedded
from papertrade.stack.servers import make_secret, running
from papertrade.stack.sources import Sources
from papertrade.stack.supervision import POLL_SECONDS, Child, Watch, say

READY_SECONDS = 60
STOP_SECONDS = 10
STATUS_SECONDS = 5
SOURCES_SECONDS = 1.0
LOGS_SECONDS = 60
METRICS = "metrics/*.db"  # prometheus_client's files
# Made before the umask is set, or by release 0.1. Whatever else is in the folder may be somebody's own.
OPEN_TO_OTHERS = ("lock", "postgres.log", "valkey.log", "valkey", "beat")
PROJECT = Path(__file__).resolve().parent.parent.parent
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# Trading needs these two; the others wait for them, so that four processes do not load at once on two cores.
FIRST_TO_START = ("web", "feed")


class Stack:
    """One server on one var folder."""

    def __init__(self, before: list[str], *, reload: bool = False) -> None:
        self.before = before
        self.sources = Sources(PROJECT) if reload else None
        self.var = Path(env.text("PAPERTRADE_VAR", "var")).expanduser().resolve()
        self.port = env.whole("PAPERTRADE_PORT", 8000, low=1, high=65535)
        self.workers = env.whole("PAPERTRADE_WORKERS", 1, low=1, high=64)
        # The health check sends the headers that a proxy would: it must be let in under production settings too.
        host = env.words("PAPERTRADE_ALLOWED_HOSTS", embedded.LOOPBACK)[0].lstrip(".").replace("*", embedded.LOOPBACK)
        self.health_check = urllib.request.Request(
            f"http://{embedded.LOOPBACK}:{self.port}/v1/status/", headers={"Host": host, "X-Forwarded-Proto": "https"}
        )
        self.next_look_at_sources = 0.0
        self.stopping = False
        self.children: list[Child] = []
        self.watches: list[Watch] = []
        self.servers: tuple[embedded.Server, ...] = ()
        self.next_look_at_logs = 0.0

    def run(self) -> int:
        """Run until told to stop; the exit status. Raises EmbeddedError."""
        for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(sign, self._be_told_to_stop)
        started = time.monotonic()
        with self._owned() as folder, self._servers(folder) as environment:
            # The url of the tables' owner is for the commands that prepare the database, not for processes that serve.
            serving = {name: value for name, value in environment.items() if name != env.OWNER}
            try:
                for command in self._first_commands():
                    if command and not self._manage(command, environment):
                        return 0 if self.stopping else 1
                self._start_processes(serving, started)
                while not self.stopping:
                    self._look()
                    self._start_again_where_code_changed()
            finally:
                say("stack", "stopping")
                self._stop_children()
        say("stack", f"stopped; everything is kept in {self.var}")
        return 0

    def _be_told_to_stop(self, *_: object) -> None:
        self.stopping = True  # no lock in a signal handler: what it interrupts may hold it

    @contextlib.contextmanager
    def _owned(self) -> Iterator[embedded.Folder]:
        """The var folder, as ours alone, with a free port and a secret."""
        folder = embedded.own(self.var)
        self._refuse_taken_port()
        for counts in self.var.glob(METRICS):  # of processes that are gone
            counts.unlink(missing_ok=True)
        os.umask(PRIVATE_UMASK)
        close_to_others(self.var / name for name in OPEN_TO_OTHERS)
        make_secret(self.var)
        try:
            yield folder
        finally:
            folder.release()

    @contextlib.contextmanager
    def _servers(self, folder: embedded.Folder) -> Iterator[dict[str, str]]:
        """The environment of the children; embedded servers where no others are named."""
        with running(folder) as (urls, servers):
            self.servers = servers
            self.watches = [Watch(server, time.monotonic()) for server in servers]
            say("stack", f"{' and '.join(server.name for server in servers) or 'no server'} started here")
            yield {
                **os.environ,
                **urls,
                "PAPERTRADE_VAR": str(self.var),
                "PYTHONUNBUFFERED": "1",
                "DJANGO_SETTINGS_MODULE": "papertrade.settings",
            }

    def _refuse_taken_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((embedded.LOOPBACK, self.port))
            except PermissionError:
                raise embedded.EmbeddedError(
                    f"Port {self.port} needs rights that you do not have. Choose a higher one: PAPERTRADE_PORT=8001 make run"
                ) from None
            except OSError:
                raise embedded.EmbeddedError(
                    f"Port {self.port} is taken. Stop what uses it, or choose another: PAPERTRADE_PORT=8001 make run"
                ) from None

    def _first_commands(self) -> list[list[str]]:
        """A restore, which fills an empty database, comes first: `prepare` would make users and keys that it takes away."""
        prepare = ["prepare"]
        return [self.before, prepare] if self.before[:1] == ["restore"] else [prepare, self.before]

    def _manage(self, command: list[str], environment: dict[str, str]) -> bool:
        """Run a command of manage.py to its end; whether it went well. A stop ends it."""
        child = Child("setup", [sys.executable, "manage.py", *command], environment, PROJECT)
        child.start()
        self.children = [child]
        while child.status() is None and not self.stopping:
            time.sleep(POLL_SECONDS)
        went_well = child.status() == 0
        self._stop_children()
        return went_well

    def _start_processes(self, environment: dict[str, str], started: float) -> None:
        """Start them all and say so; they go on trying where one of them cannot."""
        commands = self._commands()
        self._start({name: commands[name] for name in FIRST_TO_START}, environment)
        if self._await_ready():
            self._announce(time.monotonic() - started)
        if not self.stopping:
            self._start({name: commands[name] for name in commands if name not in FIRST_TO_START}, environment)

    def _start(self, commands: dict[str, list[str]], environment: dict[str, str]) -> None:
        for name, command in commands.items():
            child = Child(name, command, environment, PROJECT)
            self.children.append(child)
            child.start()
            self.watches.append(Watch(child, time.monotonic()))

    def _commands(self) -> dict[str, list[str]]:
        python = [sys.executable, "-m"]
        celery = [*python, "celery", "--quiet", "--app", "papertrade"]
        return {
            "web": [*python, "papertrade.web"],
            "feed": [sys.executable, "manage.py", "run_feed"],
            "worker": [
                *celery,
                "worker",
                "--concurrency",
                str(self.workers),
                "--loglevel",
                "warning",
                "--without-gossip",
                "--without-mingle",
                "--pool",
                "prefork",
            ],
            "beat": [*celery, "beat", "--loglevel", "warning", "--schedule", str(self.var / "beat"), "--pidfile="],
        }

    def _look(self) -> None:
        for watch in self.watches:
            watch.look()
        if time.monotonic() > self.next_look_at_logs:
            self.next_look_at_logs = time.monotonic() + LOGS_SECONDS
            for server in self.servers:
                server.keep_log_small()
        time.sleep(POLL_SECONDS)

    def _start_again_where_code_changed(self) -> None:
        """For `papertrade dev`: every process with the code as it is now."""
        if self.sources is None or time.monotonic() < self.next_look_at_sources:
            return
        self.next_look_at_sources = time.monotonic() + SOURCES_SECONDS
        if changed := self.sources.changed():
            say("stack", f"{changed[0].relative_to(PROJECT)} changed: starting again")
            children, self.watches = (
                self.children,
                [watch for watch in self.watches if watch.process not in self.children],
            )
            self._stop_children()
            for child in children:
                child.start()
                self.watches.append(Watch(child, time.monotonic()))
            self.children = children

    def _await_ready(self) -> bool:
        """Wait until web and feed answer; False where told to stop before, or where they take too long."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.stopping:
            if self._healthy():
                return True
            if time.monotonic() > deadline:
                say("stack", f"not ready after {READY_SECONDS} s; the lines above say why. It goes on trying.")
                return False
            self._look()
        return False

    def _healthy(self) -> bool:
        try:
            with NO_PROXY.open(self.health_check, timeout=STATUS_SECONDS) as answer:
                return json.load(answer)["status"] == "ok"
        except (urllib.error.URLError, OSError, ValueError):
            return False

    def _announce(self, seconds: float) -> None:
        address = f"http://{embedded.LOOPBACK}:{self.port}"
        credentials = self.var / "credentials.json"
        for line in (
            f"ready in {seconds:.1f} s",
            f"dashboard    {address}/",
            f"API          {address}/v1/  (browse it at {address}/docs/)",
            f"admin        {address}/admin/",
            f"credentials  {credentials if credentials.exists() else 'as they were'}",
            "Ctrl-C stops it; the next start goes on from here.",
        ):
            say("stack", line)

    def _stop_children(self) -> None:
        for child in self.children:
            child.ask_to_stop()
        deadline = time.monotonic() + STOP_SECONDS
        for child in self.children:
            child.await_stopped(deadline - time.monotonic())
        self.children = []


def main() -> int:
    """Run the server; an error that the user can fix is one line."""
    parser = argparse.ArgumentParser(prog="python -m papertrade.stack", description="The server, until Ctrl-C.")
    parser.add_argument("--version", action="version", version=f"papertrade {__version__}")
    parser.add_argument("--reload", action="store_true", help="start the processes again whenever code changes")
    parser.add_argument("before", nargs=argparse.REMAINDER, help="a command of manage.py to be run before they start")
    options = parser.parse_args()
    try:
        return Stack(options.before, reload=options.reload).run()
    except embedded.EmbeddedError as error:
        say("stack", str(error))
    except OSError as error:  # about the var folder: nothing is written anywhere else
        say("stack", f"The var folder cannot be used: {error}. Choose another: PAPERTRADE_VAR=/a/folder make run")
    return 1


if __name__ == "__main__":
    sys.exit(main())
