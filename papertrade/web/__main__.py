"""The web server's parent process: one listening socket, and worker processes that answer on it.

`python -m papertrade.web [--host ADDRESS]`; the port and the number of workers are settings. The application is loaded once,
here, and the workers are forks: they start in a moment and share its memory. So nothing here may use what a fork must not
inherit: threads, connections, random numbers. A worker that dies is started again on the same socket, so no connection is
refused meanwhile.
"""

import argparse
import gc
import multiprocessing
import signal
import socket
import sys
import time
from collections.abc import Callable
from importlib import import_module

from papertrade.lib import env
from papertrade.stack.embedded import LOOPBACK, die_with_parent
from papertrade.stack.supervision import POLL_SECONDS, Watch, say
from papertrade.web import limits
from papertrade.web.worker import APPLICATION, serve

SIGNS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DIE_WITH_PARENT = die_with_parent(signal.SIGTERM)
FORK = multiprocessing.get_context("fork")


class Worker:
    """A worker process, in this process's group: what ends the group ends it too."""

    def __init__(self, number: int, listening: socket.socket, told_to_stop: Callable[[], bool]) -> None:
        self.name = f"web {number}"
        self._listening = listening
        self._told_to_stop = told_to_stop
        self._process = FORK.Process(target=self._serve)

    def start(self) -> None:
        """Start it, for the first time or again."""
        self._process = FORK.Process(target=self._serve)
        self._process.start()

    def status(self) -> int | None:
        """Its exit status, None while it runs."""
        return self._process.exitcode

    def stop(self, deadline: float) -> None:
        """Wait for the end that it was asked for; kill it where it takes too long."""
        self._process.join(max(0.0, deadline - time.monotonic()))
        if self.status() is None:
            say(self.name, "does not stop; killed")
            self._process.kill()
            self._process.join()

    def ask_to_stop(self) -> None:
        """Let it finish what it is answering."""
        if self.status() is None:
            self._process.terminate()

    def _serve(self) -> None:
        """What the fork does. A signal that came before its own handlers were set is asked for afterwards."""
        DIE_WITH_PARENT()
        for sign in SIGNS:
            signal.signal(sign, signal.SIG_DFL)
        if not self._told_to_stop():
            serve(self._listening)


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

    for sign in SIGNS:
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
    import_module(APPLICATION.partition(":")[0])
    gc.freeze()  # what is loaded stays: a collection in a worker would only copy its memory
    workers = [Worker(number, listening, lambda: stopping) for number in range(1, count + 1)]
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
