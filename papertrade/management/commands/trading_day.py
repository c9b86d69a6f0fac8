"""`papertrade trading-day [work]`: how far each open and close is; `work` helps with one, from any machine."""

import sys
import time
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import QuerySet

from marketdata import clock
from orders.models import Sweep
from orders.sweeps import sweeping
from orders.sweeps.progress import SweepProgress, progress_of, progress_of_sweeps
from portfolio.selectors import unsettled_positions

DEFAULT_RUNS = 10
WATCH_SECONDS = 1.0
PENDING = 1  # exit status where a run is not finished
ROW = "{run:>6}  {kind:5}  {session:10}  {at:19}  {state:8}  {chunks:>9}  {orders:>15}  {elapsed:>8}  {workers}"
HEADINGS = {
    "run": "run",
    "kind": "kind",
    "session": "session",
    "at": "exchange time (UTC)",
    "state": "state",
    "chunks": "chunks",
    "orders": "orders",
    "elapsed": "took",
    "workers": "by (chunks)",
}


class Command(BaseCommand):
    help = (
        "Show the run of each open and close: how far it is, how long it took, and who works on it. Ends with status 1 while "
        "one is not finished. `papertrade trading-day work` does free chunks of unfinished runs until none is left."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("action", nargs="?", choices=["show", "work"], default="show")
        parser.add_argument("--run", type=int, help="work: only this run")
        parser.add_argument("--last", type=_count, default=DEFAULT_RUNS, help=f"show: how many runs ({DEFAULT_RUNS})")
        parser.add_argument("--watch", action="store_true", help="go on every second, until Ctrl-C")

    def handle(self, *args: Any, action: str, watch: bool, **options: Any) -> None:
        do = self._work if action == "work" else self._show
        try:
            status = do(**options)
            while watch:
                time.sleep(WATCH_SECONDS)
                status = do(**options)
        except KeyboardInterrupt:
            self.stdout.write("")
            return
        if status:
            sys.exit(status)

    def _show(self, *, last: int, **_: Any) -> int:
        found = progress_of_sweeps(limit=last)
        self.stdout.write(f"Exchange time {_exchange_time()}, {unsettled_positions().count()} positions unsettled")
        self.stdout.write(ROW.format(**HEADINGS))
        for progress in found:
            line = ROW.format(**_cells(progress)).rstrip()
            self.stdout.write(line if progress.finished else self.style.WARNING(line))
        return 0 if all(progress.finished for progress in found) else PENDING

    def _work(self, *, run: int | None, **_: Any) -> int:
        for one in _unfinished(run):
            mine = 0
            while sweeping.work(one):
                mine += 1
                at = progress_of(sweep_id=one.pk)
                assert at is not None, "a sweep is never deleted"
                self.stdout.write(f"{one}: {at.chunks_done} of {at.chunks} chunks done, {mine} of them here")
            # Others may still hold chunks. Should they die, this one takes them over.
            sweeping.finish(one)
            self.stdout.write(self.style.SUCCESS(f"{one}: finished, {mine} chunks here"))
        return 0


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _unfinished(run_id: int | None) -> QuerySet[Sweep]:
    found = Sweep.objects.order_by("at", "pk")
    if run_id is None:
        return found.filter(finished_at__isnull=True)
    if not found.filter(pk=run_id).exists():
        raise CommandError(f"There is no run {run_id}; `papertrade trading-day` lists them.")
    return found.filter(pk=run_id)


def _exchange_time() -> str:
    try:
        return f"{clock.read().now:%Y-%m-%d %H:%M:%S} UTC"
    except clock.ClockNotStarted:
        return "not started"


def _cells(progress: SweepProgress) -> dict[str, str]:
    sweep = progress.sweep
    workers = ", ".join(f"{name} ({chunks})" for name, chunks in progress.chunks_by_worker.items())
    return {
        "run": str(sweep.pk),
        "kind": sweep.kind,
        "session": str(sweep.session_date),
        "at": f"{sweep.at:%Y-%m-%d %H:%M:%S}",
        "state": "finished" if progress.finished else "running",
        "chunks": f"{progress.chunks_done}/{progress.chunks}",
        "orders": f"{progress.orders_done}/{progress.orders}",
        "elapsed": f"{progress.elapsed.total_seconds():.1f} s",
        "workers": workers,
    }
