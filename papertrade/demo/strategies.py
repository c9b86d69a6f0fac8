"""A few simple strategies, and the desk through which one acts."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple, Protocol

from accounts.models import PaperAccount
from marketdata import listing
from marketdata.instruments import OptionRight
from marketdata.sessions import Session
from orders.closing import close_position
from orders.services import submit
from papertrade.lib.errors import PapertradeError
from portfolio.selectors import book_of, positions

STEP = timedelta(minutes=15)
FIRST_DECISION = timedelta(minutes=15)  # after the open
A_WEEK = timedelta(days=7)
CENT = Decimal("0.01")


class Sides(NamedTuple):
    """A quote of both sides, USD per share."""

    bid: Decimal
    ask: Decimal

    @property
    def mid(self) -> Decimal:
        return (self.bid + self.ask) / 2


Quotes = dict[str, Sides]


class Strategy(Protocol):
    """Decides at each step from the quotes it watches. `symbols` must not change."""

    name: str
    initial_cash: str
    symbols: tuple[str, ...]

    def decide(self, desk: "Desk", now: datetime, session: Session, quotes: Quotes) -> None: ...


@dataclass
class Desk:
    """One strategy's account, and ways to act on it. What the rules refuse is ignored, as a simple bot would."""

    account: PaperAccount
    orders_sent: int = 0

    def held(self) -> dict[str, Decimal]:
        """Quantity by symbol."""
        return {view.symbol: view.qty_available for view in positions(book=book_of(account=self.account))}

    def buy(self, symbol: str, qty: int, **terms: Any) -> None:
        self._send(symbol=symbol, qty=qty, side="buy", **terms)

    def sell(self, symbol: str, qty: Decimal | int, **terms: Any) -> None:
        self._send(symbol=symbol, qty=qty, side="sell", **terms)

    def close(self, symbol: str) -> None:
        """Sell all that is available at the market."""
        try:
            close_position(account=self.account, symbol=symbol)
            self.orders_sent += 1
        except PapertradeError:
            return

    def _send(self, **terms: Any) -> None:
        kind = "limit" if "limit_price" in terms else "market"
        order = {"type": kind, "time_in_force": "day", **terms}
        try:
            submit(account=self.account, payload=order)
            self.orders_sent += 1
        except PapertradeError:
            return


@dataclass
class Trend:
    """Holds what trades above its own average of the last sessions, and nothing else."""

    name: str = "Trend follower"
    initial_cash: str = "100000"
    symbols: tuple[str, ...] = ("NVDA", "TSLA")
    memory_steps: int = 40
    stake: Decimal = Decimal(30_000)
    _past: dict[str, deque[Decimal]] = field(default_factory=dict)

    def decide(self, desk: Desk, now: datetime, session: Session, quotes: Quotes) -> None:
        held = desk.held()
        for symbol, quote in quotes.items():
            past = self._past.setdefault(symbol, deque(maxlen=self.memory_steps))
            average = sum(past) / len(past) if past else None
            past.append(quote.mid)
            if average is None or len(past) < self.memory_steps // 4:
                continue
            if quote.mid > average and symbol not in held:
                desk.buy(symbol, int(self.stake / quote.ask))
            elif quote.mid < average and symbol in held:
                desk.close(symbol)


@dataclass
class Reversion:
    """Bids a little below the market and offers what it bought a little above it, both for the day."""

    name: str = "Mean reversion"
    initial_cash: str = "50000"
    symbols: tuple[str, ...] = ("AAPL", "KO")
    distance: Decimal = Decimal("0.0025")
    lots: dict[str, int] = field(default_factory=lambda: {"AAPL": 60, "KO": 220})

    def decide(self, desk: Desk, now: datetime, session: Session, quotes: Quotes) -> None:
        if now > session.open + FIRST_DECISION and (now - session.open) % timedelta(hours=2) >= STEP:
            return
        held = desk.held()
        for symbol, quote in quotes.items():
            if held.get(symbol):
                desk.sell(symbol, held[symbol], limit_price=_cents(quote.ask * (1 + self.distance)))
            elif symbol not in held:
                desk.buy(symbol, self.lots[symbol], limit_price=_cents(quote.bid * (1 - self.distance)))


@dataclass
class WeeklyCalls:
    """Buys calls near the money on the first day of a week and holds them to their expiry in the next one."""

    name: str = "Weekly calls"
    initial_cash: str = "25000"
    symbols: tuple[str, ...] = ("SPY",)
    contracts: int = 3
    _bought_in: tuple[int, int] | None = None

    def decide(self, desk: Desk, now: datetime, session: Session, quotes: Quotes) -> None:
        week = session.date.isocalendar()[:2]
        quote = quotes.get("SPY")
        if week == self._bought_in or quote is None:
            return
        self._bought_in = week
        expiry = next(day for day in listing.expirations("SPY", at=now) if day > session.date + A_WEEK)
        chain = listing.contracts("SPY", expiry, spot=quote.mid, right=OptionRight.CALL)
        contract = min(chain, key=lambda item: abs(item.contract.strike - quote.mid))
        desk.buy(contract.symbol, self.contracts, position_intent="buy_to_open")


@dataclass
class Core:
    """Buys a fund and keeps it, with a patient bid for more of it far below."""

    name: str = "Core holdings"
    initial_cash: str = "250000"
    symbols: tuple[str, ...] = ("SPY",)
    _begun: bool = False

    def decide(self, desk: Desk, now: datetime, session: Session, quotes: Quotes) -> None:
        if self._begun or "SPY" not in quotes:
            return
        self._begun = True
        desk.buy("SPY", 220)
        desk.buy("SPY", 40, limit_price=_cents(quotes["SPY"].bid * Decimal("0.9")), time_in_force="gtc")


def _cents(price: Decimal) -> Decimal:
    return price.quantize(CENT, rounding=ROUND_HALF_EVEN)
