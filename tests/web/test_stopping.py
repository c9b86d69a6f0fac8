"""The web server ends when it is told to, whenever that is."""

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from papertrade.stack.embedded.process import free_port
from papertrade.web import limits
from tests.stack.server import PROJECT, wait_until


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def web(port: int, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """It, just started."""
    environment = {**os.environ, "PAPERTRADE_PORT": str(port), "PAPERTRADE_VAR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, "-m", "papertrade.web"], cwd=PROJECT, env=environment, start_new_session=True
    )
    yield process
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def members(group: int) -> list[int]:
    """The live processes of a group. Linux; elsewhere none."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, pgrp = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(pgrp) == group and state != "Z":
            found.append(int(path.parent.name))
    return found


def answers(port: int) -> bool:
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=30).status == 200
    except (urllib.error.URLError, OSError):
        return False


# In the interpreter's start, while workers are started, while they load Django, and about when they begin to serve.
@pytest.mark.parametrize("seconds", [0.02, 0.15, 0.4, 1.0, 2.0])
def test_told_to_stop_while_it_starts(web: "subprocess.Popen[bytes]", seconds: float) -> None:
    time.sleep(seconds)
    web.send_signal(signal.SIGTERM)
    web.wait(limits.STOP_SECONDS + 60)
    wait_until(lambda: members(web.pid) == [], "the end of all")


def test_a_killed_worker_is_started_again_and_a_killed_parent_takes_them_along(
    web: "subprocess.Popen[bytes]", port: int
) -> None:
    wait_until(lambda: answers(port), "it serves")
    before = set(members(web.pid)) - {web.pid}
    os.kill(min(before), signal.SIGKILL)
    wait_until(lambda: answers(port), "the other one serves")
    wait_until(lambda: len(set(members(web.pid)) - {web.pid, min(before)}) == len(before), "another worker")
    web.kill()
    web.wait()
    wait_until(lambda: not members(web.pid), "the end of all")
