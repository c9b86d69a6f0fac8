"""`papertrade prepare [--plan]`: make the database ready for this release; --plan only says what that would do."""

import time
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from psycopg import pq
from psycopg.conninfo import make_conninfo

from marketdata.feeds import FeedError
from marketdata.markets.base import MarketError
from marketdata.markets.current import current_market
from papertrade.lib.pooling import SessionNotOwn
from papertrade.operations.retention import retain
from papertrade.operations.roles import RoleError, migrate
from papertrade.operations.upgrading import UnfitError, give_session_settings
from papertrade.trading.clock import start_market

DATABASE_SECONDS = 60
POLL_SECONDS = 1.0
CONNECT_SECONDS = 5


class Command(BaseCommand):
    help = (
        "Migrate and grant the server's role its rights (as the owner of the tables, where DATABASE_OWNER_URL names one), "
        "extend the trading calendar where needed, and make the first users and keys."
    )
    requires_system_checks: tuple[str, ...] = ()  # they load the whole API, and the gate has run them

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--plan", action="store_true", help="show which migrations would lock which tables, and change nothing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            current_market()  # settings that do not go together are told at once, and not after a minute of migrations
        except (MarketError, FeedError) as error:
            raise CommandError(str(error)) from None
        self._await_database()
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        try:
            migrate(say=self.stdout.write, only_say=options["plan"])
        except (RoleError, UnfitError, SessionNotOwn) as error:
            raise CommandError(str(error)) from None
        if options["plan"]:
            return
        self._attend_to_a_pooler()
        call_command("sync_sessions", if_needed=True, verbosity=0)
        try:
            start_market()
        except (MarketError, FeedError) as error:
            raise CommandError(str(error)) from None
        retain()
        call_command("bootstrap", verbosity=0)

    def _attend_to_a_pooler(self) -> None:
        """Give the server's role the settings that a pooler does not pass on; report one that this command goes through."""
        is_new = give_session_settings()
        at_hand = connection.connection
        if at_hand.is_pooled:
            keeps = (
                "keeps prepared statements"
                if at_hand.keeps_statements
                else "keeps no prepared statements: none are used"
            )
            self.stdout.write(f"DATABASE_URL goes through a pooler that {keeps}.")
            if is_new:
                self.stdout.write(
                    "The role has settings for its sessions now: let the pooler connect anew (RECONNECT)."
                )

    def _await_database(self) -> None:
        """Wait for a database that was started together with this. Raises CommandError where none answers in time."""
        place = connection.settings_dict
        conninfo = make_conninfo(host=place["HOST"], port=place["PORT"], connect_timeout=CONNECT_SECONDS).encode()
        deadline = time.monotonic() + DATABASE_SECONDS
        said = False
        while pq.PGconn.ping(conninfo) != pq.Ping.OK:
            if time.monotonic() > deadline:
                raise CommandError(
                    f"No database answers at {place['HOST']}:{place['PORT']}. Start it, or correct DATABASE_URL."
                )
            if not said:
                self.stdout.write(f"waiting up to {DATABASE_SECONDS} s for the database")
                said = True
            time.sleep(POLL_SECONDS)
