"""`manage.py sync_sessions`: copy the exchange's schedule into rows."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from marketdata.services import sessions_reach_far, sync_sessions


class Command(BaseCommand):
    help = "Copy the exchange's trading sessions into the database, as far ahead as they are known."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--if-needed", action="store_true", help="only where the stored ones end too soon")

    def handle(self, *args: Any, if_needed: bool, **options: Any) -> None:
        if if_needed and sessions_reach_far():
            return
        self.stdout.write(f"{sync_sessions()} trading sessions stored.")
