"""How far the sweeps of opens and closes are, and who works on them, for operators. Nothing here writes or locks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models.functions import Now

from orders.models import Sweep, SweepChunk


@dataclass(frozen=True, slots=True)
class SweepProgress:
    """One sweep. `orders` count what was due when it was made, expiring positions included; `elapsed` is wall time."""

    sweep: Sweep
    chunks_done: int
    chunks: int
    orders_done: int
    orders: int
    elapsed: timedelta
    chunks_by_worker: dict[str, int]

    @property
    def finished(self) -> bool:
        return self.sweep.finished_at is not None


def progress_of_sweeps(*, limit: int) -> list[SweepProgress]:
    """Every unfinished sweep, and the latest others up to `limit` in all, newest first."""
    rows = Sweep.objects.defer("quotes").annotate(seen_at=Now()).order_by("-at", "-pk")
    unfinished = list(rows.filter(finished_at__isnull=True))
    others = list(rows.filter(finished_at__isnull=False)[: max(0, limit - len(unfinished))])
    return _progress(sorted([*unfinished, *others], key=lambda sweep: (sweep.at, sweep.pk), reverse=True))


def progress_of(*, sweep_id: int) -> SweepProgress | None:
    """One sweep, or None where there is no such sweep."""
    found = _progress(list(Sweep.objects.annotate(seen_at=Now()).filter(pk=sweep_id)))
    return found[0] if found else None


def _progress(sweeps: Sequence[Sweep]) -> list[SweepProgress]:
    chunks: dict[int, list[SweepChunk]] = {sweep.pk: [] for sweep in sweeps}
    for chunk in SweepChunk.objects.filter(sweep__in=list(chunks)):
        chunks[chunk.sweep_id].append(chunk)
    return [_progress_of_chunks(sweep, chunks[sweep.pk]) for sweep in sweeps]


def _progress_of_chunks(sweep: Sweep, chunks: Sequence[SweepChunk]) -> SweepProgress:
    done = [chunk for chunk in chunks if chunk.done_at is not None]
    return SweepProgress(
        sweep=sweep,
        chunks_done=len(done),
        chunks=len(chunks),
        orders_done=sum(chunk.orders for chunk in done),
        orders=sum(chunk.orders for chunk in chunks),
        elapsed=(sweep.finished_at or sweep.seen_at) - sweep.created_at,
        chunks_by_worker=dict(Counter(chunk.worker for chunk in done).most_common()),
    )
