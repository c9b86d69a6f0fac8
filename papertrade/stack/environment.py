"""The virtual environment beside the code: made whole, mended where it is not, never kept half made.

It runs before anything is installed, so the standard library is all it knows. An environment is whole when its stamp, the
last thing written, names the locks that were installed into it. Without the stamp it is made anew: nobody can tell what
an interrupted installation left out.

uv is used where it works, as it takes a fifth of the time; pip where it does not (behind a proxy that terminates TLS, say).
Only the last failure is shown, and none at all where one of the two succeeds.
"""

import contextlib
import fcntl
import hashlib
import importlib.util
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
SERVER_LOCK = "requirements.lock"
DEVELOPER_LOCK = "requirements-dev.lock"  # holds the server's packages too
STAMP = "papertrade.json"
UV_FOLDER = ".uv"
MEGABYTE = 1 << 20
# What an environment takes, with room for what is downloaded meanwhile.
NEEDED_MEGABYTES = {SERVER_LOCK: 700, DEVELOPER_LOCK: 1500}
LAST_LINES = 12
NO_VENV = (
    "This Python cannot make a virtual environment. On Debian and Ubuntu: apt install python3-venv; elsewhere install uv, "
    "or a Python from python.org."
)
NO_PACKAGES = (
    "There are no packages of PostgreSQL and Valkey for this system. papertrade runs on Linux with glibc 2.28 or "
    "newer (x86-64, arm64; not on Alpine) and on macOS 11 or newer; on Windows inside WSL 2."
)


class SetupError(Exception):
    """The environment cannot be made; the message is a sentence that says why and what to do."""


class Environment:
    """The virtual environment of one folder of the project."""

    # Held while installing. The installers inherit it: one that outlives a killed start keeps a second start waiting.
    _lock: int | None = None

    def __init__(self, project: Path = PROJECT) -> None:
        self.project = project
        self.place = project / ".venv"
        self.python = self.place / "bin" / "python"
        self.stamp = self.place / STAMP

    def ready(self, lock: str) -> Path:
        """The interpreter of an environment with the lock's packages, installed now where they are not. Raises SetupError."""
        if self._holds(lock):
            return self.python
        _refuse_other_systems()
        with self._alone():
            if not self._holds(lock):  # another start may have made it meanwhile
                self._install(lock)
        return self.python

    def _holds(self, lock: str) -> bool:
        """Whether the lock, as it is now, was installed to the end."""
        return self.python.exists() and self._installed().get(lock) == self._digest(lock)

    def _installed(self) -> dict[str, str]:
        try:
            return dict(json.loads(self.stamp.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return {}

    def _digest(self, lock: str) -> str:
        return hashlib.sha256((self.project / lock).read_bytes()).hexdigest()

    def _install(self, lock: str) -> None:
        before = self._installed() if self.python.exists() else {}
        self._refuse_little_room(lock)
        say("installing what papertrade needs (once, about half a minute)" if not before else "installing what is new")
        if before:
            self.stamp.unlink()
        else:
            self._make_anew()
        self._put_in(lock)
        digests = {**before, lock: self._digest(lock)}
        if lock == DEVELOPER_LOCK:
            digests[SERVER_LOCK] = self._digest(SERVER_LOCK)
        scratch = self.stamp.with_suffix(".new")
        scratch.write_text(json.dumps(digests), encoding="utf-8")
        scratch.replace(self.stamp)

    def _make_anew(self) -> None:
        """An empty environment, in the place of whatever was there."""
        uv = shutil.which("uv")
        if not uv and not importlib.util.find_spec("ensurepip"):
            raise SetupError(NO_VENV)
        if self.place.is_symlink():
            raise SetupError(
                f"{self.place} points at an environment that is not whole: mend that one, or remove the link."
            )
        if self.place.exists():
            shutil.rmtree(self.place)
        by_uv = (
            [uv, "venv", "--quiet", "--no-python-downloads", "--python", sys.executable, str(self.place)] if uv else []
        )
        by_itself = [sys.executable, "-m", "venv", str(self.place)]
        self._first_that_works([by_uv, by_itself])

    def _put_in(self, lock: str) -> None:
        """Install the lock's packages; where there is no uv, it is fetched for this and removed again."""
        pip = [str(self.python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        target = self.place / UV_FOLDER
        uv = shutil.which("uv")
        if not uv and self._do([*pip, "--target", str(target), "uv"]).returncode == 0:
            uv = str(target / "bin" / "uv")
        file = str(self.project / lock)
        by_uv = [uv, "pip", "install", "--quiet", "--python", str(self.python), "--requirement", file] if uv else []
        self._first_that_works([by_uv, [*pip, "--requirement", file]])
        shutil.rmtree(target, ignore_errors=True)

    def _first_that_works(self, commands: list[list[str]]) -> None:
        """Run these until one succeeds. Raises SetupError with the end of what the last one said."""
        said = ""
        for command in filter(None, commands):
            done = self._do(command)
            if done.returncode == 0:
                return
            said = done.stderr.strip() or done.stdout.strip()
        if "No space left" in said:
            raise SetupError(
                f"The disk of {self.project} is full. Make room and start again: nothing half made is kept."
            )
        tail = "\n".join(said.splitlines()[-LAST_LINES:])
        raise SetupError(f"The installation failed; its last words:\n{tail}\nThe next start begins it anew.")

    def _do(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        held = () if self._lock is None else (self._lock,)
        return subprocess.run(
            command, env=_quiet(), cwd=self.project, capture_output=True, text=True, check=False, pass_fds=held
        )

    def _refuse_little_room(self, lock: str) -> None:
        needed, free = NEEDED_MEGABYTES[lock], shutil.disk_usage(self.project).free // MEGABYTE
        if free < needed:
            raise SetupError(f"{needed} MB are needed for the installation, and {self.project} has {free} MB left.")

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One installation at a time into one folder."""
        if not os.access(self.project, os.W_OK):
            raise SetupError(
                f"{self.project} cannot be written to, so nothing can be installed there: let its owner run "
                "`bin/papertrade setup` once, or copy the folder."
            )
        self._lock = os.open(self.project, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(self._lock)
            self._lock = None


def say(line: str) -> None:
    """A line of the installation, in the form of the server's own."""
    print(f"   setup | {line}", file=sys.stderr, flush=True)


def _refuse_other_systems() -> None:
    system, machine = platform.system(), platform.machine().lower()
    musl = "musl" in (sysconfig.get_config_var("SOABI") or "")
    known = {"Linux": {"x86_64", "aarch64", "arm64"}, "Darwin": {"x86_64", "arm64"}}
    if musl or machine not in known.get(system, set()):
        raise SetupError(NO_PACKAGES)


def _quiet() -> dict[str, str]:
    """The environment of the installers: the system's certificates, and nothing that would lead them elsewhere."""
    return {**os.environ, "UV_SYSTEM_CERTS": "true", "UV_NATIVE_TLS": "true", "PYTHONNOUSERSITE": "1"}
