"""Celery tasks over several apps: the tick of the trading day, the nightly audit, the calendar, the housekeeping."""

from celery import shared_task
from django.contrib.sessions.backends.db import SessionStore

from marketdata.leases import end_the_hung
from marketdata.services import sync_sessions as sync
from papertrade.operations import retention
from papertrade.proof.audits import audit_nightly
from papertrade.trading.clock import do_missed_boundaries, finish_sweeps


@shared_task
def tick() -> int:
    """Finish what a crash left half done, and what a live market's feed is not there to do; how many sweeps."""
    end_the_hung()
    finished = finish_sweeps()
    do_missed_boundaries()
    return finished


@shared_task
def audit() -> int:
    """Check all books, once a night; how many differences there are. What they are is in the report and in the log."""
    report = audit_nightly()
    return report.difference_count if report else 0


@shared_task
def retain() -> int:
    """Make months of snapshots ahead, and thin old ones; how many months were made."""
    return retention.retain().months


@shared_task
def sync_sessions() -> int:
    """Extend the trading calendar as the exchange publishes it."""
    return sync()


@shared_task
def clear_sessions() -> None:
    """Delete the sign-ins that have run out."""
    SessionStore.clear_expired()
