"""`papertrade make-recording DAY.csv.gz`: a session of the simulated market as a recording, to be shipped or replayed."""

from datetime import date
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketdata.conversion.simulated_day import write_day
from marketdata.sessions import calendar

STOCKS = "AAPL,IBM,MSFT,NVDA,QQQ,SPY"
WITH_OPTIONS = "AAPL,NVDA,SPY"


class Command(BaseCommand):
    help = (
        "Write what the simulated market quotes in a session: stocks every 8 seconds, contracts near the price every 40. The "
        "quotes are invented, so the file may be given to anybody; the same seed and session give the same bytes."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="DAY.csv.gz")
        parser.add_argument("--session", required=True, type=date.fromisoformat, metavar="YYYY-MM-DD")
        parser.add_argument("--stocks", default=STOCKS, help=f"default {STOCKS}")
        parser.add_argument(
            "--with-options", default=WITH_OPTIONS, help=f"those with contracts too; default {WITH_OPTIONS}"
        )
        parser.add_argument("--seed", type=int, default=1)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        if settings.PAPERTRADE_MARKET != "simulated":
            raise CommandError("It is the simulated market that is written: PAPERTRADE_MARKET=simulated.")
        session = calendar().on(options["session"])
        if session is None:
            raise CommandError(f"The exchange has no session on {options['session']}.")
        if file.exists():
            raise CommandError(f"{file} exists; nothing is overwritten.")
        stocks, with_options = (_words(options[name]) for name in ("stocks", "with_options"))
        try:
            rows = write_day(file, session=session, stocks=stocks, with_options=with_options, seed=options["seed"])
        except ValueError as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(f"{rows} quotes, {session.open} to {session.close}: {file}")


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]
