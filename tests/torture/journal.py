"""Bots that trade through every fault, and what they were promised: the journal that the books are held against.

A bot that gets no answer sends the same order with the same client_order_id until it gets one. The journal is the bots' own
memory; `Journal.check` reads the database's rows and judges them by the recording, with nothing of the project's own code.
"""

import http.client
import json
import random
import threading
import time
import urllib.error
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg

from tests.stack.server import Server
from tests.torture.market import EVERY, SYMBOLS, ask, bid

CASH = Decimal(1_000_000)
PATIENCE_SECONDS = 60
RETRY_SECONDS = 0.2
PAUSE_SECONDS = 0.15
# The last session within 90 days of the date in New York: a long weekend may lie before it, and a night after it.
GTC_ENDS_AFTER, GTC_ENDED_BY = timedelta(days=86), timedelta(days=92)
MAY_BE_REPEATED = {502, 503, 504}

# While some quotes of an instant are put and others are not, the clock has rows of it; while an open or a close is done in
# its chunks, the clock has not come to it.
_DONE_THROUGH = """
    SELECT CASE WHEN through_book IS NULL THEN through ELSE through - interval '1 microsecond' END,
           greatest(through, (SELECT max(at) FROM orders_sessionrun))
    FROM marketdata_marketclock
"""

_ORDERS = """
    SELECT o.client_order_id, o.id::text, o.account_id::text, o.symbol, o.side, o.type, o.time_in_force, o.status, o.submitted_at, s.open, s.close,
           array_agg(f.price ORDER BY f.seq) FILTER (WHERE f.id IS NOT NULL),
           array_agg(f.qty ORDER BY f.seq) FILTER (WHERE f.id IS NOT NULL),
           array_agg(f.created_at ORDER BY f.seq) FILTER (WHERE f.id IS NOT NULL),
           array_agg(q.quoted_at ORDER BY f.seq) FILTER (WHERE f.id IS NOT NULL)
    FROM orders_order o JOIN marketdata_tradingsession s ON s.date = o.session_date
    LEFT JOIN orders_fill f ON f.order_id = o.id LEFT JOIN marketdata_quoterecord q ON q.id = f.quote_id
    GROUP BY o.id, s.date
"""


@dataclass
class Journal:
    """Every order that was sent, and the order ids of those that were acknowledged, by client_order_id."""

    sent: set[str] = field(default_factory=set, repr=False)
    acknowledged: dict[str, str] = field(default_factory=dict, repr=False)
    repeated: int = 0
    refused: list[str] = field(default_factory=list)

    def check(self, database: psycopg.Connection) -> None:
        """Nothing lost, nothing doubled, every fill the one that the recording asks for."""
        assert not self.refused, self.refused
        through, begun = database.execute(_DONE_THROUGH).fetchone() or (None, None)
        rows = database.execute(_ORDERS).fetchall()
        stored = {row[0]: row[1] for row in rows}
        assert len(stored) == len(rows), "an order was stored twice"
        lost = [name for name, order_id in self.acknowledged.items() if stored.get(name) != order_id]
        assert not lost, f"{len(lost)} orders were acknowledged and are not stored so, such as {lost[:3]}"
        assert stored.keys() <= self.sent, "an order that nobody sent"
        spent: dict[str, Decimal] = defaultdict(Decimal)
        for row in rows:
            name, _, account, symbol, side, kind, lives, status, sent_at, opens, closes, *fills = row
            order = Seen(
                name, symbol, side, kind, lives, status, sent_at, opens, closes, *(column or [] for column in fills)
            )
            try:
                order.check(through, begun)
            except AssertionError:
                _tell(database, row[1])
                raise
            spent[account] += sum(order.prices) * (1 if side == "buy" else -1)
        for account, cash in database.execute("SELECT account_id::text, cash FROM portfolio_book").fetchall():
            assert cash == CASH - spent[account], f"{account} has {cash}, its fills leave {CASH - spent[account]}"


def _tell(database: psycopg.Connection, order_id: str) -> None:
    """Print what happened to an order, and to the market around it."""
    for statement in (
        f"SELECT seq, type, at, recorded_at, reason FROM portfolio_accountevent WHERE order_id = '{order_id}' ORDER BY seq",
        "SELECT id, kind, at, created_at, finished_at FROM orders_sessionrun ORDER BY id DESC LIMIT 3",
        "SELECT through, through_book, anchor_at, anchor_wall FROM marketdata_marketclock",
    ):
        for row in database.execute(statement).fetchall():
            print(*row)


