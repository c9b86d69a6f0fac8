"""P10: lists and pages at 1,000,000 orders (benchmarks.admin makes them), as an operator, a person and a bot ask for them.

Of each list of the admin the slowest of its pages is shown, by its p50.
"""

import os
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import psycopg
from django.test import Client
from django.urls import reverse

from benchmarks import admin, data
from benchmarks.figures import Figure, say

ACCOUNTS, SNAPSHOTS = 20, 1_000_000  # of one user
PAGE_ROWS = 500
PAGE_BAR_MS, ROWS_BAR_MS = 100.0, 200.0
WAIT_BAR_MS, WRITER_SECONDS = 250.0, 0.005
CALLS = 9

_SHARE_OUT = "UPDATE accounts_paperaccount SET user_id = %s, status = 'active', archived_at = NULL WHERE id = ANY(%s)"
# A minute a row, one account after the other, back from the last snapshot that each has.
_SNAPSHOTS = """
    INSERT INTO portfolio_equitysnapshot (book_id, at, equity, cash, market_value, realized_pl, unrealized_pl, drawdown)
    SELECT b.id, %(until)s - n * interval '1 minute', 100000 + n %% 97, 98999, 1001 + n %% 97, 0, n %% 97, 0
    FROM generate_series(%(each)s, 1, -1) n, unnest(%(books)s::bigint[]) AS b (id) ORDER BY n DESC, b.id
"""


_ONE_SNAPSHOT = """
    INSERT INTO portfolio_equitysnapshot (book_id, at, equity, cash, market_value, realized_pl, unrealized_pl, drawdown)
    VALUES (%s, %s, 100000, 100000, 0, 0, 0, 0)
"""


def p10() -> list[Figure]:
    """Pages of dashboard, admin and API at 1,000,000 orders, 3,000,000 events and 2,000,000 snapshots."""
    from benchmarks.market import simulated

    simulated(seconds_after_open=60)
    admin.make_rows()
    figures = [*_start_page(), *_api_pages(), *_admin_lists()]
    say(f"load {os.getloadavg()[0]:.2f} at the end")
    return figures


def _figure(what: str, milliseconds: float, bar: float) -> Figure:
    return Figure("P10", what, f"{milliseconds:.0f} ms", f"<= {bar:.0f} ms", milliseconds <= bar)


def _p50(call: Callable[[], Any]) -> float:
    """Milliseconds of the middle one of some calls, after one that fills caches."""
    times = []
    for _ in range(CALLS + 1):
        started = time.perf_counter()
        answer = call()
        times.append(1000 * (time.perf_counter() - started))
        if answer.status_code != 200:
            raise AssertionError(answer)
    return statistics.median(times[1:])


def _start_page() -> list[Figure]:
    """The cards of a user whose accounts have a million snapshots, figures and sparklines included; and what a writer of the
    month in progress waits for while all of them are moved into months.
    """
    from django.db import connection

    from accounts.models import User
    from marketdata import clock
    from portfolio.models import Book, EquitySnapshot
    from portfolio.retention import make_months, rows_outside

    owner = User.objects.create_user("bench twenty", password="bench twenty 1")
    books = list(Book.objects.order_by("pk")[1 : ACCOUNTS + 1])
    with connection.cursor() as cursor:
        cursor.execute(_SHARE_OUT, [owner.pk, [book.account_id for book in books]])
        until = clock.read().now - timedelta(days=1)
        say(f"{SNAPSHOTS:,} more snapshots")
        each = SNAPSHOTS // ACCOUNTS
        cursor.execute(_SNAPSHOTS, {"until": until, "each": each, "books": [book.pk for book in books]})
        cursor.execute(
            "UPDATE accounts_generation SET opened_at = %s WHERE account_id = ANY(%s)",
            [until - each * timedelta(minutes=1), [book.account_id for book in books]],
        )
        cursor.execute("SELECT portfolio_make_snapshot_month(%s)", [clock.read().now.date().replace(day=1)])
    rows = EquitySnapshot.objects.count()
    with _writing(books[0].pk, at=clock.read().now) as waits:
        say(f"{make_months(at=clock.read().now)} months of {rows:,} snapshots")
    if rows_outside() or EquitySnapshot.objects.count() != rows + len(waits):
        raise AssertionError("snapshots were lost on their way into months")
    with connection.cursor() as cursor:
        cursor.execute(
            "VACUUM ANALYZE portfolio_equitysnapshot"
        )  # as autovacuum does a minute after so many were moved
    client = Client(headers={"host": "localhost"})
    client.force_login(owner)
    return [
        _figure(f"start page of {ACCOUNTS} accounts", _p50(lambda: client.get("/")), PAGE_BAR_MS),
        _figure(f"longest wait of {len(waits):,} writers beside a month in the making", 1000 * max(waits), WAIT_BAR_MS),
    ]


