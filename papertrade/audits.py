"""Audits of the books, each with a report that is kept: nightly, from the command line, and from the admin."""

from collections.abc import Callable

import structlog
from django.db.models import QuerySet

from marketdata import clock
from orders.audit import audit_books
from papertrade import metrics
from portfolio.models import AuditReport, Book
from portfolio.services import keep_audit_report

log = structlog.get_logger(__name__)


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
