"""`papertrade audit [--account ID]`: check all books against ledger, fills and orders, and keep a report."""

import sys
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from papertrade.proof.audits import run_audit
from portfolio.models import Book

PROGRESS_EVERY = 500


class Command(BaseCommand):
    help = "Check all books, or one account's, from a second direction. Ends with status 1 where something is wrong."

    _told = 0

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--account", type=UUID, metavar="ID", help="only this account's books")
        parser.add_argument("--generation", type=int, metavar="NUMBER", help="only this generation of the account")

    def handle(self, *args: Any, **options: Any) -> None:
        books, scope = Book.objects.order_by("pk"), ""
        if options["account"]:
            books, scope = books.filter(account_id=options["account"]), f"account {options['account']}"
        if options["generation"] is not None:
            if not options["account"]:
                raise CommandError("Say which account the generation is of: --account ID")
            books, scope = books.filter(generation_number=options["generation"]), f"{scope} #{options['generation']}"
        if options["account"] and not books.exists():
            raise CommandError("There is no such account or generation.")
        report = run_audit(by="papertrade audit", books=books, scope=scope, progress=self._progress)
        for row, problem in report.differences:
            self.stdout.write(self.style.ERROR(f"{row}: {problem}"))
        if report.difference_count > len(report.differences):
            self.stdout.write(f"... and {report.difference_count - len(report.differences)} more; all are in the log.")
        self.stdout.write(f"{report}.")
        if report.difference_count:
            sys.exit(1)

    def _progress(self, done: int) -> None:
        if done // PROGRESS_EVERY > self._told // PROGRESS_EVERY:
            self.stderr.write(f"{done} books checked")
        self._told = done
