"""`papertrade check-provider`: try the live market's provider: key, plan, stream, sizes, lag, in words.

Needs the settings of the live market and no running server; a server that runs with the same key should be stopped first.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from marketdata.feeds.live.protocol import BadOptions
from marketdata.feeds.live.trial import Finding, try_all
from marketdata.markets.current import PROVIDERS, provider_module, provider_options
from marketdata.services import is_open_by_the_rules

SECONDS = 15


class Command(BaseCommand):
    help = (
        "Connect to the provider of PAPERTRADE_PROVIDER, log in, take a few quotes, and say what is wrong, if anything."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--seconds", type=int, default=SECONDS, help="how long to wait for quotes of each line")

    def handle(self, *args: Any, seconds: int, **options: Any) -> None:
        name = settings.PAPERTRADE_PROVIDER
        module = provider_module(name) if name else None
        if module is None or not hasattr(module, "markets"):
            choices = ", ".join(choice for choice in PROVIDERS if hasattr(provider_module(choice), "markets"))
            raise CommandError(f"There is nothing to try: set PAPERTRADE_PROVIDER to one of {choices}.")
        chosen = provider_options()
        try:
            markets = module.markets(chosen)
        except BadOptions as problem:
            raise CommandError(str(problem)) from None
        in_session = is_open_by_the_rules(datetime.now(UTC) - chosen.delay)
        self.stdout.write(f"Trying {name}; the exchange is {'open' if in_session else 'closed'} now.")
        findings = asyncio.run(try_all(markets, seconds=seconds, in_session=in_session, delay=chosen.delay))
        for finding in findings:
            self._say(finding)
        if problems := [finding.line for finding in findings if finding.problem]:
            raise CommandError(f"Not all is well with {' and '.join(problems)}.")
        self.stdout.write("All is well: `papertrade run --market live`.")

    def _say(self, finding: Finding) -> None:
        for said in finding.said:
            self.stdout.write(f"{finding.line}: {said}")
        if finding.problem:
            self.stdout.write(f"{finding.line}: {finding.problem}")
