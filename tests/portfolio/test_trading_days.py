"""Whole trading days by chance, against a small model that shares no code with the engine.

Hypothesis makes up a recording of one stock over two sessions, then submits, retries, cancels, advances, crashes on the way,
resets and archives. The model below keeps the same books in whole cents; after each step the two must agree on cash, holds, position and every order, and
every invariant of trading-rules.md section 7 must hold (tests/invariants.py).
"""

import os
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from marketdata.markets.current import drop_market
from orders.models import IS_OPEN, Order
from orders.services import cancel, submit
from papertrade.lib.errors import Conflict
from papertrade.trading import mover
from papertrade.trading.accounts import archive_account
from tests.desk import Desk
from tests.factories import UserFactory
from tests.invariants import check_account
from tests.market_kit import NEXT_DAY, MarketKit, at

OPENS = [at("13:30:00"), at("13:30:00", NEXT_DAY)]
CLOSES = [at("20:00:00"), at("20:00:00", NEXT_DAY)]
START = OPENS[0] - timedelta(seconds=4)
END = CLOSES[1] + timedelta(hours=1)
CRASHES = ["keep_marks", "snapshot_books", "held_symbols", "raw_cursor"]  # what the market's mover calls on its way
MAX_AGE = timedelta(seconds=15)
CASH = 500_000  # cents
# More of them, and a failure made small, which takes minutes: TRADING_DAYS=1000 pytest tests/portfolio/test_trading_days.py
EXAMPLES = int(os.environ.get("TRADING_DAYS", "15"))
PHASES = (Phase.generate, Phase.shrink) if "TRADING_DAYS" in os.environ else (Phase.generate,)


@dataclass
class ModelOrder:
    side: str
    left: int
    limit: int | None
    expires: datetime | None
    status: str = "accepted"
    filled: int = 0
    hold: int = 0

    @property
    def open(self) -> bool:
        return self.status in ("accepted", "new", "partially_filled")


@dataclass
class ModelQuote:
    at: datetime
    bid: int | None
    ask: int | None
    bid_size: int
    ask_size: int

    @property
    def good(self) -> bool:
        return self.bid is not None and self.ask is not None and self.bid <= self.ask


