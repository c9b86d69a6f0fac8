"""The feed process: moves a running market step by step, and keeps the quote book filled."""

from contextlib import suppress

from marketdata import clock, quote_book
from marketdata.markets.current import current_market
from papertrade.lib.errors import Conflict
from papertrade.trading.clock import moving
from papertrade.trading.mover import the_mover

STEP_SECONDS = 0.2  # wall time between two steps of a running market
IDLE_SECONDS = 1.0


class FeedProcess:
    """The feed process: moves a running market step by step, and keeps the quote book filled."""

    def __init__(self) -> None:
        self.market = current_market()
        self.mover = the_mover()

    def beat(self) -> float:
        """One step; how many wall seconds to wait before the next."""
        clock.beat()
        if self.market.manual:
            self._refill()
            return IDLE_SECONDS
        try:
            with moving():
                self._step()
        except Conflict:  # an operator's command moves the market just now
            return IDLE_SECONDS
        return STEP_SECONDS

    def _step(self) -> None:
        due = clock.read().due
        self.mover.step(due)
        waiting_from = self.market.skip(due)
        if waiting_from is not None:
            self.mover.step(waiting_from)
            clock.jump(waiting_from)

    def _refill(self) -> None:
        """A quote book that was lost, or fell behind, is filled anew; while an advance runs it does that itself."""
        if self.market.has_book and quote_book.marker() != clock.read().position:
            with suppress(Conflict), moving():
                self.mover.publish()
