"""Whole trading days by chance, against a small model that shares no code with the engine.

Hypothesis makes up a recording of one stock over two sessions, with several quotes at one instant, on whole minutes too, and sides
that go missing; then it submits, retries, cancels, advances, crashes on the way, resets and archives. The model below keeps the same
books in whole cents. After each step the two must agree on cash, holds, position, equity, its peak and deepest drawdown, and on every
order and why it has not filled; at the end of a generation on what it was worth at every instant; and every invariant of
trading-rules.md section 7 must hold (tests/invariants.py).
"""

import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
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
from portfolio.models import Book, EquitySnapshot
from portfolio.selectors import summary
from tests.desk import Desk
from tests.factories import UserFactory
from tests.invariants import check_account
from tests.market_kit import NEXT_DAY, MarketKit, at

OPENS = [at("13:30:00"), at("13:30:00", NEXT_DAY)]
CLOSES = [at("20:00:00"), at("20:00:00", NEXT_DAY)]
START = OPENS[0] - timedelta(seconds=4)
MINUTES = {opens + timedelta(minutes=minute) for opens in OPENS for minute in range(391)}  # to the close
END = CLOSES[1] + timedelta(hours=1)
CRASHES = ["keep_marks", "snapshot_books", "held_symbols", "raw_cursor"]  # what the market's mover calls on its way
MAX_AGE, MINUTE = timedelta(seconds=15), timedelta(minutes=1)
FAULTS = ("quote_missing", "quote_invalid", "quote_stale", "quote_crossed")
CASH = 500_000  # cents
# More of them, and a failure made small, which takes minutes: TRADING_DAYS=1000 pytest tests/portfolio/test_trading_days.py
EXAMPLES = int(os.environ.get("TRADING_DAYS", "15"))
PHASES = (Phase.generate, Phase.shrink) if "TRADING_DAYS" in os.environ else (Phase.generate,)


# A displayed supply: a price, and since which stamp it stands. One that leaves and returns within a stamp is one supply.
Supply = tuple[int | None, datetime]


@dataclass
class ModelOrder:
    side: str
    left: int
    limit: int | None
    expires: datetime | None
    status: str = "accepted"
    filled: int = 0
    hold: int = 0
    why: str = ""

    @property
    def open(self) -> bool:
        return self.status in ("accepted", "new", "partially_filled")

    def end(self, status: str) -> None:
        self.status, self.hold, self.why = status, 0, ""


@dataclass
class ModelQuote:
    at: datetime
    bid: int | None
    ask: int | None
    bid_size: int
    ask_size: int

    @property
    def whole(self) -> bool:
        return self.bid is not None and self.ask is not None

    @property
    def good(self) -> bool:
        return self.whole and self.bid <= self.ask


