"""Audits as jobs: shared in parts, resumed after a kill, canceled, told from the first second, and never in a sweep's way."""

import hashlib
import threading
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from orders import audit as audit_of_books
from orders.models import Sweep
from papertrade import tasks
from papertrade.proof import audit_parts, audits
from papertrade.proof.audits import FULL, INCREMENT, ask, cancel, carry_out, progress_of
from portfolio.models import Audit, AuditPart, AuditReport, Book
from tests.concurrency.threads import together
from tests.desk import Desk, audit_by_night, let_a_night_pass
from tests.market_kit import MarketKit
from tests.proof.tampering import lay_defences_down

PARTS = 3


@pytest.fixture
def desks(open_market: MarketKit, trader: Any, monkeypatch: pytest.MonkeyPatch) -> list[Desk]:
    """Three accounts, each a part of its own."""
    monkeypatch.setattr(audit_of_books, "CHUNK_BOOKS", 1)
    made = [Desk(trader) for _ in range(PARTS)]
    for desk in made:
        desk.buy("10")
    return made


@pytest.fixture
def invited(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The audits that workers were asked to share, once for each worker."""
    sent: list[int] = []
    monkeypatch.setattr(tasks.work_on_audit, "apply_async", lambda arguments, **_: sent.extend(arguments))
    return sent


def stands(audit: Audit) -> tuple[int, int]:
    progress = progress_of(audit)
    return progress.parts_done, progress.books_done


def test_each_part_is_done_once_and_the_last_one_writes_the_report(desks: list[Desk]) -> None:
    audit = ask(by="a test")
    assert (str(audit), stands(audit), progress_of(audit).waits) == ("full audit of all books", (0, 0), True)
    seen: list[tuple[int, int]] = []
    report = carry_out(audit, told=lambda progress: seen.append((progress.parts_done, progress.per_cent)))
    assert seen == [(1, 33), (2, 66), (3, 100)]
    assert report is not None and (report.books, report.difference_count, report.extent) == (PARTS, 0, FULL)
    assert not audit_parts.work(audit.pk) and audits.finish(audit.pk) is None
    sealed = AuditPart.objects.order_by("number").values_list("sealed", flat=True)
    assert all(sealed) and report.sealed == hashlib.sha256("\n".join(sealed).encode()).hexdigest()


def test_two_workers_share_it(committed: None, desks: list[Desk], monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are at a part of their own at one time."""
    both = threading.Barrier(2, timeout=60)
    audit_chunk = audit_parts.audit_chunk

    def meet(books: list[int], **options: Any) -> Any:
        if len(seen) < 2:
            seen.append(books)
            both.wait()
        return audit_chunk(books, **options)

    seen: list[list[int]] = []
    monkeypatch.setattr(audit_parts, "audit_chunk", meet)
    audit = ask(by="a test")
    reports = together(lambda: carry_out(audit), lambda: carry_out(audit))
    assert reports[0] == reports[1] and reports[0].books == PARTS
    assert seen[0] != seen[1]


def test_what_a_killed_worker_had_in_hand_is_done_by_the_next(
    desks: list[Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = ask(by="a test")
    assert audit_parts.work(audit.pk)
    with monkeypatch.context() as broken:
        broken.setattr(audit_parts, "process_name", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            audit_parts.work(audit.pk)
    assert stands(audit) == (1, 1)
    assert audit_parts.work(audit.pk) and audit_parts.work(audit.pk)
    assert not Audit.objects.get(pk=audit.pk).is_over, "killed before its report"
    assert audits.tend() == []
    assert Audit.objects.get(pk=audit.pk).report is not None


def test_the_night_s_audit_is_full_once_a_week_and_reads_on_in_between(desks: list[Desk]) -> None:
    first = audit_by_night()
    assert first is not None and first.extent == FULL
    assert audit_by_night() is None, "once a night"
    extents = []
    for _ in range(7):
        let_a_night_pass()
        desks[0].buy("1")
        report = audit_by_night()
        assert report is not None and report.difference_count == 0
        extents.append(report.extent)
    assert extents == [INCREMENT] * 6 + [FULL]
    assert AuditPart.objects.count() == PARTS, "the parts of those before are cleared away"


def test_an_increment_reads_what_is_new_and_leaves_the_rest(
    desks: list[Desk], trader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    carry_out(ask(by="a test"))
    desks[0].buy("1")
    desks[1].reset()
    Desk(trader)
    read: dict[int, int] = {}
    verify = audit_of_books.verify_ledgers

    def watch(books: list[Book], **options: Any) -> Any:
        reports = verify(books, **options)
        read.update({pk: report.transactions - options["sealed"].get(pk, {"transactions": 0})["transactions"]
                     for pk, report in reports.items()})  # fmt: skip
        return reports

    monkeypatch.setattr(audit_of_books, "verify_ledgers", watch)
    report = carry_out(ask(by="a test", extent=INCREMENT))
    assert report is not None and (report.extent, report.books, report.difference_count) == (INCREMENT, PARTS + 2, 0)
    closed, opened = Book.objects.filter(account=desks[1].account).order_by("pk").values_list("pk", flat=True)
    assert read == {desks[0].book.pk: 1, closed: 0, opened: 1, Book.objects.latest("pk").pk: 1}
    assert AuditPart.objects.filter(books__contains=[closed, opened]).exists(), "an account's books stay together"


def test_a_difference_is_found_again_every_night(desks: list[Desk]) -> None:
    lay_defences_down()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE portfolio_ledgertransaction SET price = 99 WHERE kind = 'buy' AND book_id = %s", [desks[0].book.pk]
        )
    first = carry_out(ask(by="a test"))
    again = carry_out(ask(by="a test", extent=INCREMENT))
    assert first is not None and again is not None
    assert first.difference_count == again.difference_count > 0 and again.extent == INCREMENT


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE portfolio_auditpart SET seals = jsonb_set(seals, ARRAY[(SELECT min(k) FROM jsonb_object_keys(seals) k), 'peak'], '1')",
        "UPDATE portfolio_auditpart SET sealed = repeat('0', 64) WHERE number = 2",
    ],
)
def test_seals_that_were_changed_are_told_and_not_believed(desks: list[Desk], statement: str) -> None:
    carry_out(ask(by="a test"))
    with connection.cursor() as cursor:
        cursor.execute(statement)
    report = carry_out(ask(by="a test", extent=INCREMENT))
    assert report is not None and report.difference_count > 0
    assert all("seals" in problem for _, problem in report.differences)


def test_seals_that_were_moved_past_a_change_hide_nothing(desks: list[Desk]) -> None:
    """By somebody who knows how they are hashed, and may write all but the report."""
    carry_out(ask(by="a test"))
    lay_defences_down()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE orders_fill SET qty = qty + 1 WHERE book_id = %s", [desks[0].book.pk])
    for part in AuditPart.objects.all():
        verified = audit_of_books.audit_chunk(part.books)
        part.seals = {book_id: seal | {"peak": seal["peak"]} for book_id, seal in (part.seals or {}).items()}
        part.sealed = audit_parts._hash_of(part.seals | {"moved": len(verified.differences)})
        part.save()
    report = carry_out(ask(by="a test", extent=INCREMENT))
    assert report is not None and report.extent == FULL
    assert {row.split()[0] for row, _ in report.differences} >= {"audit", "fill"}


def test_a_canceled_audit_ends_and_is_no_beginning(desks: list[Desk], invited: list[int]) -> None:
    begun = carry_out(ask(by="a test"))
    audit = ask(by="a test", extent=INCREMENT)
    assert audit_parts.work(audit.pk)
    assert cancel(audit, by="an operator") and not cancel(audit, by="another")
    assert not audit_parts.work(audit.pk) and carry_out(audit) is None
    assert AuditReport.objects.latest("pk") == begun
    following = ask(by="a test", extent=INCREMENT)
    assert following.base is not None and following.base.report == begun
    assert tasks.audit() == 1, "which is not the one that was canceled"


def test_who_stops_waiting_for_another_s_audit_does_not_end_it(
    desks: list[Desk], invited: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def press_ctrl_c(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    another = ask(by="the nightly audit")
    monkeypatch.setattr(audits, "carry_out", press_ctrl_c)
    for canceled in (False, True):
        with pytest.raises(KeyboardInterrupt):
            call_command("audit_books")
        another.refresh_from_db()
        assert another.canceled_at is None
        assert Audit.objects.exclude(pk=another.pk).filter(canceled_at__isnull=False).exists() == canceled
        Audit.objects.filter(pk=another.pk).update(finished_at="2013-10-07T14:00:00Z")


def test_one_of_a_kind_at_a_time_and_a_full_one_takes_the_place_of_an_increment(desks: list[Desk]) -> None:
    carry_out(ask(by="a test"))
    increment = ask(by="the night", extent=INCREMENT)
    assert ask(by="an operator", extent=INCREMENT) == increment
    full = ask(by="an operator")
    increment.refresh_from_db()
    assert increment.canceled_by == "an operator, for a full one"
    assert ask(by="the night", extent=INCREMENT) == full == ask(by="another")
    assert ask(by="another", scope="account 1", books=Book.objects.filter(pk=desks[0].book.pk)) != full


def test_a_worker_does_one_part_and_lets_others_in(desks: list[Desk], invited: list[int]) -> None:
    assert tasks.audit() == 1
    (audit,) = Audit.objects.all()
    assert invited == [audit.pk] * PARTS
    invited.clear()
    assert tasks.work_on_audit(audit.pk) and stands(audit) == (1, 1)
    assert invited == [audit.pk], "the next part waits behind whatever came meanwhile"
    assert tasks.audit() == 0, "somebody is at it"
    sweep = Sweep.objects.create(kind="open", session_date="2013-10-08", round=1, at=desks[0].book.last_at, quotes=[])
    assert not tasks.work_on_audit(audit.pk), "a sweep waits"
    sweep.delete()
    while tasks.work_on_audit(audit.pk):
        pass
    assert len(invited) == PARTS - 1 and Audit.objects.get().report is not None


@pytest.mark.parametrize("why", ["canceled", "a sweep waits"])
def test_a_long_part_is_given_up(committed: None, desks: list[Desk], monkeypatch: pytest.MonkeyPatch, why: str) -> None:
    """What it reads is as of its beginning; that it is to end it hears all the same."""
    monkeypatch.setattr(audit_parts, "LOOK_SECONDS", 0)
    audit = ask(by="a test")
    verify = audit_of_books.verify_ledgers

    def meanwhile() -> Any:
        if why == "canceled":
            return cancel(audit, by="an operator")
        return Sweep.objects.create(
            kind="open", session_date="2013-10-08", round=1, at=desks[0].book.last_at, quotes=[]
        )

    def and_then(books: list[Book], **options: Any) -> Any:
        together(meanwhile)
        return verify(books, **options)

    monkeypatch.setattr(audit_of_books, "verify_ledgers", and_then)
    assert not audit_parts.work(audit.pk, yields=True)
    assert stands(audit) == (0, 0)


def test_the_command_tells_its_progress_and_needs_no_worker(
    desks: list[Desk], invited: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("audit_books")
    out, err = capsys.readouterr()
    assert (
        err.startswith(f"0 of {PARTS} books (0 %), 0 differences") and out == f"{PARTS} books checked, 0 differences.\n"
    )
    call_command("audit_books", increment=True)
    assert AuditReport.objects.latest("pk").extent == INCREMENT
    with pytest.raises(CommandError, match="checks all books"):
        call_command("audit_books", increment=True, account=str(desks[0].account.pk))
