"""Keeping processes running: children whose output is shown line by line, each started again when it dies."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from papertrade.stack.embedded import die_with_parent

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 15.0
STEADY_SECONDS = 30.0  # what ran this long starts anew without a longer wait
LAST_LINES_SECONDS = 1.0
POLL_SECONDS = 0.1
NAME_WIDTH = 8


def say(name: str, line: str) -> None:
    """Print one line, after the name of who says it. A closed terminal is no reason to stop."""
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{name:>{NAME_WIDTH}} | {line}\n")
        sys.stdout.flush()


class Restartable(Protocol):
    """What can be watched: a child of ours or an embedded server."""

    name: str

    def start(self) -> None:
        """Start it, for the first time or again."""

    def status(self) -> int | None:
        """Its exit status, None while it runs."""


class Child:
    """A process of the project in a group of its own, its output on ours."""

    def __init__(self, name: str, command: list[str], environment: dict[str, str], folder: Path) -> None:
        self.name = name
        self._command = command
        self._environment = environment
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None
        self._relay = threading.Thread()

    def start(self) -> None:
        """Start it. What an earlier run of it left behind is ended first, so that no port or lock stays taken."""
        self.kill()
        self._process = subprocess.Popen(
            self._command,
            env=self._environment,
            cwd=self._folder,
            text=True,
            errors="replace",
            bufsize=1,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGTERM),
        )
        self._relay = threading.Thread(target=self._show_lines, args=(self._process,), daemon=True)
        self._relay.start()

    def status(self) -> int | None:
        """Its exit status, None while it runs or was never started."""
        return None if self._process is None else self._process.poll()

    def ask_to_stop(self) -> None:
        """Ask it and whatever it started to stop."""
        if self.status() is None:
            self._signal_group(signal.SIGTERM)

    def await_stopped(self, seconds: float) -> None:
        """Wait that long at most for its end, then kill it and whatever it left behind."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            say(self.name, "does not stop; killed")
        self.kill()
        self._process.wait()
        self._relay.join(LAST_LINES_SECONDS)

    def kill(self) -> None:
        """Kill its whole process group at once, even if the process itself is gone and only others of the group are left."""
        self._signal_group(signal.SIGKILL)

    def _signal_group(self, sign: signal.Signals) -> None:
        if self._process is not None:
            # macOS answers with PermissionError where the group holds only processes that have ended.
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, sign)

    def _show_lines(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            if line.strip():
                say(self.name, line.rstrip())


@dataclass
class Watch:
    """Starts a process again when it has died, after a longer wait each time. The process must have been started once."""

    process: Restartable
    started: float
    backoff: float = FIRST_BACKOFF_SECONDS
    retry_at: float | None = None

    def look(self) -> None:
        """Look after it once."""
        now = time.monotonic()
        if self.retry_at is None:
            status = self.process.status()
            if status is None:
                return
            if now - self.started > STEADY_SECONDS:
                self.backoff = FIRST_BACKOFF_SECONDS
            say(self.process.name, f"ended with status {status}; starts again in {self.backoff:g} s")
            self.retry_at = now + self.backoff
            self.backoff = min(2 * self.backoff, LONGEST_BACKOFF_SECONDS)
        elif now >= self.retry_at:
            self.started, self.retry_at = now, None
            self.process.start()
