"""The web server's parent process: one listening socket, and worker processes that answer on it.

`python -m papertrade.web [--host ADDRESS]`; the port and the number of workers are settings. No Django in here. A worker that
dies is started again on the same socket, so no connection is refused meanwhile.
"""

import argparse
import signal
import socket
import subprocess
import sys
import time

from papertrade.lib import env
from papertrade.stack.embedded import LOOPBACK, die_with_parent
from papertrade.stack.supervision import POLL_SECONDS, Watch, say
from papertrade.web import limits


class Worker:
    """A worker process, in this process's group: what ends the group ends it too."""

    def __init__(self, number: int, listening: socket.socket) -> None:
        self.name = f"web {number}"
        self._listening = listening
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, for the first time or again."""
        descriptor = self._listening.fileno()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "papertrade.web.worker", str(descriptor)],
            pass_fds=[descriptor],
            preexec_fn=die_with_parent(signal.SIGTERM),
        )

    def status(self) -> int | None:
        """Its exit status, None while it runs or was never started."""
        return None if self._process is None else self._process.poll()

    def stop(self, deadline: float) -> None:
        """Wait for the end that it was asked for; kill it where it takes too long."""
        if self._process is None:
            return
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            say(self.name, "does not stop; killed")
            self._process.kill()
            self._process.wait()

    def ask_to_stop(self) -> None:
        """Let it finish what it is answering."""
        if self.status() is None and self._process is not None:
            self._process.terminate()


def listen(host: str, port: int) -> socket.socket:
    """The socket that all workers share."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    listening.listen(limits.BACKLOG)
    return listening


def main(arguments: list[str]) -> int:
    """Serve until told to stop; the exit status."""
    stopping = False

    def be_told_to_stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, be_told_to_stop)
    parser = argparse.ArgumentParser(prog="python -m papertrade.web")
    parser.add_argument("--host", default=LOOPBACK, help="the address to listen on (default: %(default)s)")
    host = parser.parse_args(arguments).host
    port = env.whole("PAPERTRADE_PORT", 8000, low=1, high=65535)
    count = env.whole("PAPERTRADE_WEB_WORKERS", 2, low=1, high=64)
    try:
        listening = listen(host, port)
    except OSError as error:
        say("web", f"cannot listen on {host}:{port}: {error.strerror}")
        return 1
    workers = [Worker(number, listening) for number in range(1, count + 1)]
    watches = []
    for worker in workers:
        worker.start()
        watches.append(Watch(worker, time.monotonic()))
    while not stopping:
        for watch in watches:
            watch.look()
        time.sleep(POLL_SECONDS)
    for worker in workers:
        worker.ask_to_stop()
    deadline = time.monotonic() + limits.STOP_SECONDS
    for worker in workers:
        worker.stop(deadline)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