@dataclass
class Model:
    """One account and one stock, whole shares and whole cents."""

    quotes: list[ModelQuote]
    now: datetime = START
    cash: int = CASH
    shares: int = 0
    orders: list[ModelOrder] = field(default_factory=list)
    latest: ModelQuote | None = None
    stands: dict[str, Supply] = field(default_factory=lambda: {"buy": (None, START), "sell": (None, START)})
    taken: Counter[tuple[str, Supply]] = field(default_factory=Counter)
    next_quote: int = 0
    mark: int = 0
    peak: int = CASH
    deepest: Decimal = Decimal(0)
    worth: dict[datetime, int] = field(default_factory=lambda: {START: CASH})

    @property
    def held(self) -> int:
        return sum(order.hold for order in self.orders if order.open and order.side == "buy")

    @property
    def equity(self) -> int:
        return self.cash + self.shares * self.mark

    def snapshot(self) -> None:
        self.worth[self.now] = self.equity
        self.peak = max(self.peak, self.equity)
        self.deepest = max(self.deepest, round(Decimal(self.peak - self.equity) / self.peak, 6))

    def reset(self) -> None:
        """A generation of its own: nothing was taken of the prices that stand."""
        self.cash, self.shares, self.orders, self.taken = CASH, 0, [], Counter()
        self.peak, self.deepest, self.worth = CASH, Decimal(0), {self.now: CASH}

    def session_open(self) -> datetime | None:
        return next((o for o, c in zip(OPENS, CLOSES, strict=True) if o <= self.now < c), None)

    def take(self, quote: ModelQuote) -> None:
        for side, price in (("buy", quote.ask), ("sell", quote.bid)):
            if price is not None and price != self.stands[side][0]:  # a side that is missing stands where it stood
                self.stands[side] = (price, quote.at)
        self.latest = quote
        if self.session_open() and quote.good:
            self.mark = quote.bid

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
        if order.status == "accepted":
            order.status = "new"
        quote, price, size = self.latest, 0, 0
        order.why = self.fault()
        if order.why:
            return
        price = quote.ask if order.side == "buy" else quote.bid
        size = quote.ask_size if order.side == "buy" else quote.bid_size
        qty = min(order.left, size - self.taken[order.side, self.stands[order.side]])
        if order.limit is not None and (price > order.limit if order.side == "buy" else price < order.limit):
            order.why = "not_marketable"
        elif qty <= 0:
            order.why = "no_displayed_size"
        elif order.side == "buy" and qty * price > self.cash - self.held + order.hold:
            order.end("canceled" if order.filled else "rejected")
        else:
            self.fill(order, qty, price)

    def fault(self) -> str:
        """Guards 2 to 5."""
        quote = self.latest
        if quote is None:
            return "quote_missing"
        if not quote.whole:
            return "quote_invalid"
        if self.now - quote.at > MAX_AGE or quote.at < self.session_open():
            return "quote_stale"
        return "" if quote.good else "quote_crossed"

    def fill(self, order: ModelOrder, qty: int, price: int) -> None:
        self.taken[order.side, self.stands[order.side]] += qty
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
        self.snapshot()

    def advance(self, to: datetime) -> None:
        moments = sorted({*(q.at for q in self.quotes), *MINUTES})
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
                        order.end("expired")
            if moment in OPENS:
                for order in self.orders:
                    if order.open:
                        self.evaluate(order)
            if moment in MINUTES and self.shares:
                self.snapshot()
        self.now = to

    def put_latest(self) -> None:
        quote = self.latest
        for order in [order for order in self.orders if order.open]:
            price = quote.ask if order.side == "buy" else quote.bid
            reached = order.limit is None or (
                price is not None and (price <= order.limit if order.side == "buy" else price >= order.limit)
            )
            # A quote's fault on file is looked at once more, so that the reason becomes the market's.
            if order.open and (reached or (order.why in FAULTS and quote.good)):
                self.evaluate(order)


# Few prices, so that they stand, lock and cross; most quotes are good, and one side or both may be missing.
PRICES = [9_999, 10_000, 10_001]
PAIRS = [(bid, ask) for bid in PRICES for ask in PRICES if bid <= ask] * 5
PAIRS += [(bid, ask) for bid in PRICES for ask in PRICES if bid > ask]
PAIRS += [(bid, ask) for bid in [*PRICES, None] for ask in [*PRICES, None] if None in (bid, ask)]
# Bursts of quotes around the first open, the close and the next open: there things happen. Up to three at one instant, a few
# seconds after the one before, or on the next whole minute, when a snapshot is due.
BURSTS = (-3, 23_280, 86_397)
SECONDS = st.sampled_from([20, 1, 5, 60])
RARELY = st.sampled_from([*[False] * 4, True, *[False] * 3])
LIMITS = st.sampled_from([None, *PRICES])
ORDERS = st.lists(
    st.tuples(st.sampled_from(["buy", "buy", "sell"]), st.integers(1, 9), LIMITS, st.booleans(), RARELY),
    min_size=1,
    max_size=3,
)
KIT: dict[str, MarketKit] = {}

ANY_ORDER = {"symbol": "IBM", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}


