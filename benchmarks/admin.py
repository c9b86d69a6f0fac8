"""`python -m benchmarks.admin`: lists of the admin on 1,000,000 orders and 3,000,000 events, p50 of each against 300 ms.

Rows are made by SQL, with their worst sides: a status, a symbol and an archived account of which only the oldest rows know, so
that a list which reads backwards until it has found a page would read everything. Ends with status 1 above the bar.
"""

import os
import re
import resource
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.figures import say
from benchmarks.run import prepare_django
from marketdata.markets.current import current_market

ORDERS = int(os.environ.get("BENCH_ADMIN_ORDERS", "1000000"))
EVENTS_PER_ORDER = 3
BOOKS = 10_000
BAR_MS = 300.0
REPEATS = 7
SYMBOLS = 100
ON_PAGE = re.compile(r"<span>(\d+) [a-z ]+ on this page")

# Of every ten orders of the older half one is the big account's, which is archived; the others are spread over all books.
BOOK_OF = f"CASE WHEN n % 10 = 0 AND n < {ORDERS} / 2 THEN 1 ELSE 2 + n % ({BOOKS} - 1) END"
FILL = f"""
INSERT INTO accounts_paperaccount (id, user_id, name, status, currency, created_at, updated_at, archived_at)
SELECT uuidv7(), %(user)s, 'bench ' || n, CASE WHEN n = 1 THEN 'archived' ELSE 'active' END, 'USD', now(), now(),
       CASE WHEN n = 1 THEN now() END FROM generate_series(1, {BOOKS}) n;
INSERT INTO accounts_generation (id, account_id, number, initial_cash, policy, feed, engine_version, opened_at, reason)
SELECT uuidv7(), id, 1, 100000, '{{}}', 'bench', '1', now(), '' FROM accounts_paperaccount ORDER BY id;
INSERT INTO portfolio_book (id, generation_id, generation_number, account_id, cash, held_cash, realized_pl, peak_equity,
    max_drawdown, closed_trades, winning_trades, order_seq, event_seq, ledger_seq, ledger_head, last_at)
OVERRIDING SYSTEM VALUE
SELECT row_number() OVER (ORDER BY id), id, 1, account_id, 100000, 0, 0, 100000, 0, 0, 0, 0, 0, 0, '', now()
FROM accounts_generation;
INSERT INTO marketdata_quoterecord (id, symbol, bid, ask, bid_size, ask_size, quoted_at, feed)
SELECT md5(n::text)::uuid, 'S' || n % {SYMBOLS}, 100, 100.1, 500, 300, timestamptz '2025-01-02 14:30Z' + n * interval '30 s',
       'bench'
FROM generate_series(0, {ORDERS} / 5 - 1) n;
INSERT INTO orders_order (id, account_id, book_id, number, client_order_id, symbol, asset_class, multiplier, side, type,
    time_in_force, position_intent, extended_hours, qty, status, filled_qty, exact_cost, booked, held_cash, held_qty,
    rejected_reason, cancel_reason, no_fill_reason, session_date, expires_at, submitted_at, updated_at, filled_at, quote_id)
SELECT uuidv7(), b.account_id, b.id, n, 'bench-' || n, CASE WHEN n <= 20 THEN 'RARE' ELSE 'S' || n % {SYMBOLS} END,
    'us_equity', 1, 'buy', 'market', 'day', '', false, 10, s, CASE WHEN s = 'filled' THEN 10 ELSE 0 END, 1001, 1001, 0, 0,
    CASE WHEN s = 'rejected' THEN 'insufficient_buying_power' ELSE '' END, '', '', at::date, at + interval '5 h', at, at,
    CASE WHEN s = 'filled' THEN at END, md5((n / 500 * 100 + n % 100)::text)::uuid
FROM (SELECT n, timestamptz '2025-01-02 14:30Z' + n * interval '6 s' AS at, {BOOK_OF} AS book,
             CASE WHEN n <= 1000 AND n % 2 = 0 THEN 'rejected' ELSE 'filled' END AS s
      FROM generate_series(1, {ORDERS} - 1) n) o JOIN portfolio_book b ON b.id = o.book ORDER BY n;
INSERT INTO portfolio_accountevent (account_id, book_id, seq, type, at, order_id, order_status, symbol, reason, quote_id)
SELECT account_id, book_id, number * {EVENTS_PER_ORDER} + step,
       (ARRAY['order_submitted', 'order_evaluated', 'order_filled'])[step + 1], submitted_at, id, status, symbol,
       CASE WHEN step = 1 THEN 'not_marketable' ELSE '' END, quote_id
FROM orders_order, generate_series(0, {EVENTS_PER_ORDER - 1}) step ORDER BY number, step;
INSERT INTO portfolio_ledgertransaction (id, book_id, sequence, kind, at, order_number, symbol, qty, price, quote_id,
    description, previous_hash, hash)
SELECT uuidv7(), book_id, number, 'buy', submitted_at, number, symbol, 10, 100.1, quote_id, '', repeat('0', 64), repeat('0', 64)
FROM orders_order WHERE status = 'filled' ORDER BY number;
INSERT INTO portfolio_ledgerentry (transaction_id, line, account, debit, credit)
SELECT id, line, CASE line WHEN 0 THEN 'securities' ELSE 'cash' END, CASE line WHEN 0 THEN 1001 ELSE 0 END,
       CASE line WHEN 0 THEN 0 ELSE 1001 END FROM portfolio_ledgertransaction, generate_series(0, 1) line;
INSERT INTO orders_fill (id, order_id, account_id, book_id, seq, symbol, asset_class, side, qty, price, gross_amount,
    realized_pl, quote_id, price_since, ledger_transaction_id, created_at)
SELECT uuidv7(), o.id, o.account_id, o.book_id, o.number * {EVENTS_PER_ORDER} + 2, o.symbol, 'us_equity', 'buy', 10, 100.1,
       1001, 0, o.quote_id, o.submitted_at, t.id, o.submitted_at
FROM orders_order o JOIN portfolio_ledgertransaction t ON t.book_id = o.book_id AND t.sequence = o.number ORDER BY o.number;
INSERT INTO portfolio_position (id, book_id, symbol, asset_class, multiplier, qty, held_qty, cost_basis, realized_pl, trade_pl,
    mark_price, mark_at, unsettled, updated_at)
SELECT uuidv7(), book_id, symbol, 'us_equity', 1, sum(qty), 0, sum(gross_amount), 0, 0, 100,
       max(created_at), false, max(created_at)
FROM orders_fill GROUP BY book_id, symbol;
INSERT INTO portfolio_equitysnapshot (book_id, at, equity, cash, market_value, realized_pl, unrealized_pl, drawdown)
SELECT book_id, created_at, 99999, 98999, 1000, 0, -1, 0.00001 FROM orders_fill ORDER BY seq;
"""
TABLES = [
    "accounts_paperaccount",
    "accounts_generation",
    "portfolio_book",
    "marketdata_quoterecord",
    "orders_order",
    "portfolio_accountevent",
    "portfolio_ledgertransaction",
    "portfolio_ledgerentry",
    "orders_fill",
    "portfolio_position",
    "portfolio_equitysnapshot",
]
GUARDED = [table for table in TABLES if table.startswith(("orders", "portfolio"))]


