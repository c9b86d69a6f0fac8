"""`manage.py audit_books`: check every book against its ledger, fills and orders."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from orders.audit import audit_books

PROGRESS_EVERY = 500


class Command(BaseCommand):
    help = "Check all books from a second direction. Ends with status 1 where something is wrong."

    def handle(self, *args: Any, **options: Any) -> None:
        self.done = 0
        differences = 0
        for difference in audit_books(progress=self._progress):
            differences += 1
            self.stdout.write(self.style.ERROR(f"{difference.row}: {difference.problem}"))
        self.stdout.write(f"{self.done} books checked, {differences} differences.")
        if differences:
            sys.exit(1)

    def _progress(self, done: int) -> None:
        self.done = done
        if done % PROGRESS_EVERY == 0:
            self.stderr.write(f"{done} books checked")
