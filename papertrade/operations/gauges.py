"""States that a scrape reads as they are: parts that answer, quote age, runs in progress, the queue; and the whole scrape."""

import platform
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import redis
from django.db.models import Count, Max, Min
from prometheus_client import CollectorRegistry, generate_latest, multiprocess
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from marketdata import clock, feed_state, leases
from marketdata.models import MarketClock
from marketdata.sessions import calendar
from orders.models import SweepChunk
from papertrade import __version__
from papertrade.lib import metrics
from papertrade.lib.valkey import client
from papertrade.operations import health, presence
from portfolio.models import AuditReport, Mark
from portfolio.retention import months_ahead, rows_outside

QUEUE = "celery"  # Celery's default queue is a list of this name


@dataclass(frozen=True, slots=True)
class Gauge:
    """What there is to read: its name without the prefix, what it means, its labels."""

    meaning: str
    labels: tuple[str, ...] = ()


GAUGES: Mapping[str, Gauge] = {
    "up": Gauge("1 where the part answers.", ("part",)),
    "build_info": Gauge("1, with the release and Python of the process that was scraped.", ("version", "python")),
    "processes": Gauge("Processes heard of within the last 20 s.", ("kind", "host", "version")),
    "clock_skew_seconds": Gauge(
        "How far a machine's clock is ahead of the database's; the largest value of its processes.", ("host",)
    ),
    "lease_left_seconds": Gauge("Seconds until the holder loses the lease, unless it renews it.", ("lease",)),
    "queue_tasks": Gauge("Tasks waiting for a worker."),
    "session_open": Gauge("1 in regular hours, by exchange time."),
    "feed_silent_seconds": Gauge("Real time since the feed was last heard of.", ("feed",)),
    "quote_age_seconds": Gauge("Exchange time since the newest quote of any held symbol.", ("feed",)),
    "live_line": Gauge("1 for the line's current state.", ("line", "feed", "grade", "state")),
    "live_symbols": Gauge("Symbols, by how the line serves them.", ("line", "how")),
    "live_lag_seconds": Gauge("Median delay of quotes."),
    "run_chunks": Gauge("Chunks of the sweeps in progress.", ("kind", "state")),
    "run_age_seconds": Gauge("Time since the oldest unfinished sweep began.", ("kind",)),
    "audit_age_seconds": Gauge("Time since all books were last audited."),
    "audit_full_age_seconds": Gauge("Time since all books were last audited from the beginning."),
    "audit_differences": Gauge("Differences found by that audit."),
    "snapshot_months_ahead": Gauge("Future months that have a partition already."),
    "snapshot_rows_outside": Gauge("Snapshots in the default partition (counted up to 10,001)."),
}

Samples = Iterable[tuple[str, tuple[str, ...], float]]  # name, values of the labels, value


def scrape(*, states: bool = True) -> bytes:
    """Every metric of this machine in Prometheus's text format; without the states, which are the same on every machine."""
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry, path=str(metrics.FOLDER))
    if states:
        registry.register(States())
    return generate_latest(registry)


class States(Collector):
    """Asks database and Valkey. What is away is reported as such, and its figures are left out."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        families: dict[str, GaugeMetricFamily] = {}
        for name, labels, value in _samples():
            gauge = GAUGES[name]
            if name not in families:
                families[name] = GaugeMetricFamily(f"papertrade_{name}", gauge.meaning, labels=gauge.labels)
            families[name].add_metric(labels, value)
        yield from families.values()


def _samples() -> Samples:
    yield "build_info", (__version__, platform.python_version()), 1.0
    found = {part: health.well(check) for part, check in health.CHECKS.items()}
    for part, answers in found.items():
        yield "up", (part,), float(answers)
    if found["valkey"]:
        yield from _of_valkey()
    if found["database"]:
        for read in (_market, _provider, _runs, _audit, _growth):
            yield from read()


def _of_valkey() -> Samples:
    try:
        waiting, processes = client().llen(QUEUE), presence.processes()
    except redis.RedisError:
        return
    yield "queue_tasks", (), waiting
    heard = Counter((one.kind, one.host, one.version) for one in processes if not one.is_silent)
    for labels, number in heard.items():
        yield "processes", labels, number
    skews = health.skews(processes)
    for host, skew in skews.items():
        yield "clock_skew_seconds", (host,), skew


def _market() -> Samples:
    for feed, beat in MarketClock.objects.filter(heartbeat_at__isnull=False).values_list("feed", "heartbeat_at"):
        yield "feed_silent_seconds", (feed,), (clock.wall_now() - beat).total_seconds()
    for lease, left in leases.seconds_left().items():
        yield "lease_left_seconds", (lease,), left
    try:
        now = clock.read().now
    except clock.ClockNotStarted:
        return
    yield "session_open", (), float(calendar().session_at(now) is not None)
    for source, newest in Mark.objects.values_list("feed").annotate(Max("quoted_at")):
        yield "quote_age_seconds", (source,), (now - newest).total_seconds()


def _provider() -> Samples:
    """The lines of a live market's provider; no series in other markets, nor where the leader has told nothing."""
    status = feed_state.in_force()
    if status is None:
        return
    for line in status.lines:
        yield "live_line", (line.name, line.feed, line.grade, line.state), 1.0
        for how, number in (("streamed", line.streamed), ("polled", line.polled), ("left_out", line.left_out_count)):
            yield "live_symbols", (line.name, how), number
    if status.lag_seconds is not None:
        yield "live_lag_seconds", (), status.lag_seconds


def _growth() -> Samples:
    """How far ahead there is a place for snapshots, and how many found none."""
    try:
        ahead = months_ahead(at=clock.read().now)
    except clock.ClockNotStarted:
        return
    yield "snapshot_months_ahead", (), ahead
    yield "snapshot_rows_outside", (), rows_outside()


def _audit() -> Samples:
    """The last audit of all books; no series before the first."""
    last = AuditReport.objects.filter(scope="").first()
    if last is not None:
        yield "audit_age_seconds", (), (clock.wall_now() - last.finished_at).total_seconds()
        yield "audit_differences", (), last.difference_count
    full = AuditReport.objects.filter(scope="", extent=AuditReport.Extent.FULL).first()
    if full is not None:
        yield "audit_full_age_seconds", (), (clock.wall_now() - full.finished_at).total_seconds()


def _runs() -> Samples:
    """Runs over the books that are not finished; no series where there is none."""
    rows = (
        SweepChunk.objects.filter(sweep__finished_at__isnull=True)
        .order_by()
        .values("sweep__kind")
        .annotate(all=Count("pk"), done=Count("done_at"), since=Min("sweep__created_at"))
    )
    for row in rows:
        kind = row["sweep__kind"]
        yield "run_chunks", (kind, "done"), row["done"]
        yield "run_chunks", (kind, "waiting"), row["all"] - row["done"]
        yield "run_age_seconds", (kind,), (clock.wall_now() - row["since"]).total_seconds()
