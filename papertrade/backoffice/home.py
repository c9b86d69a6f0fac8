"""The home page of the admin: is the server well, what is it doing, for whom, and how does it grow?

Every section is read by itself, so that one whose server is away does not take the others with it; each costs the same with a
million orders as with ten. Whoever may read orders may read the page.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import redis
from django.db import Error
from django.http import HttpRequest

from accounts.models import ApiKey, User
from marketdata import clock
from marketdata.models import Lease
from orders.sweeps.progress import SweepProgress, progress_of_sweeps
from papertrade.lib.admin import cells
from papertrade.lib.valkey import client
from papertrade.lib.words import counted
from papertrade.operations import health, presence, storage
from papertrade.operations.gauges import QUEUE
from papertrade.proof import audits
from portfolio.models import Audit, AuditReport

RIGHT = "orders.view_order"
MOST_RUNS = 6
MOST_MINUTES = 10
MOST_SLOW = 10
MOST_NAMES = 10
MOST_TABLES = 10
AWAY = (Error, redis.RedisError)

Section = dict[str, Any] | None


def home(request: HttpRequest) -> dict[str, Any]:
    """What the page shows; a section is None where the server it reads from is away."""
    if not request.user.has_perm(RIGHT):
        return {}
    return {"operations": {name: _well(section) for name, section in SECTIONS.items()}}


def _well(section: Callable[[], Section]) -> Section:
    try:
        return section()
    except AWAY:
        return None


def _parts() -> Section:
    """What answers, who leads, and what waits."""
    return {"parts": [(name, health.well(check)) for name, check in health.CHECKS.items()]}


def _processes() -> Section:
    """Every process of every host, and the kinds of which none was heard of."""
    found = presence.processes()
    heard = {one.kind for one in found if not one.is_silent}
    return {
        "rows": [
            {
                "process": one,
                "started": cells.wall_time(one.started_at),
                "seen": cells.wall_time(one.seen_at),
                "state": "silent" if one.is_silent else one.role or "works",
            }
            for one in found
        ],
        "missing": [kind for kind in presence.KINDS if kind not in heard],
    }


def _leases() -> Section:
    """Who moves the market."""
    return {
        "rows": [
            (lease.name, lease.holder, cells.wall_time(lease.until)) for lease in Lease.objects.all() if lease.until
        ]
    }


def _runs() -> Section:
    return {"rows": [_run(one) for one in progress_of_sweeps(limit=MOST_RUNS)]}


def _run(progress: SweepProgress) -> dict[str, Any]:
    return {
        "link": cells.page_link(progress.sweep),
        "at": cells.exchange_time(progress.sweep.at),
        "chunks": f"{progress.chunks_done:,} of {progress.chunks:,}",
        "orders": f"{progress.orders_done:,} of {progress.orders:,}",
        "took": cells.seconds(progress.elapsed),
        "finished": progress.finished,
        "workers": len(progress.chunks_by_worker),
    }


def _queue() -> Section:
    waiting: Any = client().llen(QUEUE)
    return {"waiting": f"{waiting:,}"}


def _audit() -> Section:
    under_way = [_under_way(one) for one in Audit.objects.filter(finished_at=None, canceled_at=None)[:MOST_RUNS]]
    last = AuditReport.objects.filter(scope="").first()
    if last is None:
        return {"under_way": under_way}
    return {
        "under_way": under_way,
        "link": cells.page_link(last),
        "finished": cells.wall_time(last.finished_at),
        "late": clock.wall_now() - last.finished_at > health.AUDIT_LATE,
        "differs": last.difference_count > 0,
    }


def _under_way(audit: Audit) -> str:
    progress = audits.progress_of(audit)
    return f"{audit}: {progress.books_done:,} of {counted(progress.books, 'book')}"


def _minutes() -> Section:
    rows = presence.minutes(MOST_MINUTES)
    words = ("requests", "failed", "placed", "filled", "rejected")
    most = max((counted.get("placed", 0) for _, counted in rows), default=0)
    return {
        "rows": [
            {
                "at": f"{at:%H:%M}",
                "counts": [f"{counted.get(word, 0):,}" for word in words],
                "placed": counted.get("placed", 0),
            }
            for at, counted in reversed(rows)
        ],
        "most": most or 1,
    }


def _slowest() -> Section:
    return {
        "rows": [
            {
                **line,
                "took": cells.seconds(timedelta(seconds=seconds)),
                "at": cells.wall_time(datetime.fromisoformat(line["at"])),
            }
            for seconds, line in presence.slowest(most=MOST_SLOW)
        ]
    }


def _usage() -> Section:
    users, keys = (presence.usage(whose, most=MOST_NAMES) for whose in ("user", "key"))
    known_users = {user.get_username(): user for user in User.objects.filter(username__in=[name for name, *_ in users])}
    known_keys = {key.prefix: key for key in ApiKey.objects.filter(prefix__in=[name for name, *_ in keys])}
    return {"users": _with_links(users, known_users), "keys": _with_links(keys, known_keys)}


def _with_links(rows: list[tuple[str, int, int]], known: dict[str, Any]) -> list[tuple[Any, str, str]]:
    return [
        (cells.page_link(known[name]) if name in known else name, f"{requests:,}", f"{orders:,}")
        for name, requests, orders in rows
    ]


def _storage() -> Section:
    found = storage.tables()
    return {
        "total": cells.size(sum(table.size for table in found)),
        "rows": [
            {
                "name": table.name,
                "size": cells.size(table.size),
                "rows": f"{table.rows:,}",
                "day": _grown(table.grew_in_a_day),
                "week": _grown(table.grew_in_a_week),
            }
            for table in found[:MOST_TABLES]
        ],
    }


def _grown(size: int | None) -> str:
    return cells.NOTHING if size is None else cells.size(size)


SECTIONS: dict[str, Callable[[], Section]] = {
    "parts": _parts,
    "processes": _processes,
    "leases": _leases,
    "runs": _runs,
    "queue": _queue,
    "audit": _audit,
    "minutes": _minutes,
    "slowest": _slowest,
    "usage": _usage,
    "storage": _storage,
}
