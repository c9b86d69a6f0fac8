"""Celery tasks: a worker's share of a run over the books."""

import structlog
from celery import shared_task
from kombu.exceptions import OperationalError

from orders import runs
from orders.models import SessionRun

log = structlog.get_logger(__name__)

MAX_INVITED_WORKERS = 16


@shared_task
def work_on_run(run_id: int) -> int:
    """Do chunks of a run until none is free; how many. A run that is gone or done is nothing to do."""
    run = SessionRun.objects.filter(pk=run_id, finished_at__isnull=True).first()
    done = 0
    while run is not None and runs.work(run):
        done += 1
    return done


def invite_workers(run: SessionRun) -> None:
    """Ask the workers to share a run of several chunks. Without a broker whoever began it does it alone."""
    others = min(run.chunks.count() - 1, MAX_INVITED_WORKERS)
    try:
        for _ in range(others):
            work_on_run.apply_async([run.pk], retry=False)
    except OperationalError as error:
        log.warning("workers_not_reached", run=str(run), error=str(error))
