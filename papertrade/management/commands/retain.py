"""`papertrade retain [--detach-before M]`: make months for snapshots, thin old minutes, take out old months."""

import re
from datetime import UTC, date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from marketdata import clock
from papertrade.lib.postgres import as_owner
from papertrade.operations.retention import retain
from portfolio.retention import detach


class Command(BaseCommand):
    help = (
        "Make the partitions of the coming months, and thin minute snapshots older than PAPERTRADE_KEEP_MINUTES_DAYS; beat "
        "does both by itself. --detach-before takes whole months out: keep their tables as files, then drop them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--detach-before", metavar="YYYY-MM", help="take out the months before this one, as the tables' owner"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["detach_before"] is None:
            done = retain()
            self.stdout.write(f"{done.months} months made, {done.rows} rows thinned.")
            return
        if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", options["detach_before"]):
            raise CommandError("--detach-before is a month, such as 2026-01.")
        before, now = date.fromisoformat(f"{options['detach_before']}-01"), clock.read().now.astimezone(UTC).date()
        if before > now.replace(day=1):
            raise CommandError(f"The market is in {now:%Y-%m}: that month and later ones are in use.")
        try:
            with as_owner():
                tables = detach(before=before)
        except DatabaseError as problem:
            raise CommandError(f"The months stay where they are: {problem}") from None
        for table in tables:
            self.stdout.write(table)
        self.stdout.write(
            f"{len(tables)} tables were taken out. Keep each with pg_dump --table NAME, then DROP TABLE it."
            if tables
            else "No month ends before that."
        )
