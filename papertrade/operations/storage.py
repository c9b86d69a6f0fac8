"""How large the tables are, and by how much they grew: asked of PostgreSQL's catalog, with a sample a day kept in Valkey.

Sizes are of a table with its indexes and partitions, in bytes. After Valkey was emptied growth is unknown for a while; nothing
depends on it.
"""

import json
import time
from dataclasses import dataclass
from typing import Any

import redis
from django.db import connection

from papertrade.lib.valkey import client

SAMPLES = "papertrade:storage"
DAY_SECONDS = 86_400
KEPT_DAYS = 400
WEEK_DAYS = 7

# Every table of ours, a part of another counted as that one. Rows are PostgreSQL's estimate of its last vacuum.
_SIZES = """
    SELECT coalesce(whole.relname, c.relname), sum(pg_total_relation_size(c.oid))::bigint,
           sum(greatest(c.reltuples, 0))::bigint
    FROM pg_class c
    LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
    LEFT JOIN pg_class whole ON whole.oid = i.inhparent
    WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
    GROUP BY 1 ORDER BY 2 DESC, 1
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its bytes, its approximate rows, and its growth in bytes since a day and a week ago, None where unknown."""

    name: str
    size: int
    rows: int
    grew_in_a_day: int | None = None
    grew_in_a_week: int | None = None


def tables() -> list[Table]:
    """Every table, the largest first."""
    with connection.cursor() as cursor:
        cursor.execute(_SIZES)
        sizes = cursor.fetchall()
    day, week = _sample(days_ago=1), _sample(days_ago=WEEK_DAYS)
    return [Table(name, size, rows, _since(day, name, size), _since(week, name, size)) for name, size, rows in sizes]


def keep_sample() -> None:
    """Remember today's sizes, once a day. Raises redis.RedisError."""
    today = _today()
    sizes = {table.name: table.size for table in tables()}
    if client().hsetnx(SAMPLES, str(today), json.dumps(sizes)):
        kept: Any = client().hkeys(SAMPLES)
        if old := [day for day in kept if int(day) < today - KEPT_DAYS]:
            client().hdel(SAMPLES, *old)


def _today() -> int:
    """Days since the epoch, UTC."""
    return int(time.time()) // DAY_SECONDS


def _sample(*, days_ago: int) -> dict[str, int]:
    try:
        told: Any = client().hget(SAMPLES, str(_today() - days_ago))
    except redis.RedisError:
        return {}
    return json.loads(told) if told else {}


def _since(sample: dict[str, int], name: str, size: int) -> int | None:
    if not sample:
        return None
    return size - sample.get(name, 0)
