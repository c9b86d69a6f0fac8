"""States that a scrape reads as they are: parts that answer, quote age, runs in progress, the queue; and the whole scrape."""

from collections.abc import Iterator

import redis
from django.db.models import Count, Max, Min
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from marketdata import clock, feed_state
from marketdata.models import MarketClock
from orders.models import SweepChunk
from papertrade.lib import metrics
from papertrade.lib.valkey import client
from papertrade.operations import health
from portfolio.models import AuditReport, Mark
from portfolio.retention import months_ahead, rows_outside

QUEUE = "celery"  # Celery's default queue is a list of this name


def scrape() -> bytes:
    """Every metric of this machine in Prometheus's text format."""
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=str(metrics.FOLDER))
    registry.register(States())
    return generate_latest(registry)


class States(Collector):
    """Asks database and Valkey. What is away is reported as such, and its figures are left out."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        up = GaugeMetricFamily("papertrade_up", "1 where the part answers.", labels=["part"])
        found = {part: health.well(check) for part, check in health.CHECKS.items()}
        for part, answers in found.items():
            up.add_metric([part], float(answers))
        yield up
        if found["valkey"]:
            yield from _queue()
        if found["database"]:
            yield from _market()
            yield from _provider()
            yield from _runs()
            yield from _audit()
            yield from _growth()


def _queue() -> Iterator[GaugeMetricFamily]:
    try:
        yield GaugeMetricFamily("papertrade_queue_tasks", "Tasks that wait for a worker.", value=client().llen(QUEUE))
    except redis.RedisError:
        return


def _market() -> Iterator[GaugeMetricFamily]:
    silent = GaugeMetricFamily(
        "papertrade_feed_silent_seconds", "Wall time since the feed was heard of.", labels=["feed"]
    )
    age = GaugeMetricFamily(
        "papertrade_quote_age_seconds", "Exchange time since the newest quote of a held symbol.", labels=["feed"]
    )
    for feed, beat in MarketClock.objects.filter(heartbeat_at__isnull=False).values_list("feed", "heartbeat_at"):
        silent.add_metric([feed], (clock.wall_now() - beat).total_seconds())
        now = clock.read().now
        for source, newest in Mark.objects.values_list("feed").annotate(Max("quoted_at")):
            age.add_metric([source], (now - newest).total_seconds())
    yield silent
    yield age


def _provider() -> Iterator[GaugeMetricFamily]:
    """The lines of a live market's provider; no series in other markets, nor where the leader has told nothing."""
    status = feed_state.in_force()
    if status is None:
        return
    state = GaugeMetricFamily(
        "papertrade_live_line", "1 for the state that a line is in.", labels=["line", "feed", "grade", "state"]
    )
    symbols = GaugeMetricFamily("papertrade_live_symbols", "Symbols by how a line serves them.", labels=["line", "how"])
    for line in status.lines:
        state.add_metric([line.name, line.feed, line.grade, line.state], 1.0)
        for how, number in (("streamed", line.streamed), ("polled", line.polled), ("left_out", line.left_out_count)):
            symbols.add_metric([line.name, how], number)
    yield state
    yield symbols
    if status.lag_seconds is not None:
        yield GaugeMetricFamily(
            "papertrade_live_lag_seconds", "By how much quotes were late in the middle.", value=status.lag_seconds
        )


def _growth() -> Iterator[GaugeMetricFamily]:
    """How far ahead there is a place for snapshots, and how many found none."""
    try:
        ahead = months_ahead(at=clock.read().now)
    except clock.ClockNotStarted:
        return
    yield GaugeMetricFamily("papertrade_snapshot_months_ahead", "Months that have a partition already.", value=ahead)
    yield GaugeMetricFamily(
        "papertrade_snapshot_rows_outside", "Snapshots in the default partition, 10,001 at most.", value=rows_outside()
    )


def _audit() -> Iterator[GaugeMetricFamily]:
    """The last audit of all books; no series before the first."""
    last = AuditReport.objects.filter(scope="").first()
    if last is not None:
        age = (clock.wall_now() - last.finished_at).total_seconds()
        yield GaugeMetricFamily("papertrade_audit_age_seconds", "Since all books were last audited.", value=age)
        yield GaugeMetricFamily("papertrade_audit_differences", "What that audit found.", value=last.difference_count)


def _runs() -> Iterator[GaugeMetricFamily]:
    """Runs over the books that are not finished; no series where there is none."""
    chunks = GaugeMetricFamily("papertrade_run_chunks", "Chunks of runs in progress.", labels=["kind", "state"])
    age = GaugeMetricFamily("papertrade_run_age_seconds", "Since the oldest unfinished run began.", labels=["kind"])
    rows = (
        SweepChunk.objects.filter(sweep__finished_at__isnull=True)
        .order_by()
        .values("sweep__kind")
        .annotate(all=Count("pk"), done=Count("done_at"), since=Min("sweep__created_at"))
    )
    for row in rows:
        kind = row["sweep__kind"]
        chunks.add_metric([kind, "done"], row["done"])
        chunks.add_metric([kind, "waiting"], row["all"] - row["done"])
        age.add_metric([kind], (clock.wall_now() - row["since"]).total_seconds())
    yield chunks
    yield age
