"""The feed process: moves a running market step by step, and keeps the quote book filled."""

from contextlib import suppress
from datetime import timedelta

import structlog
from django.db import OperationalError

from marketdata import clock, gate, leases, quote_book
from marketdata.markets.current import current_market
from orders import working
from papertrade.lib import metrics
from papertrade.lib.errors import Conflict
from papertrade.trading.clock import GATE_SECONDS, PASSING_SECONDS, moving
from papertrade.trading.mover import drop_movers, the_mover

log = structlog.get_logger(__name__)

STEP_SECONDS = 0.2  # wall time between two steps of a running market
IDLE_SECONDS = 1.0
ASLEEP_AFTER = timedelta(seconds=5)  # wall time without a step after which a running clock goes on from where it stood
JITTER = timedelta(seconds=1)  # a wall clock that is set back by no more than this is not noticed


class FeedProcess:
    """The process that leads. Call `begin`, then `beat` again and again, and in the end `end`."""

    def __init__(self) -> None:
        self.market = current_market()

    def begin(self) -> None:
        """Go on where the last leader stopped; what this process knew of the market before that is dropped."""
        drop_movers()
        self.market.lead(supplies=working.newest_supplies)
        with moving():
            the_mover().publish()

    def end(self) -> None:
        """Release the provider's connection: whoever leads next may need its seat."""
        self.market.stop()

    def beat(self) -> float:
        """One step; how many wall seconds to wait before the next. Raises LeaseLost."""
        leases.holding_of(leases.FEED).confirm()
        if not self.market.manual:
            self._go_on_after_a_gap()
        clock.beat()
        if self.market.manual:
            leases.end_the_hung()  # an advance that stopped half way keeps everyone at the gate
            self._refill()
            return IDLE_SECONDS
        self.market.listen(the_mover().cursor)
        try:
            with moving(), self.market.undisturbed(), metrics.STEP_SECONDS.time():
                done = self._step()
        except Conflict:  # an operator's command is moving the market
            return IDLE_SECONDS
        mover = the_mover()
        leases.holding_of(leases.FEED).confirm()
        self.market.attend(orders=mover.order_symbols, held=mover.held_symbols)
        return STEP_SECONDS if done else PASSING_SECONDS

    def _step(self) -> bool:
        mover, due = the_mover(), clock.read().due
        done = mover.step(due, seconds=GATE_SECONDS)
        waiting_from = self.market.skip(due) if done else None
        if waiting_from is not None:
            mover.step(waiting_from)
            clock.jump(waiting_from)
        return done

    def _go_on_after_a_gap(self) -> None:
        """After sleep of the machine, or where its clock was set back, a running clock goes on from where it stood."""
        gap = clock.since_last_beat()
        if gap is not None and not -JITTER <= gap <= ASLEEP_AFTER:
            clock.anchor_again()
            log.warning("clock_goes_on", stood_still_seconds=round(gap.total_seconds(), 1), market=self.market.name)

    def _refill(self) -> None:
        """A quote book that was lost, or fell behind, is filled anew; an advance does that itself.

        Under the gate, which whoever moves the market closes: without the movers' lock, so that an advance that comes meanwhile
        waits a moment and is not refused.
        """
        if not self.market.has_book or quote_book.marker() == clock.read().position:
            return
        # An advance that takes longer than a lock is waited for.
        with suppress(OperationalError), gate.closed_gate(), leases.as_the_latest(leases.MOVER):
            if quote_book.marker() != clock.read().position:
                the_mover().publish()
