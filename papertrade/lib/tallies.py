"""What this process did since it was last asked: for the operators' page, which shows all processes of all hosts together.

Counting costs about a microsecond and needs no server. Every few seconds `papertrade.operations.presence` takes what was
counted and adds it up in Valkey; what a killed process had not handed over is lost, and nothing depends on it.
"""

import heapq
import os
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

SLOW_SECONDS = 0.1  # what takes longer may be among the slowest requests
MOST_SLOW = 20  # are kept until they are asked for


@dataclass(slots=True)
class Counted:
    """`minutes` by (minute since the epoch, what), `usage` by (day since the epoch, what, whose, name); `slow` the slowest."""

    minutes: Counter[tuple[int, str]] = field(default_factory=Counter)
    usage: Counter[tuple[int, str, str, str]] = field(default_factory=Counter)
    slow: list[tuple[float, int, dict[str, str]]] = field(default_factory=list)


_counted = Counted()
_lock = threading.Lock()


def count_request(*, seconds: float, failed: bool, user: str, key: str, orders: int, line: dict[str, str]) -> None:
    """A request was answered. `line` is what a list of slow ones shows of it."""
    now = int(time.time())
    minute, day = now // 60, now // 86_400
    with _lock:
        _counted.minutes[minute, "requests"] += 1
        if failed:
            _counted.minutes[minute, "failed"] += 1
        for whose, name in (("user", user), ("key", key)):
            if name:
                _counted.usage[day, "requests", whose, name] += 1
                if orders:
                    _counted.usage[day, "orders", whose, name] += orders
        if seconds >= SLOW_SECONDS:
            entry = (seconds, id(line), line)
            push = heapq.heappush if len(_counted.slow) < MOST_SLOW else heapq.heappushpop
            push(_counted.slow, entry)


def count_orders(by_word: dict[str, int]) -> None:
    """So many orders were placed, filled, rejected and so on."""
    minute = int(time.time()) // 60
    with _lock:
        for word, number in by_word.items():
            _counted.minutes[minute, word] += number


def take() -> Counted:
    """All that was counted since the last time."""
    global _counted
    with _lock:
        taken, _counted = _counted, Counted()
    return taken


def _begin_anew() -> None:
    """In a fork: its parent hands over what was counted before, and may have held the lock at that moment."""
    global _counted, _lock
    _counted, _lock = Counted(), threading.Lock()


os.register_at_fork(after_in_child=_begin_anew)


def put_back(counted: Counted) -> None:
    """Count again what could not be handed over, so that it is taken with the next."""
    with _lock:
        _counted.minutes.update(counted.minutes)
        _counted.usage.update(counted.usage)
        _counted.slow = heapq.nlargest(MOST_SLOW, [*_counted.slow, *counted.slow])
        heapq.heapify(_counted.slow)
