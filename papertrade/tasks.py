"""Celery tasks over several apps: the tick of the trading day, the nightly audit, the yearly calendar."""

import structlog
from celery import shared_task

from marketdata.services import sync_sessions as sync
from orders.audit import audit_books
from papertrade import metrics, trading_day

log = structlog.get_logger(__name__)


@shared_task
def tick() -> int:
    """Finish what a crash left half done; how many runs."""
    return trading_day.finish_runs()


@shared_task
def audit() -> int:
    """Check all books; every difference is logged as an error. How many."""
    count = 0
    for difference in audit_books():
        log.error("books_differ", row=difference.row, problem=difference.problem)
        metrics.BOOK_ERRORS.labels("audit").inc()
        count += 1
    log.info("books_audited", differences=count)
    return count


@shared_task
def sync_sessions() -> int:
    """Extend the trading calendar as the exchange publishes it."""
    return sync()