@dataclass
class Model:
    """One account and one stock, whole shares and whole cents."""

    quotes: list[ModelQuote]
    now: datetime = START
    cash: int = CASH
    shares: int = 0
    orders: list[ModelOrder] = field(default_factory=list)
    latest: ModelQuote | None = None
    taken: dict[str, int] = field(default_factory=lambda: {"buy": 0, "sell": 0})
    next_quote: int = 0

    @property
    def held(self) -> int:
        return sum(order.hold for order in self.orders if order.open and order.side == "buy")

    def session_open(self) -> datetime | None:
        return next((o for o, c in zip(OPENS, CLOSES, strict=True) if o <= self.now < c), None)

    def take(self, quote: ModelQuote) -> None:
        if self.latest is None or quote.ask != self.latest.ask:
            self.taken["buy"] = 0
        if self.latest is None or quote.bid != self.latest.bid:
            self.taken["sell"] = 0
        self.latest = quote

    def submit(self, side: str, qty: int, limit: int | None, gtc: bool) -> None:
        expires = None if gtc else next((close for close in CLOSES if self.now < close), None)
        order = ModelOrder(side, qty, limit, expires)
        self.orders.append(order)
        if side == "sell":
            promised = sum(o.left for o in self.orders[:-1] if o.open and o.side == "sell")
            if qty > self.shares - promised:
                order.status = "rejected"
                return
        else:
            price = limit or (self.latest.ask if self.latest and self.latest.good else 0)
            if qty * price > self.cash - self.held:
                order.status = "rejected"
                return
            order.hold = qty * price
        if self.session_open():
            self.evaluate(order)

    def evaluate(self, order: ModelOrder) -> None:
        """Guards 1 to 9 of section 5, for a stock."""
        quote, opened = self.latest, self.session_open()
        if order.status == "accepted":
            order.status = "new"
        if not quote or not quote.good or self.now - quote.at > MAX_AGE or quote.at < opened:
            return
        price = quote.ask if order.side == "buy" else quote.bid
        size = quote.ask_size if order.side == "buy" else quote.bid_size
        if order.limit is not None and (price > order.limit if order.side == "buy" else price < order.limit):
            return
        qty = min(order.left, size - self.taken[order.side])
        if qty <= 0:
            return
        if order.side == "buy" and qty * price > self.cash - self.held + order.hold:
            order.status = "canceled" if order.filled else "rejected"
            return
        self.fill(order, qty, price)

    def fill(self, order: ModelOrder, qty: int, price: int) -> None:
        self.taken[order.side] += qty
        order.left -= qty
        order.filled += qty
        order.hold = 0
        sign = 1 if order.side == "buy" else -1
        self.cash -= sign * qty * price
        self.shares += sign * qty
        order.status = "partially_filled" if order.left else "filled"
        if order.left and order.side == "buy":
            wanted = order.left * (order.limit or price)
            order.hold = wanted if order.limit else min(wanted, self.cash - self.held)

    def advance(self, to: datetime) -> None:
        moments = sorted({*(q.at for q in self.quotes), *OPENS, *CLOSES})
        for moment in [m for m in moments if self.now < m <= to]:
            self.now = moment
            while self.next_quote < len(self.quotes) and self.quotes[self.next_quote].at == moment:
                self.take(self.quotes[self.next_quote])
                self.next_quote += 1
                if self.session_open() and moment not in OPENS:
                    self.put_latest()
            if moment in CLOSES:
                for order in self.orders:
                    if order.open and order.expires and order.expires <= moment:
                        order.status, order.hold = "expired", 0
            if moment in OPENS:
                for order in self.orders:
                    if order.open:
                        self.evaluate(order)
        self.now = to

    def put_latest(self) -> None:
        quote = self.latest
        for order in [order for order in self.orders if order.open]:
            price = quote.ask if order.side == "buy" else quote.bid
            reached = order.limit is None or (
                price is not None and (price <= order.limit if order.side == "buy" else price >= order.limit)
            )
            if order.open and reached:
                self.evaluate(order)


PRICES = st.integers(9_999, 10_001)  # few, so that prices stand, lock and cross
SIDE_QUOTE = st.tuples(st.one_of(PRICES, PRICES, PRICES, st.none()), st.integers(1, 4))
# Bursts of quotes, seconds apart, around the first open, the close and the next open: there things happen.
BURSTS = (-3, 23_370, 86_397)
BURST = st.lists(st.tuples(st.integers(0, 6), SIDE_QUOTE, SIDE_QUOTE), min_size=8, max_size=20)
SECONDS = st.one_of(st.integers(1, 9), st.integers(10, 60), st.sampled_from([23_330, 63_000]))
RARELY = st.integers(0, 5).map(lambda number: number == 0)
KIT: dict[str, MarketKit] = {}

