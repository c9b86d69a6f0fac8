"""Audits of the books as jobs, each with a report that is kept: nightly, from the command line, and from the admin.

An audit and its parts are made in one transaction; a worker claims a part by its row lock, reads the part's books, and marks it
done (`papertrade.proof.audit_parts`). So any number of workers share an audit, a kill costs the part in hand, and canceling
takes effect between two statements. Whoever finishes the last part writes the report.
"""

import time as wall_time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Max, QuerySet
from django.db.models.functions import Now

from marketdata import clock
from papertrade.lib.times import EXCHANGE_ZONE
from papertrade.proof.audit_parts import make_parts, note, sealed_of, work
from portfolio.audit import Difference
from portfolio.models import Audit, AuditPart, AuditReport, Book
from portfolio.services import keep_audit_report

log = structlog.get_logger(__name__)

NIGHTLY = "the nightly audit"
NIGHT = time(2, 0)  # hours after the close of any market day
FULL_EVERY = timedelta(days=7) - timedelta(hours=1)  # of all books; in between what is newer than the last one's seals
POLL_SECONDS = 0.2
IDLE = timedelta(seconds=60)

FULL, INCREMENT = AuditReport.Extent.FULL, AuditReport.Extent.INCREMENT


def due(*, at: datetime) -> bool:
    """Whether no audit of all books was asked for since the latest two o'clock at night in New York."""
    now = at.astimezone(EXCHANGE_ZONE)
    night = datetime.combine(now.date(), NIGHT, EXCHANGE_ZONE)
    if night > now:
        night = datetime.combine(now.date() - timedelta(days=1), NIGHT, EXCHANGE_ZONE)
    asked = Audit.objects.filter(scope="").aggregate(Max("asked_at"))["asked_at__max"]
    reported = (
        AuditReport.objects.filter(scope="").values_list("started_at", flat=True).first()
    )  # by 0.1 there is no other
    return not any(begun and begun >= night for begun in (asked, reported))


def tend() -> list[Audit]:
    """What beat does once a minute: ask for the night's audit where it is due; returns the audits that wait for workers.

    A condition, not a moment: what a killed worker or a night without servers left out is made up for the next time.
    """
    now = clock.wall_now()
    for audit in _unfinished():
        finish(audit.pk)  # whoever did the last part may have died before its report
    if due(at=now):
        ask(by=NIGHTLY, extent=FULL if _full_is_due(at=now) else INCREMENT)
    return [audit for audit in _unfinished() if _is_idle(audit, at=now)]


def _unfinished() -> "QuerySet[Audit]":
    return Audit.objects.filter(finished_at=None, canceled_at=None)


def _is_idle(audit: Audit, *, at: datetime) -> bool:
    """Whether nobody seems to work on it: none of its parts was finished in the last minute."""
    last = audit.parts.aggregate(Max("done_at"))["done_at__max"]
    return last is None or at - last > IDLE


def _full_is_due(*, at: datetime) -> bool:
    last = AuditReport.objects.filter(scope="", extent=FULL).exclude(sealed="").first()
    return last is None or at - last.started_at > FULL_EVERY


def under_way(scope: str = "") -> Audit | None:
    """The unfinished audit of this scope, if there is one."""
    return _unfinished().filter(scope=scope).first()


def ask(*, by: str, scope: str = "", books: "QuerySet[Book] | None" = None, extent: str = FULL) -> Audit:
    """An audit to be worked on, of all books or of those given, which `scope` names; or the unfinished one of that scope.

    A full one replaces an increment. An increment without an audit to begin at becomes a full one, and so does one where the
    earlier audit's seals are not those that its report commits to: whoever changed them may have moved them past what they did.
    """
    with transaction.atomic():
        running = _unfinished().select_for_update().filter(scope=scope).first()
        if running is not None and extent in (running.extent, INCREMENT):
            return running
        if running is not None:
            Audit.objects.filter(pk=running.pk).update(canceled_at=Now(), canceled_by=f"{by}, for a full one")
        try:
            with transaction.atomic():
                last = _base() if extent == INCREMENT and not scope else None
                base = last if last and _left_its_seals(last) else None
                audit = Audit.objects.create(by=by, scope=scope, extent=INCREMENT if base else FULL, base=base)
                make_parts(audit, Book.objects.all() if books is None else books)
                if last and not base:
                    note(
                        audit,
                        f"audit report {last.report_id}",
                        "the seals that it left are not those that it commits to",
                    )
        except IntegrityError:  # another process asked for the same first
            return ask(by=by, scope=scope, books=books, extent=extent)
    return audit


