"""The parts of an audit: which books each has, and how one is worked on."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import structlog
from django.db import OperationalError, connection
from django.db.models import QuerySet
from django.db.models.functions import Now

from orders.audit import audit_chunk, chunks
from papertrade.lib import metrics
from papertrade.lib.postgres import is_too_late, one_instant
from papertrade.lib.processes import process_name
from portfolio import seals
from portfolio.models import Audit, AuditPart, Book
from portfolio.seals import Seal

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0  # between two looks whether to go on with a long part
BATCH_PARTS = 500


class Interrupted(Exception):
    """The part is given up: its audit was canceled, or a sweep waits for workers."""


def make_parts(audit: Audit, books: "QuerySet[Book]") -> None:
    """All parts of a new audit. An increment has those of the audit that it begins at, with the books that are new since."""
    parts = _parts_of_base(audit) if audit.base else [list(chunk) for chunk in chunks(books)]
    AuditPart.objects.bulk_create(
        (AuditPart(audit=audit, number=number, books=chunk, form=seals.FORM) for number, chunk in enumerate(parts, 1)),
        batch_size=BATCH_PARTS,
    )


def _parts_of_base(audit: Audit) -> list[list[int]]:
    """The parts of the earlier audit; a new generation's book joins the part of its account's other books."""
    parts: list[list[int]] = list(AuditPart.objects.filter(audit=audit.base).values_list("books", flat=True))
    place = {book_id: number for number, part in enumerate(parts) for book_id in part}
    added = {book_id for book_id in Book.objects.values_list("pk", flat=True) if book_id not in place}
    new = dict(Book.objects.filter(pk__in=added).values_list("pk", "account_id"))
    siblings = Book.objects.filter(account_id__in=set(new.values())).values_list("account_id", "pk")
    of_account = {account_id: place[book_id] for account_id, book_id in siblings if book_id in place}
    for book_id, account_id in new.items():
        if account_id in of_account:
            parts[of_account[account_id]].append(book_id)
    alone = [book_id for book_id, account_id in new.items() if account_id not in of_account]
    return [*parts, *chunks(Book.objects.filter(pk__in=alone))]


def note(audit: Audit, row: str, problem: str) -> None:
    """Keep a difference that was found before any part of the audit was worked on."""
    AuditPart.objects.filter(audit=audit, number=1).update(differences=[[row, problem]])


def sealed_of(audit: Audit) -> str:
    """The hash over the seals of all parts of an audit, to which its report commits."""
    sealed = AuditPart.objects.filter(audit=audit).order_by("number").values_list("sealed", flat=True)
    return hashlib.sha256("\n".join(sealed).encode()).hexdigest()


def work(audit_id: int, *, yields: bool = False) -> bool:
    """Claim and do one part; False where none is free. With `yields` it is given up when a sweep waits for workers."""
    try:
        with _looking(audit_id, yields=yields) as look, one_instant(writing=True):
            part = (
                AuditPart.objects.select_for_update(skip_locked=True, of=("self",))
                .select_related("audit")
                .filter(audit_id=audit_id, audit__finished_at=None, audit__canceled_at=None, done_at=None)
                .order_by("number")
                .first()
            )
            if part is None:
                return False
            _do(part, look)
    except Interrupted:
        return False
    except OperationalError as error:
        if not is_too_late(error):
            raise
        return True  # somebody else finished that very part a moment ago: look again
    for row, problem in part.differences:
        log.error("books_differ", row=row, problem=problem, audit=audit_id)
        metrics.BOOK_ERRORS.labels("audit").inc()
    return True


def _do(part: AuditPart, look: Callable[[], None]) -> None:
    sealed, differences = _seals_before(part)
    verified = audit_chunk(part.books, sealed=sealed, between=look)
    part.differences += differences + [[found.row, found.problem] for found in verified.differences]
    if not part.audit.scope and not part.differences:
        part.seals = {str(book_id): seal for book_id, seal in verified.seals.items()}
        part.sealed = _hash_of(part.seals)
    part.worker, part.done_at = process_name(), Now()
    part.save(update_fields=["differences", "seals", "sealed", "worker", "done_at"])


def _seals_before(part: AuditPart) -> tuple[dict[int, Seal], list[list[str]]]:
    """The seals that a part continues from, if any, and what is wrong with them."""
    if part.audit.base_id is None:
        return {}, []
    base = AuditPart.objects.filter(audit_id=part.audit.base_id, number=part.number, form=seals.FORM).first()
    if base is None or base.seals is None:
        return {}, []
    if _hash_of(base.seals) != base.sealed:
        return {}, [[f"{base}", "its seals were changed: its books are read from their beginning"]]
    return {int(book_id): seal for book_id, seal in base.seals.items()}, []


def _hash_of(part_seals: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(part_seals, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


_LOOK = """
    SELECT canceled_at IS NOT NULL, EXISTS (SELECT FROM orders_sessionrun WHERE finished_at IS NULL)
    FROM portfolio_audit WHERE id = %s
"""


@contextmanager
def _looking(audit_id: int, *, yields: bool) -> Iterator[Callable[[], None]]:
    """What to call now and then while a part is read: it raises Interrupted. The part sees nothing newer than its instant,
    so this looks on a connection of its own, which it opens for a part that takes longer than a second."""
    other, last = connection.copy(), time.monotonic()

    def look() -> None:
        nonlocal last
        if time.monotonic() - last < LOOK_SECONDS:
            return
        last = time.monotonic()
        with other.cursor() as cursor:
            cursor.execute(_LOOK, [audit_id])
            canceled, sweep_waits = cursor.fetchone() or (False, False)
        if canceled or (yields and sweep_waits):
            raise Interrupted

    try:
        yield look
    finally:
        other.close()
