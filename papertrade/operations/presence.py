"""Which processes there are, on which hosts, and what they count together: reported through Valkey every few seconds.

No decision depends on it. While Valkey is away no process is seen; what was counted meanwhile is handed over afterwards. Times
are wall times.
"""

import atexit
import json
import os
import platform
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
import structlog

from marketdata import clock
from papertrade import __version__
from papertrade.lib import tallies
from papertrade.lib.processes import process_name
from papertrade.lib.valkey import client

log = structlog.get_logger(__name__)

KINDS = ("web", "feed", "worker", "beat")
BEAT_SECONDS = 5.0
SILENT = timedelta(seconds=20)
FORGOTTEN = timedelta(days=1)
LONGEST_WAIT_SECONDS = 3.0

PROCESSES = "papertrade:processes"
MINUTE, MINUTE_SECONDS = "papertrade:minute:", 2 * 3600
USAGE, USAGE_SECONDS = "papertrade:usage:", 8 * 86_400
SLOW, SLOW_SECONDS, MOST_SLOW = "papertrade:slow:", 25 * 3600, 50
APART = "|"


@dataclass(frozen=True, slots=True)
class Process:
    """One process as it last reported itself. `role` tells apart several of a kind; empty where they are all the same."""

    kind: str
    host: str
    pid: int
    version: str
    python: str
    started_at: datetime
    seen_at: datetime
    role: str = ""
    skew_seconds: float = 0.0  # by how much its machine's clock is ahead of the database's

    @property
    def is_silent(self) -> bool:
        return clock.wall_now() - self.seen_at > SILENT


class Beacon:
    """Reports this process and hands over what it counted, from a thread of its own. Start it after a fork, not before.

    `shows=False`: it only hands over. `also` is called each time.
    """

    def __init__(
        self, kind: str, *, role: Callable[[], str] = str, shows: bool = True, also: Callable[[], object] = bool
    ) -> None:
        self._kind, self._role, self._shows, self._also = kind, role, shows, also
        self._started_at = clock.wall_now()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beacon", daemon=True)
        self._name = process_name()

    def start(self) -> "Beacon":
        """Begin; it ends with the process."""
        self._thread.start()
        atexit.register(self.stop)
        return self

    def stop(self) -> None:
        """Report that the process ends, so that it is not missed."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._thread.join(LONGEST_WAIT_SECONDS)
        with suppress(redis.RedisError):
            client().hdel(PROCESSES, self._name)

    def _run(self) -> None:
        is_last = False
        while True:
            try:
                self.beat()
            except Exception:
                log.exception("presence_not_told")
            if is_last:
                return
            is_last = self._stopping.wait(BEAT_SECONDS)

    def beat(self) -> None:
        """Report and hand over once."""
        self._also()
        counted = tallies.take()
        try:
            with client().pipeline(transaction=False) as pipe:
                if self._shows:
                    pipe.hset(PROCESSES, self._name, self._as_told())
                _add(pipe, counted)
                pipe.execute()
        except redis.RedisError:
            tallies.put_back(counted)

    def _as_told(self) -> str:
        process = Process(
            kind=self._kind,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            python=platform.python_version(),
            started_at=self._started_at,
            seen_at=clock.wall_now(),
            role=self._role(),
            skew_seconds=round(clock.skew().total_seconds(), 3),
        )
        return json.dumps(asdict(process), default=datetime.isoformat)


def _add(pipe: Any, counted: tallies.Counted) -> None:
    for (minute, what), number in counted.minutes.items():
        pipe.hincrby(f"{MINUTE}{minute}", what, number)
        pipe.expire(f"{MINUTE}{minute}", MINUTE_SECONDS)
    for (day, *names), number in counted.usage.items():
        pipe.hincrby(f"{USAGE}{day}", APART.join(names), number)
        pipe.expire(f"{USAGE}{day}", USAGE_SECONDS)
    if counted.slow:
        name = f"{SLOW}{int(time.time()) // 3600}"
        pipe.zadd(name, {json.dumps(line): seconds for seconds, _, line in counted.slow})
        pipe.zremrangebyrank(name, 0, -MOST_SLOW - 1)
        pipe.expire(name, SLOW_SECONDS)


def processes() -> list[Process]:
    """Every process that was heard of within a day and has not reported its end. Raises redis.RedisError."""
    found: list[Process] = []
    forgotten: list[str] = []
    for name, told in _hash(PROCESSES).items():
        values = json.loads(told)
        times = {field: datetime.fromisoformat(values[field]) for field in ("started_at", "seen_at")}
        known = {field: value for field, value in {**values, **times}.items() if field in Process.__slots__}
        process = Process(**known)  # one of the next release may tell more
        if clock.wall_now() - process.seen_at > FORGOTTEN:
            forgotten.append(name)
        else:
            found.append(process)
    if forgotten:
        client().hdel(PROCESSES, *forgotten)
    kinds = {kind: place for place, kind in enumerate(KINDS)}  # one of the next release may be of none of them
    return sorted(found, key=lambda one: (kinds.get(one.kind, len(kinds)), one.kind, one.host, one.pid))


def _hash(name: str) -> dict[str, str]:
    found: Any = client().hgetall(name)
    return {field.decode(): value.decode() for field, value in found.items()}


def minutes(count: int) -> list[tuple[datetime, dict[str, int]]]:
    """What was counted in each of the last whole minutes, oldest first. Raises redis.RedisError."""
    now = int(time.time()) // 60
    wanted = range(now - count, now)
    with client().pipeline(transaction=False) as pipe:
        for minute in wanted:
            pipe.hgetall(f"{MINUTE}{minute}")
        rows = pipe.execute()
    return [
        (datetime.fromtimestamp(minute * 60, UTC), {what.decode(): int(number) for what, number in row.items()})
        for minute, row in zip(wanted, rows, strict=True)
    ]


def usage(whose: str, *, most: int) -> list[tuple[str, int, int]]:
    """Name, requests and orders today (UTC) of the users or keys that sent most requests. Raises redis.RedisError."""
    requests: dict[str, int] = {}
    orders: dict[str, int] = {}
    for field, number in _hash(f"{USAGE}{int(time.time()) // 86_400}").items():
        what, who, name = field.split(APART, 2)
        if who == whose:
            (orders if what == "orders" else requests)[name] = int(number)
    most_first = sorted(requests, key=lambda name: (-requests[name], name))[:most]
    return [(name, requests[name], orders.get(name, 0)) for name in most_first]


def slowest(*, most: int) -> list[tuple[float, dict[str, str]]]:
    """The slowest requests of this hour and the one before: seconds, and what is known of each. Raises redis.RedisError."""
    hour = int(time.time()) // 3600
    rows: list[tuple[float, dict[str, str]]] = []
    for name in (f"{SLOW}{hour}", f"{SLOW}{hour - 1}"):
        found: Any = client().zrevrange(name, 0, most - 1, withscores=True)
        rows += [(seconds, json.loads(line)) for line, seconds in found]
    return sorted(rows, key=lambda row: -row[0])[:most]
