"""P1, P7 and P11 of docs/performance.md: what an order costs, over HTTP and in a table of a million."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from accounts.models import PaperAccount
from accounts.services import issue_key
from benchmarks import data, floor
from benchmarks.figures import Figure, say
from benchmarks.market import simulated
from orders import services
from orders.models import Order
from papertrade.lib.postgres import raw_cursor
from papertrade.trading.accounts import open_account

P1_ORDERS, P1_CLIENTS, P1_SECONDS = 300, 4, 10
P7_ORDERS, P7_CALLS, P7_TURN = 1_000_000, 300, 100


def p1() -> list[Figure]:
    """POST order over HTTP, filled at once: 4 clients, 4 accounts, 2 web workers, all on this machine."""
    with floor.connect() as plain:
        f1 = floor.f1(plain, P1_ORDERS)
    simulated(seconds_after_open=60)
    token = issue_key(user=data.user(), name="bench", scopes=["paper"])[1]
    with _web() as port:
        rate, p50, p95, filled = _clients(port, token)
    say(f"F1 {f1:.0f} orders/s, over HTTP {rate:.0f}/s, p50 {p50 * 1000:.1f} ms, p95 {p95 * 1000:.1f} ms")
    return [
        Figure("P1", f"POST order, {filled:.0%} filled", f"{rate / f1:.2f} x F1", ">= 0.8", rate >= 0.8 * f1),
        Figure("P1", "p95 of p50", f"{p95 / p50:.2f}", "<= 3", p95 <= 3 * p50),
    ]


@contextmanager
def _web() -> Iterator[int]:
    """A web server with two workers; its port."""
    port = 18_000 + os.getpid() % 1000
    web = subprocess.Popen(
        [sys.executable, "-m", "papertrade.web"],
        env={**os.environ, "PAPERTRADE_PORT": str(port), "PAPERTRADE_WEB_WORKERS": "2"},
    )
    try:
        yield port
    finally:
        web.terminate()
        web.wait()


def _clients(port: int, token: str, way: str = "paper") -> tuple[float, float, float, float]:
    """Orders a second, p50 and p95 in seconds, and the share of orders that filled; on accounts of their own.

    Time stands still, so that what an account has taken of the one quote grows: nobody begins with what others left.
    """
    user, policy = data.user(), {"stock_quote_max_age_seconds": 3600}
    accounts = [open_account(user=user, initial_cash="1000000000", policy=policy) for _ in range(P1_CLIENTS)]
    ids = [str(account.pk) for account in accounts]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.client", way, str(port), token, str(P1_SECONDS), *ids],
        capture_output=True,
        text=True,
        check=True,
    )
    seen = json.loads(done.stdout)
    times = sorted(seen["latencies"])
    filled = seen["filled"] / len(times)
    return len(times) / P1_SECONDS, times[len(times) // 2], times[int(len(times) * 0.95)], filled


def p11() -> list[Figure]:
    """A submit through Alpaca's API against our own: the two in turn on one server, neither always the first."""
    simulated(seconds_after_open=60)
    token = issue_key(user=data.user(), name="bench", scopes=["paper"])[1]
    rates: dict[str, list[float]] = {"paper": [], "alpaca": []}
    with _web() as port:
        for way in ("paper", "alpaca", "alpaca", "paper"):
            rate, *_, filled = _clients(port, token, way)
            if filled < 1:
                raise AssertionError(f"{filled:.0%} filled")
            rates[way].append(rate)
    own, theirs = (statistics.mean(rates[way]) for way in ("paper", "alpaca"))
    say(f"{own:.0f} orders/s by our own API, {theirs:.0f}/s by Alpaca's")
    ratio = own / theirs
    return [Figure("P11", "submit through Alpaca's API", f"{ratio:.2f} x the time", "<= 1.1", ratio <= 1.1)]


def p7() -> list[Figure]:
    """A submit's latency with 1,000,000 orders in the table against an empty one, the two in turn."""
    simulated(seconds_after_open=60)
    books = data.open_books(2)
    alone, crowded = (PaperAccount.objects.get(books=book) for book in books)
    _latencies(alone, P7_TURN)
    turns: list[tuple[float, float]] = []
    for _ in range(P7_CALLS // P7_TURN):
        add_orders(books[1], P7_ORDERS)
        full = _latencies(crowded, P7_TURN)
        remove_copies(books[1])
        turns.append((_latencies(alone, P7_TURN), full))
    empty, full = (statistics.median(side) for side in zip(*turns, strict=True))
    ratio = statistics.median(full / empty for empty, full in turns)
    say(f"submit takes {empty * 1000:.2f} ms with an empty table, {full * 1000:.2f} ms with 1,000,000 orders in it")
    return [Figure("P7", "submit with 1,000,000 orders there", f"{ratio:.2f} x", "<= 1.3", ratio <= 1.3)]


def remove_copies(book_id: int) -> None:
    """The orders that `add_orders` made, and what they leave in the table."""
    with raw_cursor() as cursor:
        cursor.execute("ALTER TABLE orders_order DISABLE TRIGGER USER")
        cursor.execute("DELETE FROM orders_order WHERE book_id = %s AND client_order_id LIKE 'copy-%%'", [book_id])
        cursor.execute("ALTER TABLE orders_order ENABLE TRIGGER USER")
        cursor.execute("VACUUM FULL ANALYZE orders_order")


def _latencies(account: PaperAccount, calls: int) -> float:
    """Median seconds of a submit that fills at once."""
    times = []
    for _ in range(calls):
        started = time.perf_counter()
        services.submit(
            account=account,
            payload={"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"},
        )
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def add_orders(book_id: int, count: int) -> None:
    """Copies of one canceled order, by the database itself."""
    account = PaperAccount.objects.get(books=book_id)
    order = services.submit(
        account=account,
        payload={
            "symbol": "AAPL",
            "qty": "1",
            "side": "buy",
            "type": "limit",
            "limit_price": "1",
            "time_in_force": "day",
        },
    ).order
    services.cancel(account=account, order_id=order.pk)
    columns = [column.attname for column in Order._meta.concrete_fields]
    changed = {"id": "gen_random_uuid()", "number": "o.number + n", "client_order_id": "'copy-' || n"}
    with raw_cursor() as cursor:
        cursor.execute(
            f"INSERT INTO orders_order ({', '.join(columns)}) "
            f"SELECT {', '.join(changed.get(name, f'o.{name}') for name in columns)} "
            "FROM orders_order o, generate_series(1, %s) AS n WHERE o.id = %s",
            [count, order.pk],
        )
        cursor.execute("UPDATE portfolio_book SET order_seq = order_seq + %s WHERE id = %s", [count, book_id])
        cursor.execute("ANALYZE orders_order")