def make_rows() -> None:
    """A million orders with what belongs to them, and statistics as autovacuum keeps them."""
    from django.db import connection

    from benchmarks.data import user

    owner = user().pk
    with connection.cursor() as cursor:
        for table in GUARDED:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        for statement in filter(str.strip, FILL.split(";\n")):
            say(" ".join(statement.split()[:3]))
            cursor.execute(statement, {"user": owner} if "%(user)s" in statement else None)
        for table in TABLES:
            cursor.execute(f"VACUUM ANALYZE {table}")


def trials() -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """What is asked of each list: the query of each page, by name."""
    from marketdata.models import QuoteRecord
    from orders.models import Order
    from portfolio.models import AccountEvent, Book

    big, small = (str(Book.objects.get(pk=pk).account_id) for pk in (1, BOOKS // 2))
    old_quote = str(QuoteRecord.objects.filter(symbol="S1").earliest("quoted_at").pk)
    middle = Order.objects.filter(number__gte=ORDERS // 2).earliest("number")
    event = AccountEvent.objects.filter(pk__gte=ORDERS * EVENTS_PER_ORDER // 2).earliest("pk")
    scoped = [
        ("first page", {}),
        ("last page", {"p": "newer"}),
        ("the big archived account", {"account": big}),
        ("its last page", {"account": big, "p": "newer"}),
        ("a small account", {"account": small}),
    ]
    days = [("a day long ago", {"since": "2025-01-03", "until": "2025-01-03"}), ("before all", {"until": "2024-12-01"})]
    on_quote = ("on an old quote", {"symbol": "S1", "quote": old_quote})
    symbols = [("a common symbol", {"symbol": "S7"}), ("a rare, old symbol", {"symbol": "RARE"})]
    return {
        "orders_order": [
            *scoped, *days, *symbols, ("a page in the middle", {"p": f"older~{middle.pk}"}), ("by id", {"q": str(middle.pk)}),
            ("by client_order_id", {"q": "bench-4711"}), ("no such client_order_id", {"q": "no such thing"}),
            ("a rare, old status", {"status": "rejected"}), ("a status without rows", {"status": "expired"}),
            ("still open", {"status": "new"}), ("symbol and status", {"symbol": "S7", "status": "expired"}),
        ],
        "portfolio_accountevent": [
            *scoped, *days, *symbols, ("a page in the middle", {"p": f"older~{event.pk}"}),
            ("of an order", {"order_id": str(middle.pk)}), ("by order id", {"q": str(middle.pk)}),
            ("a type without rows", {"type": "position_settled"}),
            on_quote,
        ],
        "orders_fill": [*scoped, *days, *symbols, on_quote, ("of an order", {"order": middle.pk})],
        "portfolio_ledgertransaction": [*scoped, *days, *symbols, on_quote],
        "portfolio_equitysnapshot": [*scoped, *days],
        "portfolio_position": [*scoped, *days, *symbols],
        "marketdata_quoterecord": [*scoped[:2], *days, *symbols, ("by id", {"q": old_quote})],
        "accounts_paperaccount": [
            *scoped[:2], ("part of a name", {"q": "bench 99"}), ("archived", {"status": "archived"}),
        ],
        "accounts_generation": scoped,
    }  # fmt: skip


def measure() -> bool:
    """Ask for every page as a signed-in superuser, print p50 and the best; whether all are within the bar."""
    from django.test import Client
    from django.urls import reverse

    from accounts.models import User

    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.create_superuser("bench admin", password="bench admin 1"))
    fine = True
    print(
        f"load {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores, {ORDERS:,} orders, {ORDERS * EVENTS_PER_ORDER:,} events"
    )
    for name, pages in trials().items():
        address = reverse(f"admin:{name}_changelist")
        for what, query in pages:
            times = []
            for _ in range(REPEATS):
                started = time.perf_counter()
                response = client.get(address, query)
                times.append(1000 * (time.perf_counter() - started))
                assert response.status_code == 200, response.headers
            p50, rows = statistics.median(times), int(ON_PAGE.search(response.content.decode())[1])
            fine = fine and p50 <= BAR_MS
            verdict = "" if p50 <= BAR_MS else "ABOVE"
            print(f"{name:<28} {what:<26} {p50:6.0f} ms  best {min(times):4.0f} ms {rows:3} rows {verdict}", flush=True)
    print(f"load {os.getloadavg()[0]:.2f}")
    return fine


def export() -> None:
    """All orders as CSV: how long, and by how much the process grows."""
    from django.test import Client
    from django.urls import reverse

    from accounts.models import User

    client = Client(headers={"host": "localhost"})
    client.force_login(User.objects.get(username="bench admin"))
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    size = sum(len(line) for line in client.get(reverse("admin:orders_order_export")).streaming_content)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(
        f"CSV of all orders: {size / 1e6:.0f} MB in {time.perf_counter() - started:.0f} s, {grown:.0f} MB more memory"
    )


def main() -> int:
    folder = Path(tempfile.mkdtemp(prefix="papertrade-bench-"))
    folder.chmod(0o755)
    servers = prepare_django(folder)
    try:
        current_market().start()
        make_rows()
        fine = measure()
        export()
        return 0 if fine else 1
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
