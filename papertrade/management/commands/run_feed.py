"""`manage.py run_feed`: the feed process. One is active, the others stand by."""

import signal
import sys
import time
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, InternalError, OperationalError, connection

from marketdata.feeds import FeedError
from marketdata.markets.base import MarketError
from marketdata.markets.current import current_market
from papertrade.lib.errors import Conflict, Unavailable
from papertrade.lib.pooling import SessionNotOwn
from papertrade.operations.exporter import attend
from papertrade.trading.clock import leading, start_market
from papertrade.trading.feed_process import FeedProcess

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0
NAP_SECONDS = 0.2
SWITCH_SECONDS = 0.001  # so soon a step gets the interpreter back from the thread that reads a storm of quotes
LEADS, STANDS_BY = "leads", "stands by"


class Command(BaseCommand):
    help = "Start the market and move it: quotes to the book and to the orders, opens, closes and snapshots."
    requires_system_checks: tuple[str, ...] = ()  # they load the whole API, and the gate has run them
    stopping = False
    role = STANDS_BY

    def handle(self, *args: Any, **options: Any) -> None:
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, self._be_told_to_stop)
        sys.setswitchinterval(SWITCH_SECONDS)
        beacon = attend("feed", role=lambda: self.role)
        try:
            self._work()
        finally:
            beacon.stop()

    def _work(self) -> None:
        while not self.stopping:
            try:
                current_market()
                self._lead()
            except (MarketError, FeedError, SessionNotOwn) as error:
                raise CommandError(str(error)) from None
            except (OperationalError, InterfaceError, InternalError, Unavailable, Conflict) as error:
                # A server is away, or this process was suspended for so long that another one leads. Everything is in the
                # database, so trying again is all there is to do.
                log.warning("feed_interrupted", error=str(error).strip())
                self._let_go()
                self._pause(RETRY_SECONDS)

    def _let_go(self) -> None:
        """End the database session and so its locks, which a connection would take back into the pool with it."""
        connection.close()
        connection.close_pool()

    def _be_told_to_stop(self, *_: object) -> None:
        self.stopping = True  # no lock in a signal handler: what it interrupts may hold it

    def _pause(self, seconds: float) -> None:
        """Sleep in short naps, as a signal does not end a sleep."""
        until = time.monotonic() + seconds
        while not self.stopping and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, NAP_SECONDS))

    def _lead(self) -> None:
        """Stand by until nobody leads, then lead."""
        while not self.stopping:
            with leading() as is_leader:
                if is_leader:
                    self._move_the_market()
            self._pause(RETRY_SECONDS)

    def _move_the_market(self) -> None:
        start_market()
        process = FeedProcess()
        self.role = LEADS
        try:
            process.begin()
            log.info("feed_started", market=current_market().name, feed=current_market().feed.name)
            while not self.stopping:
                self._pause(process.beat())
        finally:
            self.role = STANDS_BY
            process.end()
