"""`manage.py seed_demo`: fill an empty simulated server with what a few simple strategies did in past sessions."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import PaperAccount, User
from marketdata.markets.current import current_market
from papertrade.demo.seeder import Seeder
from papertrade.lib import lines
from papertrade.management.commands.bootstrap import TRADER

DEFAULT_SESSIONS = 15


class Command(BaseCommand):
    help = "Let a few strategies trade in past sessions of the simulated market. Needs a server without accounts."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sessions", type=int, default=DEFAULT_SESSIONS, help="how many past sessions")
        parser.add_argument("--user", default=TRADER, help="who owns the accounts")

    def handle(self, *args: Any, sessions: int, user: str, **options: Any) -> None:
        if sessions < 1:
            raise CommandError("--sessions must be at least 1.")
        if current_market().name != "simulated":
            raise CommandError("Demonstration data needs PAPERTRADE_MARKET=simulated.")
        if PaperAccount.objects.exists():
            self.stdout.write(
                "There are accounts already: no demonstration data was added. "
                "For new data: PAPERTRADE_VAR=another-folder make demo"
            )
            return
        owner = User.objects.filter(username=user).first()
        if owner is None:
            raise CommandError(f"There is no user {user}. A server's first start makes the users trader and admin.")
        began = time.monotonic()
        seeder = Seeder(owner, sessions)
        with lines.silence():
            for step in seeder.run():
                spent = time.monotonic() - began
                self.stdout.write(f"session {step.session.date}: {step.done} of {step.total}, {spent:.0f} s")
        orders = sum(desk.orders_sent for _, desk in seeder.desks)
        self.stdout.write(self.style.SUCCESS(f"{len(seeder.desks) + 1} accounts, {orders} orders."))
