"""`papertrade export-heads > heads.jsonl`: where every ledger stands, to be kept where no database owner writes."""

from typing import Any

from django.core.management.base import BaseCommand

from papertrade.proof import heads


class Command(BaseCommand):
    help = "Write the chain head of every book to standard output. Keep the file elsewhere; `papertrade verify-heads` reads it."

    def handle(self, *args: Any, **options: Any) -> None:
        for line in heads.export():
            self.stdout.write(line, ending="")
