"""What both embedded servers share: a folder with one owner, a start, a readiness check, a stop that leaves nothing."""

import contextlib
import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from papertrade.lib.files import PRIVATE_FOLDER, private_part

LINUX = sys.platform.startswith("linux")
LOOPBACK = "127.0.0.1"
LOCK_FILE = "lock"
READY_SECONDS = 60
STOP_SECONDS = 20
LOG_BYTES = 10_000_000
POLL_SECONDS = 0.03
PR_SET_PDEATHSIG = 1
# Below the ports that systems give to whoever names none (from 32,768 on in Linux, 49,152 elsewhere).
PORTS = range(10_000, 32_000)
TRIES = 100


class EmbeddedError(Exception):
    """The embedded servers cannot be run; the message says why and what to do."""


@dataclass(frozen=True)
class Folder:
    """A folder that this process owns until it ends or releases it."""

    path: Path
    lock: IO[str]

    def release(self) -> None:
        """Let another process own it."""
        self.lock.close()


def own(path: Path) -> Folder:
    """Become the only supervisor of the folder, which is made if it is missing, and closed to other users.

    Raises EmbeddedError where there is another supervisor, or the folder cannot be used.
    """
    path = path.resolve()
    try:
        path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        lock = open(path / LOCK_FILE, "a+", encoding="utf-8")  # noqa: SIM115 - held as long as the folder is owned
    except OSError as error:
        raise EmbeddedError(
            f"{path} cannot be used as the var folder ({error.strerror}). Choose another: PAPERTRADE_VAR=/a/folder"
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        holder = lock.read().strip() or "?"
        lock.close()
        raise EmbeddedError(
            f"{path} is in use by process {holder}. Stop it, or choose another PAPERTRADE_VAR."
        ) from None
    except OSError as error:
        raise EmbeddedError(
            f"{path} cannot be the var folder: its file system has no locks ({error.strerror}). Choose another."
        ) from None
    path.chmod(PRIVATE_FOLDER)
    lock.seek(0)
    lock.truncate()
    lock.write(str(os.getpid()))
    lock.flush()
    return Folder(path, lock)


def is_owned(path: Path) -> bool:
    """Whether somebody owns the folder just now. Makes nothing, and touches nothing."""
    try:
        with open(path / LOCK_FILE, encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # there is none, or it cannot be used: `own` says why
        return False
    return False


def die_with_parent(sign: signal.Signals) -> Callable[[], None]:
    """For a child between fork and exec. Linux: a parent killed with -9 takes it along. Elsewhere: nothing."""
    prctl = ctypes.CDLL(None).prctl if LINUX else None  # looked up here: a forked child should not load libraries

    def prepare() -> None:
        if prctl is not None:
            prctl(PR_SET_PDEATHSIG, sign)

    return prepare


class Server(ABC):
    """A server on a loopback port, which it keeps when it is started again."""

    name: str
    stop_signal: signal.Signals

    def __init__(self, folder: Path, password: str) -> None:
        self.folder = folder
        self.password = password
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where the project's processes reach it, password included."""

    @property
    @abstractmethod
    def log(self) -> Path:
        """The file that it writes its log to."""

    @abstractmethod
    def start(self) -> None:
        """Start it on the data in its folder, made at the first start; also again, after it died."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it is ready."""

    def keep_log_small(self) -> None:
        """Empty its log if that has grown large, and keep a copy beside it. The server goes on writing."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            earlier = self.log.with_name(f"{self.log.name}.1")
            with private_part(earlier) as copy:
                shutil.copyfile(self.log, copy)
            os.truncate(self.log, 0)  # the server appends to it; what it writes between the copy and this is lost

    def await_ready(self) -> None:
        """Wait until it answers. Raises EmbeddedError where it ends or stays silent."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.answers():
            if self.status() is not None:
                tail = self.log.read_text(errors="replace")[-2000:]
                raise EmbeddedError(f"{self.name} ended at its start; {self.log} says:\n{tail}")
            if time.monotonic() > deadline:
                raise EmbeddedError(f"{self.name} was not ready within {READY_SECONDS} s; see {self.log}.")
            time.sleep(POLL_SECONDS)

    def status(self) -> int | None:
        """Its exit status, None while it runs."""
        return None if self.process is None else self.process.poll()

    def ask_to_stop(self) -> None:
        """Tell it to stop, without waiting."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.stop_signal)

    def await_stopped(self) -> None:
        """Wait until it has stopped; kill it where it does not."""
        if self.process is None:
            return
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def end_leftover(pid_file: Path, mark: str, sign: signal.Signals) -> None:
    """End a server that outlived a killed supervisor, so that two never work on the same data.

    Only a process whose command line bears the mark and that works in the pid file's folder: pids are reused, and the mark
    may be another server's. The folder must be owned.
    """
    try:
        pid = int(pid_file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return
    deadline = time.monotonic() + STOP_SECONDS
    while mark in _command_of(pid) and _may_work_in(pid, pid_file.parent):
        if time.monotonic() > deadline:
            raise EmbeddedError(f"Process {pid} still works on {pid_file.parent} and does not stop: end it first.")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, sign)
        time.sleep(POLL_SECONDS)


def end_orphans(folder: Path, program: str) -> None:
    """Kill every live process of a program that works in the folder: what is left of a server whose main process was killed.

    Other programs may be there too, such as somebody's shell. Linux only; the folder must be owned.
    """
    deadline = time.monotonic() + STOP_SECONDS
    while pids := _working_in(folder, program):
        if time.monotonic() > deadline:
            raise EmbeddedError(f"Processes {pids} still work in {folder} and do not stop: end them first.")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_SECONDS)


def _may_work_in(pid: int, folder: Path) -> bool:
    """False where its working folder is known to be another one: on Linux, of a process that may be looked at."""
    try:
        return Path(f"/proc/{pid}/cwd").readlink() == folder
    except OSError:
        return True


def _working_in(folder: Path, program: str) -> list[int]:
    """The pids of a program's processes whose working folder this is. The dead, zombies included, have none."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            # The link to a program that was replaced meanwhile has " (deleted)" after its name.
            if (process / "cwd").readlink() == folder and (process / "exe").readlink().name.split()[0] == program:
                found.append(int(process.name))
    return found


def _command_of(pid: int) -> str:
    """The command line of a live process, else an empty text."""
    if LINUX:
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    return subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout


def free_port() -> int:
    """A loopback port that nothing uses now, nor is likely to when it is used: it is chosen a while before, and used again
    after a server died. One that the system gives would be given to the next connection of anybody meanwhile.
    """
    for port in (*(secrets.choice(PORTS) for _ in range(TRIES)), 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((LOOPBACK, port))
            return int(probe.getsockname()[1])
    raise EmbeddedError(f"No port of {LOOPBACK} is free.")