@dataclass
class Seen:
    """An order as it is stored, of one share."""

    name: str
    symbol: str
    side: str
    kind: str
    lives: str
    status: str
    sent_at: datetime
    opens: datetime
    closes: datetime
    prices: list[Decimal]
    quantities: list[Decimal]
    filled_at: list[datetime]
    quoted_at: list[datetime]

    def check(self, through: datetime, begun: datetime) -> None:
        """Judge it, given up to when the market has been moved, and the latest instant that was begun."""
        assert self.quantities == ([Decimal(1)] if self.status == "filled" else []), self
        if self.status == "filled":
            self._check_fill()
        elif self.status == "rejected":
            assert self.side == "sell", self  # a bot may sell what it does not have
        elif self.lives == "gtc":  # all of these are far from the market
            assert (
                through - self.sent_at > GTC_ENDS_AFTER
                if self.status == "expired"
                else through - self.sent_at < GTC_ENDED_BY
            )
        elif self.kind == "limit":  # these too
            assert begun >= self.closes if self.status == "expired" else through < self.closes, self
        else:
            self._check_unfilled(through)

    def _check_fill(self) -> None:
        assert self.kind == "market", self
        (price,), (at,), (stamped,) = self.prices, self.filled_at, self.quoted_at
        assert price == (ask if self.side == "buy" else bid)(self.symbol, stamped), self
        if self.sent_at < self.opens:
            assert at == stamped == self.opens, self
        else:
            assert max(self.sent_at, self.opens) <= at < self.closes, self
            assert at - self.sent_at <= EVERY and at - stamped < 2 * EVERY, self

    def _check_unfilled(self, through: datetime) -> None:
        """A market order waits for the open, or for the next quote; only one after the last quote may end without a fill."""
        if self.status == "expired":
            assert self.sent_at >= self.closes - EVERY, self
        elif self.sent_at < self.opens:
            assert through < self.opens, f"not decided at its open: {self}"
        else:
            assert through < min(self.sent_at + EVERY, self.closes), f"no quote was put to it: {self}"


class Bots:
    """Threads that trade on an account each until stopped; `pause` waits until each has its answer."""

    def __init__(self, server: Server, journal: Journal, count: int, seed: int) -> None:
        self._server, self._journal = server, journal
        self._going, self._stopping = threading.Event(), threading.Event()
        self._busy = [threading.Lock() for _ in range(count)]
        self._threads = [
            threading.Thread(target=self._trade, args=(number, random.Random(f"{seed}/{number}")), daemon=True)
            for number in range(count)
        ]
        self.accounts = [open_account(server) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def go(self) -> None:
        self._going.set()

    def pause(self) -> None:
        self._going.clear()
        for lock in self._busy:
            assert lock.acquire(timeout=PATIENCE_SECONDS), "a bot waits for an answer in vain"
            lock.release()

    def stop(self) -> None:
        self._stopping.set()
        self._going.set()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)

    def _trade(self, bot: int, chance: random.Random) -> None:
        number = 0
        while not self._stopping.is_set():
            self._going.wait()
            with self._busy[bot]:
                if self._going.is_set() and not self._stopping.is_set():
                    number += 1
                    send(self._server, self._journal, self.accounts[bot], f"torture-{bot}-{number}", any_order(chance))
            time.sleep(PAUSE_SECONDS)


def any_order(chance: random.Random) -> dict[str, str]:
    """A day order of one share: mostly a market buy."""
    order = {
        "symbol": chance.choice(list(SYMBOLS)),
        "qty": "1",
        "side": "buy",
        "type": "market",
        "time_in_force": "day",
    }
    kind = chance.random()
    if kind < 0.2:
        return {**order, "side": "sell"}
    if kind < 0.35:
        return {**order, "type": "limit", "limit_price": "5"}
    return order


def open_account(server: Server) -> str:
    """The id of a funded account."""
    return server.call("POST", "/paper/accounts/", {"initial_cash": str(CASH)})["account"]["id"]


def send(server: Server, journal: Journal, account: str, name: str, order: dict[str, Any]) -> None:
    """Send an order until it is acknowledged. An answer that a bot cannot make sense of is kept as `refused`."""
    journal.sent.add(name)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            answer = server.call("POST", f"/paper/accounts/{account}/orders/", {**order, "client_order_id": name})
        except urllib.error.HTTPError as error:
            said = error.read()
            # Whether it was stored is not known where the database went at the commit: the same id finds out.
            if error.code not in MAY_BE_REPEATED and b'"outcome_unknown"' not in said:
                journal.refused.append(f"{name}: {error.code} {said[:500]!r}")
                return
        except (urllib.error.URLError, OSError, http.client.HTTPException, json.JSONDecodeError):
            pass
        else:
            journal.acknowledged[name] = answer["id"]
            return
        journal.repeated += 1
        time.sleep(RETRY_SECONDS)
    journal.refused.append(f"{name}: no answer for {PATIENCE_SECONDS} s")