def _base() -> Audit | None:
    """The last finished audit of all books that an increment can begin at."""
    finished = Audit.objects.filter(scope="", report__isnull=False, parts__isnull=False)
    return finished.select_related("report").order_by("-pk").first()


def _left_its_seals(audit: Audit) -> bool:
    """Whether the audit's seals are still those that its report commits to."""
    return audit.report is not None and sealed_of(audit) == audit.report.sealed


def cancel(audit: Audit, *, by: str) -> bool:
    """End an audit early; False where it was over already. Parts that are being read are given up at their next statement."""
    done = _unfinished().filter(pk=audit.pk).update(canceled_at=Now(), canceled_by=by)
    if done:
        log.info("audit_canceled", audit=audit.pk, by=by)
    return bool(done)


def finish(audit_id: int) -> AuditReport | None:
    """Write the report of an audit whose parts are all done; None where there is nothing to do.

    By then an increment has read what it needs of earlier audits, so their parts are deleted.
    """
    with transaction.atomic():
        audit = _unfinished().select_for_update().filter(pk=audit_id).first()
        if audit is None or audit.parts.filter(done_at=None).exists():
            return None
        parts = list(audit.parts.values_list("differences", "books"))
        found = [Difference(*pair) for differences, _ in parts for pair in differences]
        audit.report = keep_audit_report(
            scope=audit.scope,
            by=audit.by,
            started_at=audit.asked_at,
            books=sum(len(books) for _, books in parts),
            differences=found,
            extent=audit.extent,
            sealed="" if audit.scope else sealed_of(audit),
        )
        audit.finished_at = audit.report.finished_at
        audit.save(update_fields=["report", "finished_at"])
        AuditPart.objects.filter(audit__scope=audit.scope, audit__lt=audit.pk).delete()
    log.info("books_audited", audit=audit.pk, books=audit.report.books, differences=len(found))
    return audit.report


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an audit is; `workers` counts those that did parts of it, `waits` says that no part is done yet."""

    parts: int
    parts_done: int
    books: int
    books_done: int
    differences: int
    workers: int

    @property
    def waits(self) -> bool:
        return not self.parts_done

    @property
    def per_cent(self) -> int:
        return 100 * self.books_done // self.books if self.books else 100

    def __str__(self) -> str:
        return f"{self.books_done:,} of {self.books:,} books ({self.per_cent} %), {self.differences} differences"


def progress_of(audit: Audit) -> Progress:
    """How far an audit is; from its report, where its parts were deleted."""
    rows = audit.parts.values_list("books", "done_at", "differences", "worker")
    parts = [(len(books), done_at is not None, len(found), worker) for books, done_at, found, worker in rows]
    if not parts and audit.report is not None:
        return Progress(0, 0, audit.report.books, audit.report.books, audit.report.difference_count, 0)
    done = [part for part in parts if part[1]]
    return Progress(
        parts=len(parts),
        parts_done=len(done),
        books=sum(books for books, *_ in parts),
        books_done=sum(books for books, *_ in done),
        differences=sum(found for _, _, found, _ in parts),
        workers=len({worker for *_, worker in done}),
    )


def carry_out(audit: Audit, *, told: Callable[[Progress], None] | None = None) -> AuditReport | None:
    """Work on an audit until it is over, along with whoever else does; its report, None where it was canceled."""
    while True:
        while work(audit.pk):
            if told:
                told(progress_of(audit))
        finish(audit.pk)
        audit = Audit.objects.select_related("report").get(pk=audit.pk)
        if audit.is_over:
            return audit.report
        wall_time.sleep(POLL_SECONDS)
        if told:
            told(progress_of(audit))
