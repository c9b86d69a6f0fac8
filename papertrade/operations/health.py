"""Whether the server is well: what it stands on, what keeps it from taking requests, and what an operator should know.

Three questions: `CHECKS` (which parts answer), `not_ready` (may a load balancer send requests here), `warnings`
(what stands above the pages of the admin).
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime, timedelta

import redis
from django.conf import settings
from django.db import Error, connection
from django.db.migrations.executor import MigrationExecutor

from marketdata import clock, feed_state, gate, quote_book
from marketdata.markets.current import current_market
from marketdata.models import MarketClock
from orders.models import Sweep
from papertrade.lib.errors import PapertradeError
from papertrade.lib.words import counted
from papertrade.operations import presence
from portfolio.models import AuditReport, LedgerTransaction
from portfolio.retention import is_behind, rows_outside

FEED_SILENT = timedelta(seconds=15)
CLOCKS_DIFFER = timedelta(seconds=1)  # of two hosts that follow NTP it is far less
AUDIT_LATE = timedelta(hours=26)  # it runs every night
FULL_AUDIT_LATE = timedelta(days=9)  # every seventh night it reads everything
SWEEP_LATE = timedelta(seconds=60)  # 40,000 orders at the open take about ten seconds

ROWS_IN_THE_NET = 10_000  # a clock that ran ahead of beat leaves some, which the next hour puts into their months

END_SESSION = "End that session with pg_terminate_backend, and let no feed connect through a pooler."

AWAY = (Error, PapertradeError, clock.ClockNotStarted)
NO_DATABASE = "The database does not answer."


def database_answers() -> bool:
    """Whether PostgreSQL answers. Raises Django's database errors."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        return cursor.fetchone() == (1,)


def valkey_answers() -> bool:
    """Whether Valkey answers. Raises BookUnavailable."""
    return quote_book.ping()


def feed_is_alive() -> bool:
    """Whether the feed process moved the market, or at least its own heart, a moment ago."""
    beat = MarketClock.objects.values_list("heartbeat_at", flat=True).first()
    return beat is not None and clock.wall_now() - beat < FEED_SILENT


CHECKS: dict[str, Callable[[], bool]] = {
    "database": database_answers,
    "valkey": valkey_answers,
    "feed": feed_is_alive,
}


def well(check: Callable[[], bool]) -> bool:
    """What the check says; False where what it asks is away."""
    try:
        return check()
    except AWAY:
        return False


def not_ready() -> list[str]:
    """Why this process cannot serve requests; empty where it can.

    A silent feed is no reason: the pages and the books are there, and an order says itself that its quote is stale.
    """
    if not well(database_answers):
        return [NO_DATABASE]
    if not well(migrated):
        return ["Migrations are missing; run `papertrade prepare`."]
    if not well(_clock_is_started):
        return ["The market has not been started; run `papertrade prepare`."]
    if not well(_quotes_are_usable):
        return ["The quote book is not filled; the feed process fills it within seconds once Valkey answers."]
    try:
        pid = gate.stuck_at()
    except AWAY:
        return [NO_DATABASE]
    if pid is not None:
        return [f"The gate is closed by database session {pid}, which does nothing: no order gets in. {END_SESSION}"]
    return []


def migrated() -> bool:
    """Whether every migration is applied. Once it is so it is not asked again."""
    global _is_migrated
    if not _is_migrated:
        executor = MigrationExecutor(connection)
        _is_migrated = not executor.migration_plan(executor.loader.graph.leaf_nodes())
    return _is_migrated


_is_migrated = False  # reading all migrations takes a tenth of a second, and probes come every few seconds


def warnings() -> list[str]:
    """What an operator should know and do, one sentence each, worst first; empty where all is well."""
    if not well(database_answers):
        return [NO_DATABASE]
    found = []
    if not well(valkey_answers):
        found.append(
            "Valkey does not answer: no quotes in a recorded market, no rate limits. Start it; nothing is lost."
        )
    if not well(feed_is_alive):
        found.append(
            f"Quotes are stale: no feed process has moved the market for {_silence()}. Start `papertrade run-feed`."
        )
    elif not well(_clock_moves):
        found.append("The clock stands still though the feed is alive. The log of the feed process says why.")
    elif not well(_wall_goes_on):
        found.append("This machine's clock was set back: time stands still until it has caught up. Let it follow NTP.")
    else:
        found += _of_the_provider()
    found += _of_the_clocks()
    late = Sweep.objects.filter(finished_at__isnull=True, created_at__lt=clock.wall_now() - SWEEP_LATE)
    found += [
        f"The {sweep} is late: {counted(sweep.chunks.filter(done_at__isnull=True).count(), 'chunk')} to go. Check the workers."
        for sweep in late
    ]
    if (rows := rows_outside()) >= ROWS_IN_THE_NET:
        found.append(
            f"{rows:,} or more snapshots stand in no month: check beat and the workers, or run `papertrade retain`."
        )
    if not well(_months_are_ahead):
        found.append(
            "No month is made ahead for snapshots: check beat and the workers, or run `papertrade retain`. Nothing is lost."
        )
    return found + _of_the_audit()


