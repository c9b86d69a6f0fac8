"""Celery tasks over several apps: the tick of the trading day, the nightly audit, the calendar, the housekeeping."""

import structlog
from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore
from kombu.exceptions import OperationalError

from marketdata.leases import end_the_hung
from marketdata.markets.current import current_market
from marketdata.services import sync_sessions as sync
from orders.models import Sweep
from papertrade.operations import retention, storage
from papertrade.proof import audit_parts, audits
from papertrade.trading.clock import do_missed_boundaries, finish_sweeps
from portfolio.models import Audit

log = structlog.get_logger(__name__)

MAX_INVITED_WORKERS = 16
INVITATION_SECONDS = 60  # then beat invites again


@shared_task
def tick() -> int:
    """Finish what a crash left half done, and do what a live market's missing feed does not do; how many sweeps."""
    end_the_hung()
    finished = finish_sweeps()
    do_missed_boundaries()
    return finished


@shared_task
def audit() -> int:
    """Start the night's audit when it is due, and invite workers to audits that wait for them; how many wait."""
    waiting = audits.tend()
    for one in waiting:
        invite_auditors(one)
    return len(waiting)


@shared_task
def work_on_audit(audit_id: int) -> bool:
    """Do one part of an audit, and leave the next to whoever is free then: so a sweep never waits for more than a part.

    While a sweep waits for workers no part is begun, and one that is under way is given up; beat invites again.
    """
    if Sweep.objects.filter(finished_at=None).exists() or not audit_parts.work(audit_id, yields=True):
        return False
    if audits.finish(audit_id) is None:
        work_on_audit.apply_async([audit_id], expires=INVITATION_SECONDS, retry=False)
    return True


def invite_auditors(one: Audit) -> None:
    """Invite the workers to share an audit. Without a broker, whoever asked for it does it alone."""
    try:
        for _ in range(min(one.parts.filter(done_at=None).count(), MAX_INVITED_WORKERS)):
            work_on_audit.apply_async([one.pk], expires=INVITATION_SECONDS, retry=False)
    except OperationalError as error:
        log.warning("workers_not_reached", audit=one.pk, error=str(error))


@shared_task
def tend_past() -> int:
    """Make the files of minutes that a live market's bars are read from, out of its recording; how many were made."""
    try:
        return current_market().tend_past()
    except OSError as error:  # the disk is full, or recordings are being deleted: the next minute tries again
        log.warning("minutes_not_stored", error=str(error))
        return 0


@shared_task
def retain() -> int:
    """Make the partitions of the coming months, and thin old ones; how many were made."""
    return retention.retain().months


@shared_task
def sample_storage() -> None:
    """Keep the sizes of the tables, once a day."""
    storage.keep_sample()


@shared_task
def sync_sessions() -> int:
    """Extend the trading calendar as the exchange publishes it."""
    return sync()


@shared_task
def clear_sessions() -> None:
    """Delete the sign-ins that have run out."""
    SessionStore.clear_expired()
