"""Audits of the books, each with a report that is kept: nightly, from the command line, and from the admin."""

from collections.abc import Callable
from datetime import datetime, time, timedelta

import structlog
from django.db.models import QuerySet

from marketdata import clock
from orders.audit import audit_books
from papertrade.lib import metrics
from papertrade.lib.postgres import try_lock, unlock
from papertrade.lib.times import EXCHANGE_ZONE
from portfolio.models import AuditReport, Book
from portfolio.services import keep_audit_report

log = structlog.get_logger(__name__)

NIGHTLY = "the nightly audit"
NIGHT = time(2, 0)  # hours after the close of any market day
AUDIT_LOCK = 0x70740004  # PostgreSQL's: one nightly audit at a time, and none that outlives its worker


def audit_nightly() -> AuditReport | None:
    """Audit all books, where that is due and nobody is at it; None where there was nothing to do.

    A condition, not a moment: what a killed worker or a night without servers left out is made up for at the next asking.
    """
    if not is_due(at=clock.wall_now()) or not try_lock(AUDIT_LOCK):
        return None
    try:
        return run_audit(by=NIGHTLY) if is_due(at=clock.wall_now()) else None
    finally:
        unlock(AUDIT_LOCK)


def is_due(*, at: datetime) -> bool:
    """Whether no audit of all books has begun since two o'clock in the latest night."""
    now = at.astimezone(EXCHANGE_ZONE)
    night = datetime.combine(now.date(), NIGHT, EXCHANGE_ZONE)
    if night > now:
        night = datetime.combine(now.date() - timedelta(days=1), NIGHT, EXCHANGE_ZONE)
    last = AuditReport.objects.filter(scope="").first()
    return last is None or last.started_at < night


def run_audit(
    *, by: str, books: QuerySet[Book] | None = None, scope: str = "", progress: Callable[[int], None] | None = None
) -> AuditReport:
    """Audit books, by default all, and keep what was found; every difference is also logged as an error.

    Name the `scope` where they are not all: an operator is warned by the last audit of all books.
    """
    started_at, checked = clock.wall_now(), 0

    def count(done: int) -> None:
        nonlocal checked
        checked = done
        if progress:
            progress(done)

    differences = []
    for difference in audit_books(books=books, progress=count):
        log.error("books_differ", row=difference.row, problem=difference.problem)
        metrics.BOOK_ERRORS.labels("audit").inc()
        differences.append(difference)
    report = keep_audit_report(scope=scope, by=by, started_at=started_at, books=checked, differences=differences)
    log.info("books_audited", books=checked, differences=len(differences))
    return report
