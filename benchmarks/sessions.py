"""P9 of docs/performance.md: one advance over many sessions with one position held, and its snapshots as plain SQL."""

import os
import time
from datetime import timedelta
from itertools import islice

import psycopg

from accounts.models import PaperAccount
from benchmarks import data, floor
from benchmarks.figures import Figure, say
from benchmarks.market import simulated
from marketdata import clock
from marketdata.sessions import Session, calendar
from orders import services
from papertrade.trading.clock import advance
from portfolio.models import EquitySnapshot

SESSIONS = int(os.environ.get("P9_SESSIONS", "63"))
MINUTE = timedelta(minutes=1)
BAR = 0.3

_SNAPSHOT = """
    INSERT INTO floor_snapshot (book_id, at, equity, cash, market_value, realized_pl, unrealized_pl, drawdown)
    SELECT b.id, %s, b.cash + sum(p.qty * p.mark_price), b.cash, sum(p.qty * p.mark_price), b.realized_pl,
           sum(p.qty * p.mark_price - p.cost_basis), 1 - (b.cash + sum(p.qty * p.mark_price)) / b.peak_equity
    FROM floor_book b JOIN floor_position p ON p.book_id = b.id WHERE b.id = %s GROUP BY b.id
"""


def p9() -> list[Figure]:
    """One advance over 63 sessions with one position held, against their minute snapshots as plain SQL."""
    simulated(seconds_after_open=60)
    book_id = data.open_books(1)[0]
    order = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}
    services.submit(account=PaperAccount.objects.get(books=book_id), payload=order)
    now = clock.read().now
    days = [day for day in calendar().sessions if day.open > now]
    days = list(islice(days, SESSIONS))
    with floor.connect() as plain:
        plain.autocommit = True
        minutes, seconds = _floor(plain, days)
    say(f"{minutes} snapshots as plain SQL in {seconds:.1f} s")
    advance(to=days[0].open - MINUTE)
    before = EquitySnapshot.objects.count()
    started = time.perf_counter()
    advance(to=days[-1].close)
    taken = time.perf_counter() - started
    made = EquitySnapshot.objects.count() - before
    if made < minutes:
        raise AssertionError(f"{made} snapshots of {minutes}")
    say(f"one advance over {len(days)} sessions in {taken:.1f} s, {made} snapshots")
    ratio = seconds / taken
    return [Figure("P9", f"advance over {len(days)} sessions", f"{ratio:.2f} x the floor", f">= {BAR}", ratio >= BAR)]


def _floor(connection: "psycopg.Connection[tuple[object, ...]]", days: list[Session]) -> tuple[int, float]:
    """How many minutes, and the seconds that their snapshots take: a statement and a commit each, on one connection."""
    floor.prepare(connection)
    book = floor.add_books(connection, 1)[0]
    with connection.cursor() as cursor:
        floor.add_position(cursor, book)
        minutes = [day.open + MINUTE * number for day in days for number in range((day.close - day.open) // MINUTE + 1)]
        started = time.perf_counter()
        for at in minutes:
            cursor.execute(_SNAPSHOT, [at, book.id])
        return len(minutes), time.perf_counter() - started