def _months_are_ahead() -> bool:
    """Also where the market's clock was never started, as nothing is written then."""
    with suppress(clock.ClockNotStarted):
        return not is_behind(at=clock.read().now)
    return True


def skews(processes: Iterable[presence.Process]) -> dict[str, float]:
    """By how many seconds each host's clock is ahead of the database's: the most of its processes that are heard of."""
    found: dict[str, float] = {}
    for one in processes:
        if not one.is_silent and abs(one.skew_seconds) >= abs(found.get(one.host, 0.0)):
            found[one.host] = one.skew_seconds
    return found


def _of_the_clocks() -> list[str]:
    """Which hosts' clocks differ from the database's, which is everybody's wall clock."""
    try:
        hosts = skews(presence.processes())
    except redis.RedisError:
        return []
    return [
        f"The clock of {host} is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} the database's. Market time goes by "
        "the database's; logs, limits and sign-ins go by the machine's. Let both follow NTP."
        for host, skew in hosts.items()
        if abs(skew) > CLOCKS_DIFFER.total_seconds()
    ]


def _of_the_provider() -> list[str]:
    """What is wrong with a live market's provider; nothing in the other markets."""
    if settings.PAPERTRADE_MARKET != clock.LIVE:
        return []
    status = feed_state.in_force()
    if status is None:
        return ["Nothing is known of the provider: Valkey does not answer, or lost it."]
    return status.problems


def _of_the_audit() -> list[str]:
    """What the last audit found, and whether there was one of late."""
    last = AuditReport.objects.filter(scope="").first()
    if last is not None and last.difference_count:
        found = counted(last.difference_count, "difference")
        return [f"The last audit found {found} in the books. Read its report first of all."]
    since = (
        last.finished_at
        if last
        else LedgerTransaction.objects.order_by("pk").values_list("recorded_at", flat=True).first()
    )
    if since is not None and clock.wall_now() - since > AUDIT_LATE:
        return [
            "The books were not audited for more than a day. Check beat and the workers, or run `papertrade audit`."
        ]
    full = AuditReport.objects.filter(scope="", extent=AuditReport.Extent.FULL).first()
    if full is not None and clock.wall_now() - full.finished_at > FULL_AUDIT_LATE:
        return ["The books were not read from their beginning for more than a week. Run `papertrade audit`."]
    return []


def went_on_at() -> datetime | None:
    """Wall time at which a running clock last went on from where it stood, after a gap; None where it never did."""
    try:
        return MarketClock.objects.values_list("anchored_again_at", flat=True).first()
    except Error:
        return None


def _wall_goes_on() -> bool:
    """Whether a live market is not ahead of the real clock, which it is where that was set back."""
    reading = clock.read()
    return reading.market != clock.LIVE or reading.through - clock.real_now() < CLOCKS_DIFFER


def _clock_is_started() -> bool:
    return clock.read() is not None


def _quotes_are_usable() -> bool:
    """The simulated market computes its quotes; the others read them from the book."""
    return not current_market().has_book or quote_book.marker() is not None


def _clock_moves() -> bool:
    """Whether a clock that runs by itself is not far ahead of what has been done; at speed 0 it stands by design."""
    reading = clock.read()
    row = MarketClock.objects.values("anchor_at", "anchor_wall").first()
    if not reading.speed or row is None:
        return True
    due = row["anchor_at"] + clock.scaled(clock.wall_now() - row["anchor_wall"], reading.speed)
    return due - reading.through < clock.scaled(FEED_SILENT, reading.speed)


def _silence() -> str:
    beat = MarketClock.objects.values_list("heartbeat_at", flat=True).first()
    return "an unknown time" if beat is None else f"{(clock.wall_now() - beat).total_seconds():.0f} s"
