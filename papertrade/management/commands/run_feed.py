"""`manage.py run_feed`: the feed process. One is active, the others stand by."""

import signal
import threading
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, close_old_connections, connection

from marketdata import gate, market
from marketdata.feeds.recorded import RecordingError
from papertrade import trading_day
from papertrade.errors import Unavailable

log = structlog.get_logger(__name__)

RETRY_SECONDS = 1.0


class Command(BaseCommand):
    help = "Start the market and move it: quotes to the book and to the orders, opens, closes and snapshots."
    requires_system_checks: tuple[str, ...] = ()  # they load the whole API, and the gate has run them

    def handle(self, *args: Any, **options: Any) -> None:
        self.stopping = threading.Event()
        for sign in (signal.SIGTERM, signal.SIGINT):
            signal.signal(sign, lambda *_: self.stopping.set())
        try:
            market.current()
        except (market.MarketError, RecordingError) as error:
            raise CommandError(str(error)) from None
        while not self.stopping.is_set():
            try:
                self._lead()
            except (OperationalError, Unavailable) as error:
                # A server is away: all is kept in the database, so trying again is all there is to do.
                log.warning("feed_interrupted", error=str(error).strip())
                close_old_connections()
                connection.close()
                self.stopping.wait(RETRY_SECONDS)

    def _lead(self) -> None:
        while not gate.try_lock(gate.FEED):
            if self.stopping.wait(RETRY_SECONDS):
                return
        market.current().start()
        heart = trading_day.Heart()
        with trading_day.moving():
            heart.mover.publish()
        log.info("feed_started", market=market.current().name, feed=market.current().feed.name)
        while not self.stopping.is_set():
            self.stopping.wait(heart.beat())
        gate.unlock(gate.FEED)
