"""The way to the quote book: one client a process."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from papertrade.lib import valkey
from papertrade.lib.valkey import client

THREADS = 4


@pytest.fixture(autouse=True)
def no_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has just begun."""
    monkeypatch.setattr(valkey, "_client", None)


def test_threads_that_begin_together_share_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    make, together = redis.Redis.from_url, threading.Barrier(THREADS)

    def slow(*arguments: Any, **named: Any) -> redis.Redis:
        made = make(*arguments, **named)
        threading.Event().wait(0.05)  # the others come in the meantime
        return made

    def first_use(_: int) -> redis.Redis:
        together.wait()
        return client()

    monkeypatch.setattr(redis.Redis, "from_url", slow)
    with ThreadPoolExecutor(THREADS) as pool:
        assert len(set(pool.map(first_use, range(THREADS)))) == 1
