"""How far the passages over the books are: every open and close, by whom, for operators. Nothing here writes or locks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models.functions import Now

from orders.models import SessionRun, SessionRunChunk


@dataclass(frozen=True, slots=True)
class RunProgress:
    """One run. `orders` count what was due when it was made, expiring positions included; `elapsed` is wall time."""

    run: SessionRun
    chunks_done: int
    chunks: int
    orders_done: int
    orders: int
    elapsed: timedelta
    chunks_by_worker: dict[str, int]

    @property
    def finished(self) -> bool:
        return self.run.finished_at is not None


def progress_of_runs(*, limit: int) -> list[RunProgress]:
    """Every unfinished run, and the latest others up to `limit` in all, newest first."""
    rows = SessionRun.objects.annotate(seen_at=Now()).order_by("-at", "-pk")
    unfinished = list(rows.filter(finished_at__isnull=True))
    others = list(rows.filter(finished_at__isnull=False)[: max(0, limit - len(unfinished))])
    return _progress(sorted([*unfinished, *others], key=lambda run: (run.at, run.pk), reverse=True))


def progress_of(*, run_id: int) -> RunProgress | None:
    """One run, or None where there is no such run."""
    found = _progress(list(SessionRun.objects.annotate(seen_at=Now()).filter(pk=run_id)))
    return found[0] if found else None


def _progress(runs: Sequence[SessionRun]) -> list[RunProgress]:
    chunks: dict[int, list[SessionRunChunk]] = {run.pk: [] for run in runs}
    for chunk in SessionRunChunk.objects.filter(run__in=list(chunks)):
        chunks[chunk.run_id].append(chunk)
    return [_progress_of_chunks(run, chunks[run.pk]) for run in runs]


def _progress_of_chunks(run: SessionRun, chunks: Sequence[SessionRunChunk]) -> RunProgress:
    done = [chunk for chunk in chunks if chunk.done_at is not None]
    return RunProgress(
        run=run,
        chunks_done=len(done),
        chunks=len(chunks),
        orders_done=sum(chunk.orders for chunk in done),
        orders=sum(chunk.orders for chunk in chunks),
        elapsed=(run.finished_at or run.seen_at) - run.created_at,
        chunks_by_worker=dict(Counter(chunk.worker for chunk in done).most_common()),
    )
