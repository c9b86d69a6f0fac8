"""`manage.py prepare`: everything that a database needs before the processes start, in one process."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from marketdata.feeds import FeedError
from marketdata.markets.base import MarketError
from papertrade.operations.retention import retain
from papertrade.operations.roles import RoleError, migrate
from papertrade.trading.clock import start_market


class Command(BaseCommand):
    help = (
        "Migrate and grant the server's role its rights (as the owner of the tables, where DATABASE_OWNER_URL names one), "
        "extend the trading calendar where needed, and make the first users and keys."
    )
    requires_system_checks: tuple[str, ...] = ()  # they load the whole API, and the gate has run them

    def handle(self, *args: Any, **options: Any) -> None:
        settings.STATIC_ROOT.mkdir(parents=True, exist_ok=True)
        try:
            migrate()
        except RoleError as error:
            raise CommandError(str(error)) from None
        call_command("sync_sessions", if_needed=True, verbosity=0)
        try:
            start_market()
        except (MarketError, FeedError) as error:
            raise CommandError(str(error)) from None
        retain()
        call_command("bootstrap", verbosity=0)