@contextmanager
def _writing(book_id: int, *, at: datetime) -> Iterator[list[float]]:
    """Somebody keeps writing snapshots of that instant; how long each took, in seconds."""
    waits: list[float] = []
    over = threading.Event()

    def write() -> None:
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as session:
            while not over.wait(WRITER_SECONDS):
                started = time.perf_counter()
                session.execute(_ONE_SNAPSHOT, [book_id, at])
                waits.append(time.perf_counter() - started)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        yield waits
    finally:
        over.set()
        writer.join()


def _api_pages() -> list[Figure]:
    """Pages of the account that has 50,000 orders."""
    from accounts.services import issue_key
    from portfolio.models import Book

    account = Book.objects.get(pk=1).account_id
    call = Client(
        headers={"Authorization": "Bearer " + issue_key(user=data.user(), name="p10", scopes=["paper"])[1]},
        SERVER_NAME="127.0.0.1",
    )
    figures = []
    for kind in ("fills", "orders", "events"):
        address = f"/v1/paper/accounts/{account}/{kind}/?limit={PAGE_ROWS}"
        if len(call.get(address).json()["results"]) != PAGE_ROWS:
            raise AssertionError(f"{kind}: not {PAGE_ROWS} rows")
        figures.append(_figure(f"{PAGE_ROWS} {kind} of the API", _p50(lambda at=address: call.get(at)), ROWS_BAR_MS))
    return figures


def _admin_lists() -> list[Figure]:
    """Of each list its slowest page."""
    from accounts.models import User

    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("bench admin", password="bench admin 1"))
    figures = []
    for name, pages in admin.trials().items():
        address = reverse(f"admin:{name}_changelist")
        times = {what: _p50(lambda at=address, query=query: client.get(at, query)) for what, query in pages}
        slowest = max(times, key=lambda what: times[what])
        say(f"{name}: " + ", ".join(f"{what} {times[what]:.0f}" for what in times))
        figures.append(_figure(f"admin, {name}, {len(pages)} pages: {slowest}", times[slowest], PAGE_BAR_MS))
    return [*figures, _home(client), _searches(client)]


def _home(client: Client) -> Figure:
    """The admin's home page: what goes on, for whom, and how large the tables are."""
    return _figure("admin, home page", _p50(lambda: client.get(reverse("admin:index"))), PAGE_BAR_MS)


def _searches(client: Client) -> Figure:
    """The slowest search for an id, of those that exist and one that does not; each is one request, with what it leads to."""
    from orders.models import Fill, Order
    from portfolio.models import LedgerTransaction

    ids = {
        "an order": Order.objects.earliest("pk").pk,
        "a client_order_id": "bench-4711",
        "a fill": Fill.objects.earliest("pk").pk,
        "a ledger transaction": LedgerTransaction.objects.earliest("pk").pk,
        "nothing": "no such thing",
    }
    address = reverse("admin:search")
    times = {what: _p50(lambda text=text: client.get(address, {"q": text}, follow=True)) for what, text in ids.items()}
    slowest = max(times, key=lambda what: times[what])
    say("searches: " + ", ".join(f"{what} {times[what]:.0f}" for what in times))
    return _figure(f"admin, search for {slowest}", times[slowest], PAGE_BAR_MS)