ANY_ORDER = {"symbol": "IBM", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


class Crash(Exception):
    """The end of a process, as far as a test in one process can have it."""


class TradingDays(RuleBasedStateMachine):
    @initialize(bursts=st.tuples(BURST, BURST, BURST))
    def start(self, bursts: tuple[list[Any], ...]) -> None:
        made = []
        for second, burst in zip(BURSTS, bursts, strict=True):
            for gap, (bid, bid_size), (ask, ask_size) in burst:
                second += gap
                when = OPENS[0] + timedelta(seconds=second)
                made.append(ModelQuote(when, bid, ask, bid_size if bid else 0, ask_size if ask else 0))
        self.model = Model(made)
        lines = [f"{q.at:%Y-%m-%dT%H:%M:%SZ} IBM {cents(q.bid)} {cents(q.ask)} {q.bid_size} {q.ask_size}" for q in made]
        KIT["market"].play(*lines, start=START.strftime("%Y-%m-%dT%H:%M:%SZ"))
        self.desk = Desk(UserFactory(), initial_cash=cents(CASH))
        self.sent = 0

    @rule(
        side=st.sampled_from(["buy", "buy", "sell"]),
        qty=st.integers(1, 9),
        limit=st.one_of(st.none(), PRICES),
        gtc=st.booleans(),
        again=st.booleans(),
        pause=st.integers(0, 4),
    )
    def submit(self, side: str, qty: int, limit: int | None, gtc: bool, again: bool, pause: int) -> None:
        self.advance(pause)
        self.sent += 1
        order = {"symbol": "IBM", "qty": str(qty), "side": side, "time_in_force": "gtc" if gtc else "day",
                 "client_order_id": str(self.sent), "type": "limit" if limit else "market"}  # fmt: skip
        if limit:
            order["limit_price"] = cents(limit)
        first = submit(account=self.desk.account, payload=order)
        self.model.submit(side, qty, limit, gtc)
        if again:
            second = submit(account=self.desk.account, payload=order)
            assert second.replayed and second.order.pk == first.order.pk

    @precondition(lambda self: any(order.open for order in self.model.orders))
    @rule(choose=st.randoms(use_true_random=False))
    def cancel(self, choose: Any) -> None:
        number = choose.choice([n for n, order in enumerate(self.model.orders) if order.open])
        cancel(account=self.desk.account, order_id=self.stored()[number].pk)
        self.model.orders[number].status, self.model.orders[number].hold = "canceled", 0

    @rule(seconds=SECONDS, crash=st.one_of(st.none(), st.sampled_from(CRASHES)))
    def wait(self, seconds: int, crash: str | None) -> None:
        if crash:
            self.crash_while_advancing(seconds, crash)
        self.advance(seconds)

    def crash_while_advancing(self, seconds: int, where: str) -> None:
        """The process that moves the market dies in the middle of it; another one will start over."""
        to = self.model.now + timedelta(seconds=seconds)
        if to < END:
            with patch.object(mover, where, side_effect=Crash), suppress(Crash):
                KIT["market"].advance(to)
            drop_market()

    def advance(self, seconds: int) -> None:
        to = self.model.now + timedelta(seconds=seconds)
        if to < END:
            KIT["market"].advance(to)
            self.model.advance(to)

    @precondition(lambda self: self.model.orders)
    @rule(sure=RARELY)
    def reset(self, sure: bool) -> None:
        if not sure:
            return
        self.desk.reset()
        self.model.cash, self.model.shares, self.model.orders = CASH, 0, []
        self.model.taken = {"buy": 0, "sell": 0}

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "desk"):
            return
        book, model = self.desk.book, self.model
        assert (book.cash, book.held_cash) == (Decimal(cents(model.cash)), Decimal(cents(model.held)))
        assert sum(place.qty for place in book.positions.all()) == model.shares
        mine = [(order.status, order.filled_qty) for order in self.stored()]
        assert mine == [(order.status, order.filled) for order in model.orders]

    def teardown(self) -> None:
        if not hasattr(self, "desk"):
            return
        check_account(self.desk.account)
        archive_account(account=self.desk.account)
        check_account(self.desk.account)
        assert not Order.objects.filter(IS_OPEN, account=self.desk.account).exists()
        with pytest.raises(Conflict, match="archived"):
            submit(account=self.desk.account, payload={**ANY_ORDER, "client_order_id": "too late"})

    def stored(self) -> list[Order]:
        return list(Order.objects.filter(book=self.desk.book).order_by("number"))


def cents(value: int | None) -> str:
    return "-" if value is None else f"{value // 100}.{value % 100:02d}"


@pytest.mark.django_db
def test_trading_days_by_chance(market_kit: MarketKit) -> None:
    KIT["market"] = market_kit
    run_state_machine_as_test(
        TradingDays,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            phases=PHASES,
        ),
    )
