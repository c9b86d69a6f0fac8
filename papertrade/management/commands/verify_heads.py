"""`papertrade verify-heads heads.jsonl`: hold the books against chain heads that were exported before."""

import sys
from argparse import FileType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from papertrade.lib.words import counted
from papertrade.proof import heads


class Command(BaseCommand):
    help = (
        "Find what has been removed or rewritten since the file was made. Ends with status 1 if anything has. Run "
        "`papertrade audit` too: it follows each chain from its beginning to the head."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", type=FileType(encoding="utf-8"), help="what `papertrade export-heads` wrote; - reads standard input"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = 0
        try:
            for difference in heads.check(options["file"]):
                found += 1
                self.stdout.write(self.style.ERROR(f"{difference.row}: {difference.problem}"))
        except heads.BadHeads as problem:
            raise CommandError(f"The file cannot be used: {problem}.") from None
        self.stdout.write(f"{counted(found, 'difference')}.")
        if found:
            sys.exit(1)
