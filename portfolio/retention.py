"""Snapshots by month: partitions made ahead, old ones thinned to what history needs, or taken out as a whole.

The server does not own the tables: what it may have done is a function of the database each (migration 0009). Events, fills
and ledger are evidence and are never cut.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime

import psycopg
from django.db import transaction
from psycopg import sql

from papertrade.lib.postgres import raw_cursor
from portfolio.models import EquitySnapshot, SnapshotMonth

# In SQL over rows `s`: what thinning leaves of an hour of a book is its last snapshot, its first highest equity and its first
# deepest drawdown. So charts by the hour and by the day, the peak and the deepest drawdown stay what they were.
_OF_HOUR = "PARTITION BY s.book_id, date_trunc('hour', s.at) ORDER BY"
THINNED = f"""(row_number() OVER ({_OF_HOUR} s.at DESC, s.id DESC) = 1
     OR row_number() OVER ({_OF_HOUR} s.equity DESC, s.at, s.id) = 1
     OR row_number() OVER ({_OF_HOUR} s.drawdown DESC, s.at, s.id) = 1)"""


@dataclass(frozen=True, slots=True)
class PutAway:
    """The months, as `2026-10`, whose snapshots are not all there any more."""

    thinned: frozenset[str]
    detached: frozenset[str]


def put_away_months() -> PutAway:
    """What retention has done so far."""
    months: dict[str, set[str]] = {state: set() for state in SnapshotMonth.State.values}
    for month, state in SnapshotMonth.objects.values_list("month", "state"):
        months[state].add(f"{month:%Y-%m}")
    return PutAway(*(frozenset(months[state]) for state in (SnapshotMonth.State.THINNED, SnapshotMonth.State.DETACHED)))


MONTHS_AHEAD = 3
OUTSIDE_COUNTED = 10_001  # of rows in the default partition: whether they are many is what matters


@dataclass(frozen=True, slots=True)
class Part:
    """A partition of the snapshots: [since, upto), open where the bound is None; the default one has neither."""

    name: str
    since: datetime | None
    upto: datetime | None


def parts() -> list[Part]:
    """All partitions, the oldest first."""
    with raw_cursor() as cursor:
        rows = cursor.execute("SELECT part, since, upto FROM portfolio_snapshot_parts ORDER BY upto, part").fetchall()
    return [Part(*row) for row in rows]


def make_months(*, at: datetime) -> int:
    """Make the partitions of the month of `at` and of the next three, and of what fell into the default one; how many."""
    first = at.astimezone(UTC).date().replace(day=1)
    with raw_cursor() as cursor:
        outside = cursor.execute(
            "SELECT DISTINCT date_trunc('month', at AT TIME ZONE 'UTC')::date FROM portfolio_snapshots_outside"
        ).fetchall()
        wanted = {following(first, ahead) for ahead in range(MONTHS_AHEAD + 1)} | {month for (month,) in outside}
        made = 0
        for month in sorted(wanted):  # each a transaction of its own: writers wait for one month at most
            made += _number(cursor.execute("SELECT portfolio_make_snapshot_month(%s)::int", [month]))
    return made


def thin(*, before: datetime) -> int:
    """Thin every partition that ends at or before the instant and was not yet; how many rows went."""
    gone = 0
    for part in parts():
        if part.upto is not None and part.upto <= before:
            with raw_cursor() as cursor:
                gone += _number(cursor.execute("SELECT coalesce(portfolio_thin_snapshots(%s), 0)", [part.name]))
    return gone


def detach(*, before: date) -> list[str]:
    """Take every partition that ends at or before the first of that month out of the snapshots; the tables' names.

    Nothing is deleted: a table stays in the database until its operator has kept it as a file and drops it. Only the owner
    of the tables can do this.
    """
    tables = []
    for part in parts():
        if part.upto is None or part.upto.date() > before:
            continue
        table = part.name.replace(EquitySnapshot._meta.db_table, "detached_snapshots")
        with transaction.atomic(), raw_cursor() as cursor:
            name, renamed = sql.Identifier(part.name), sql.Identifier(table)
            cursor.execute(sql.SQL("ALTER TABLE portfolio_equitysnapshot DETACH PARTITION {}").format(name))
            cursor.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(name, renamed))
            cursor.execute(
                sql.SQL(
                    "INSERT INTO portfolio_snapshotmonth (month, state, rows, rows_before)"
                    " SELECT date_trunc('month', at AT TIME ZONE 'UTC')::date, 'detached', 0, count(*) FROM {} GROUP BY 1"
                    " ON CONFLICT DO NOTHING"
                ).format(renamed)
            )
        tables.append(table)
    return tables


def months_ahead(*, at: datetime) -> int:
    """For how many whole months after the one of `at` there are partitions, one after the other."""
    ends = {part.since.astimezone(UTC).date() for part in parts() if part.since is not None}
    month, ahead = at.astimezone(UTC).date().replace(day=1), 0
    while following(month, ahead + 1) in ends:
        ahead += 1
    return ahead


def is_behind(*, at: datetime) -> bool:
    """Whether the month of `at` has a partition and the next has none: months were made ahead, and are no longer."""
    month = at.astimezone(UTC).date().replace(day=1)
    begun = {part.since.astimezone(UTC).date() for part in parts() if part.since is not None}
    return month in begun and following(month, 1) not in begun


def rows_outside() -> int:
    """How many snapshots stand in the default partition, at most 10,001."""
    with raw_cursor() as cursor:
        return _number(
            cursor.execute(
                "SELECT count(*) FROM (SELECT FROM portfolio_snapshots_outside LIMIT %s) AS few", [OUTSIDE_COUNTED]
            )
        )


def _number(cursor: psycopg.Cursor) -> int:
    """The one number that a statement gives."""
    row = cursor.fetchone()
    return row[0] if row else 0


def following(month: date, number: int) -> date:
    """The first of the month that many after this one."""
    index = month.year * 12 + month.month - 1 + number
    return date(index // 12, index % 12 + 1, 1)
