"""`papertrade audit [--account ID] [--increment]`: check all books against ledger, fills and orders, and keep a report."""

import sys
import time
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from papertrade.proof import audits
from papertrade.proof.audits import FULL, INCREMENT, Progress
from papertrade.tasks import invite_auditors
from portfolio.models import AuditReport, Book

PROGRESS_SECONDS = 1.0
BY = "papertrade audit"


class Command(BaseCommand):
    help = (
        "Check all books, or one account's, from a second direction. Ends with status 1 if something is wrong. Workers that "
        "run take a share of the work; it needs none."
    )

    _told_at = 0.0

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", type=UUID, metavar="ID", help="only this account's books")
        parser.add_argument("--generation", type=int, metavar="NUMBER", help="only this generation of the account")
        parser.add_argument(
            "--increment", action="store_true", help="of all books, check only what is newer than their last audit"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        which = self._which(options)
        running = audits.under_way(which.get("scope", ""))
        audit = audits.ask(by=BY, extent=INCREMENT if options["increment"] else FULL, **which)
        if audit == running:
            self.stderr.write(f"A {audit} is under way, asked for by {audit.by}.")
        invite_auditors(audit)
        self._tell(audits.progress_of(audit))
        try:
            report = audits.carry_out(audit, told=self._tell)
        except KeyboardInterrupt:
            if audit != running:  # another's goes on, with the workers
                audits.cancel(audit, by=BY)
            raise
        if report is None:
            raise CommandError("The audit was canceled.")
        self._say(report)
        if report.difference_count:
            sys.exit(1)

    def _which(self, options: dict[str, Any]) -> dict[str, Any]:
        if not options["account"]:
            if options["generation"] is not None:
                raise CommandError("Name the account of this generation: --account ID")
            return {}
        if options["increment"]:
            raise CommandError("--increment checks all books: leave --account out.")
        books, scope = Book.objects.filter(account_id=options["account"]), f"account {options['account']}"
        if options["generation"] is not None:
            books, scope = books.filter(generation_number=options["generation"]), f"{scope} #{options['generation']}"
        if not books.exists():
            raise CommandError("There is no such account or generation.")
        return {"books": books, "scope": scope}

    def _tell(self, progress: Progress) -> None:
        if time.monotonic() - self._told_at >= PROGRESS_SECONDS:
            self._told_at = time.monotonic()
            self.stderr.write(str(progress))

    def _say(self, report: AuditReport) -> None:
        for row, problem in report.differences:
            self.stdout.write(self.style.ERROR(f"{row}: {problem}"))
        if report.difference_count > len(report.differences):
            self.stdout.write(f"... and {report.difference_count - len(report.differences)} more; all are in the log.")
        self.stdout.write(f"{report}.")
