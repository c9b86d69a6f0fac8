"""Celery tasks: a worker's share of a sweep over the books."""

import structlog
from celery import shared_task
from kombu.exceptions import OperationalError

from orders.models import Sweep
from orders.sweeps import sweeping

log = structlog.get_logger(__name__)

MAX_INVITED_WORKERS = 16


@shared_task
def work_on_sweep(sweep_id: int) -> int:
    """Do chunks of a sweep until none is free; how many. A sweep that is gone or done is nothing to do."""
    sweep = Sweep.objects.filter(pk=sweep_id, finished_at__isnull=True).first()
    done = 0
    while sweep is not None and sweeping.work(sweep):
        done += 1
    return done


def invite_workers(sweep: Sweep) -> None:
    """Ask the workers to share a sweep of several chunks. Without a broker whoever began it does it alone."""
    others = min(sweep.chunks.count() - 1, MAX_INVITED_WORKERS)
    try:
        for _ in range(others):
            work_on_sweep.apply_async([sweep.pk], retry=False)
    except OperationalError as error:
        log.warning("workers_not_reached", sweep=str(sweep), error=str(error))
