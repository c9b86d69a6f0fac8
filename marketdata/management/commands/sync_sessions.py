"""`manage.py sync_sessions`: copy the exchange's schedule into rows."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from marketdata import clock
from marketdata.services import MIN_DAYS_AHEAD, sessions_reach, sync_sessions


class Command(BaseCommand):
    help = "Copy the exchange's trading sessions into the database, as far ahead as they are known."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--if-needed", action="store_true", help="only where the stored ones end too soon")

    def handle(self, *args: Any, if_needed: bool, **options: Any) -> None:
        if if_needed and sessions_reach((clock.wall_now() + timedelta(days=MIN_DAYS_AHEAD)).date()):
            return
        self.stdout.write(f"{sync_sessions()} trading sessions stored.")
