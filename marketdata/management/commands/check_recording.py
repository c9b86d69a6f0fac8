"""`papertrade check-recording PATH`: read a whole recording, and say what is in it and what is wrong with it."""

from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketdata.feeds.recorded import RecordedFeed
from marketdata.feeds.recording_rows import RecordingError, Report
from papertrade.lib.words import counted

PROGRESS_EVERY = 250_000


class Command(BaseCommand):
    help = "Read a recording from end to end and report its symbols, its times and its bad rows."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path)

    def handle(self, *args: Any, path: Path, **options: Any) -> None:
        try:
            feed = RecordedFeed(path)
        except RecordingError as error:
            raise CommandError(str(error)) from None
        report, symbols, taken, first, last = Report(), Counter[str](), 0, None, None
        for number, row in enumerate(feed.rows(report), start=1):
            symbols[row.symbol] += 1
            taken += row.taken_at is not None
            first, last = first or row.at, row.at
            if number % PROGRESS_EVERY == 0:
                self.stderr.write(f"{number:,} rows read")
        self.stdout.write(
            f"{counted(len(feed.files), 'file')}, {counted(report.good, 'good row')} of {counted(len(symbols), 'symbol')}, "
            f"{first} to {last}"
        )
        if taken:
            self.stdout.write(
                f"{counted(taken, 'row')} of a live market, with taken_at; {report.good - taken:,} without"
            )
        for name, line, problem in report.details:
            self.stdout.write(f"{name}:{line}: {problem}")
        self.stdout.write(counted(report.bad, "bad row"))