class Crash(Exception):
    """The end of a process, as far as a test in one process can have it."""


class TradingDays(RuleBasedStateMachine):
    # By its seed, and not as a strategy of its own: Hypothesis prefers what is simple, and a dull day finds nothing.
    @initialize(seed=st.integers(0, 2**32))
    def start(self, seed: int) -> None:
        chance, made = Random(seed), []
        for second in BURSTS:
            for _ in range(chance.randint(8, 15)):
                on_the_minute = chance.random() < 0.5
                second = (second // 60 + 1) * 60 if on_the_minute else second + chance.choice([1, 2, 5])
                for _ in range(chance.randint(1 + on_the_minute, 3)):
                    bid, ask = chance.choice(PAIRS)
                    sizes = (chance.randint(1, 4) if bid else 0, chance.randint(1, 4) if ask else 0)
                    made.append(ModelQuote(OPENS[0] + timedelta(seconds=second), bid, ask, *sizes))
        self.model = Model(made)
        lines = [f"{q.at:%Y-%m-%dT%H:%M:%SZ} IBM {cents(q.bid)} {cents(q.ask)} {q.bid_size} {q.ask_size}" for q in made]
        KIT["market"].play(*lines, start=START.strftime("%Y-%m-%dT%H:%M:%SZ"))
        self.desk = Desk(UserFactory(), initial_cash=cents(CASH))
        self.sent = 0

    @rule(orders=ORDERS, pause=st.integers(0, 4))
    def submit(self, orders: list[tuple[str, int, int | None, bool, bool]], pause: int) -> None:
        self.advance(pause)
        for side, qty, limit, gtc, again in orders:
            self.sent += 1
            order = {
                "symbol": "IBM",
                "qty": str(qty),
                "side": side,
                "time_in_force": "gtc" if gtc else "day",
                "client_order_id": str(self.sent),
                "type": "limit" if limit else "market",
            }
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
        self.model.orders[number].end("canceled")

    @rule(seconds=SECONDS, crash=st.sampled_from([*[None] * 4, *CRASHES]))
    def wait(self, seconds: int, crash: str | None) -> None:
        if crash:
            self.crash_while_advancing(seconds, crash)
        self.advance(seconds)

    @rule(sure=RARELY)
    def go_on_to_the_next_burst(self, sure: bool) -> None:
        begins = (OPENS[0] + timedelta(seconds=second) for second in BURSTS)
        following = next((begin for begin in begins if begin > self.model.now), None)
        if sure and following:
            self.advance((following - self.model.now).seconds)

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
        ended = self.desk.book
        self.desk.reset()
        self.agree_on_every_instant(ended)
        self.model.reset()

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "desk"):
            return
        book, model = self.desk.book, self.model
        assert (book.cash, book.held_cash) == (Decimal(cents(model.cash)), Decimal(cents(model.held)))
        assert sum(place.qty for place in book.positions.all()) == model.shares
        assert summary(book=book).equity == Decimal(cents(model.equity))
        assert (book.peak_equity, book.max_drawdown) == (Decimal(cents(model.peak)), model.deepest)
        mine = [(order.status, order.filled_qty, order.no_fill_reason) for order in self.stored()]
        assert mine == [(order.status, order.filled, order.why) for order in model.orders]

    def agree_on_every_instant(self, ended: Book) -> None:
        """What a generation was worth at its end and whenever it was looked at before; of one instant the last counts."""
        self.model.snapshot()
        stored = dict(EquitySnapshot.objects.filter(book=ended).order_by("at", "id").values_list("at", "equity"))
        assert stored == {when: Decimal(cents(equity)) for when, equity in self.model.worth.items()}

    def teardown(self) -> None:
        if not hasattr(self, "desk"):
            return
        check_account(self.desk.account)
        archive_account(account=self.desk.account)
        self.agree_on_every_instant(self.desk.book)
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
            stateful_step_count=35,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            phases=PHASES,
        ),
    )
