"""Demonstration data: a few simple strategies trade past sessions of the simulated market through the real services.

Nothing bypasses the rules: time moves step by step as the feed moves it, and every order is submitted, held, filled or refused
as anybody's would be. So every chart, reason and ledger row that results is genuine.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from accounts.models import User
from marketdata import clock
from marketdata.markets.current import current_market
from marketdata.sessions import Session, calendar
from papertrade.demo.strategies import Core, Desk, Reversion, Sides, Strategy, Trend, WeeklyCalls
from papertrade.trading import watchlists
from papertrade.trading.accounts import archive_account, open_account, reset_account
from papertrade.trading.clock import moving
from papertrade.trading.mover import the_mover

STEP = timedelta(minutes=15)
FIRST_VERSION, SECOND_VERSION = "v1.0", "v1.1"
FIRST_DECISION = timedelta(minutes=15)  # after the open
LAST_DECISION = timedelta(minutes=15)  # before the close


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the seeding is."""

    done: int
    total: int
    session: Session


@dataclass
class Seeder:
    """Plays the strategies over past sessions, up to where the server's clock would have started."""

    user: User
    sessions: int
    desks: list[tuple[Strategy, Desk]] = field(default_factory=list)

    def run(self) -> Iterator[Progress]:
        """Yields after each session. The server must be empty, and nothing else may move its market."""
        days = self._days()
        start = days[0].open - STEP
        current = current_market()
        clock.delete_clock()
        clock.start(market=current.name, feed=current.feed.name, at=start, speed=Decimal(0))
        self.desks = [(strategy, self._open(strategy)) for strategy in (Trend(), Reversion(), WeeklyCalls(), Core())]
        archived = self._open(Core(name="First try", initial_cash="10000"))
        for number, session in enumerate(days, start=1):
            self._play(session)
            if number == 2:
                archive_account(account=archived.account)
            if number == max(2, len(days) // 3):
                self._start_over(session)
            yield Progress(number, len(days), session)
        self._move(current.first_at())

    def _days(self) -> list[Session]:
        """The sessions before the one that the market starts in."""
        before = [day for day in calendar().sessions if day.close <= current_market().first_at()]
        return before[-self.sessions :]

    def _open(self, strategy: Strategy) -> Desk:
        account = open_account(
            user=self.user, name=strategy.name, initial_cash=strategy.initial_cash, tags=[FIRST_VERSION]
        )
        watchlists.create(account=account, name="Watchlist", symbols=list(strategy.symbols))
        return Desk(account)

    def _play(self, session: Session) -> None:
        at = session.open + FIRST_DECISION
        while at <= session.close - LAST_DECISION:
            self._move(at)
            for strategy, desk in self.desks:
                quotes = {
                    symbol: Sides(quote.bid, quote.ask)
                    for symbol, quote in current_market().latest(strategy.symbols, at=at).items()
                    if quote.bid is not None and quote.ask is not None
                }
                strategy.decide(desk, at, session, quotes)
            at += STEP
        self._move(session.close)

    def _start_over(self, session: Session) -> None:
        """End the trend follower's first run, so that there is an earlier generation to look at."""
        _, desk = self.desks[0]
        reset_account(
            account=desk.account, confirm=True, reason="Longer memory after a first trial", tags=[SECOND_VERSION]
        )
        self.desks[0] = (Trend(memory_steps=2 * Trend.memory_steps), desk)

    def _move(self, to: datetime) -> None:
        with moving():
            the_mover().step(to)
