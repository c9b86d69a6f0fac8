"""Celery tasks over several apps: the tick of the trading day, the nightly audit, the yearly calendar."""

from celery import shared_task

from marketdata.services import sync_sessions as sync
from papertrade import trading_day
from papertrade.audits import run_audit


@shared_task
def tick() -> int:
    """Finish what a crash left half done; how many runs."""
    return trading_day.finish_runs()


@shared_task
def audit() -> int:
    """Check all books; how many differences there are. What they are is in the report and in the log."""
    return run_audit(by="the nightly audit").difference_count


@shared_task
def sync_sessions() -> int:
    """Extend the trading calendar as the exchange publishes it."""
    return sync()
