"""`papertrade convert FILES --to DAY.csv.gz`: turn Alpaca's, Massive's or Databento's quotes into a recording."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketdata.conversion.converter import convert
from marketdata.conversion.formats import Unusable
from marketdata.feeds.recorded import SUFFIXES


class Command(BaseCommand):
    help = (
        "Turn files of quotes into a recording for the recorded market: Alpaca's quotes as JSON or CSV, Massive's "
        "quotes_v1 flat files, Databento's DBN as CSV (mbp-1, bbo-1s, cmbp-1, cbbo-1s). Bars and trades are refused. Needs no "
        "running server."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, help="plain or .gz")
        parser.add_argument("--to", required=True, type=Path, help="the recording, NAME.csv.gz")
        parser.add_argument("--symbols", default="", help="only these, such as AAPL,O:SPY261218C00600000")
        parser.add_argument(
            "--lots", action="store_true", help="sizes of stocks before 3 November 2025 are round lots of 100 shares"
        )

    def handle(self, *args: Any, files: list[Path], to: Path, symbols: str, lots: bool, **options: Any) -> None:
        if not to.name.endswith(SUFFIXES[1]):
            raise CommandError("--to must end in .csv.gz.")
        if to.exists():
            raise CommandError(f"{to} exists; a conversion overwrites nothing.")
        wanted = {name.strip() for name in symbols.split(",") if name.strip()}
        try:
            outcome = convert(files, to, symbols=wanted, lots=lots)
        except (Unusable, OSError) as problem:
            raise CommandError(str(problem)) from None
        for name, line, flaw in outcome.details:
            self.stdout.write(f"{name}:{line}: {flaw}")
        self.stdout.write(f"{outcome.bad} lines were no quotes")
        if not outcome.rows:
            to.unlink()
            raise CommandError("No quote was found, so nothing was written.")
        self.stdout.write(
            f"{outcome.rows} quotes of {len(outcome.symbols)} symbols, {outcome.first} to {outcome.last}: {to}"
        )
        if outcome.perhaps_lots and not lots:
            self.stdout.write(
                "Sizes of stocks before 3 November 2025 may be round lots. They were taken as shares, which fills less, never "
                "more; with --lots they are taken times 100."
            )
        self.stdout.write(f"Play it: papertrade run --var var-{to.name.split('.')[0]} --recording {to} --speed 0")
