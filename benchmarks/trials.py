"""The trials of docs/performance.md, of which P2 to P6 stand here. Each returns figures, ratios to a floor of the same run."""

import csv
import gc
import os
import re
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from django.test import Client

from accounts.models import PaperAccount
from accounts.services import issue_key
from benchmarks import data, floor
from benchmarks.figures import Figure, say
from benchmarks.live import p8
from benchmarks.market import recorded, simulated
from benchmarks.pages import p10
from benchmarks.sessions import p9
from benchmarks.submits import add_orders, p1, p7, p11
from marketdata import clock
from marketdata.feeds.universe import TICKERS
from marketdata.sessions import calendar
from orders import services
from orders.models import Order
from papertrade.lib.postgres import raw_cursor
from papertrade.trading.clock import GATE_SECONDS, advance, moving
from papertrade.trading.mover import the_mover
from portfolio.models import Book, EquitySnapshot, Position
from portfolio.services import snapshot_books

P2_ORDERS, P2_BOOKS = 40_000, 2_000
P3_FEW, P3_MANY, P3_SYMBOLS, P3_QUOTES = 1_000, 100_000, 500, 20_000
P4_BOOKS, P4_POSITIONS = 10_000, 5
P5_ORDERS, P5_CALLS = 1_000_000, 15
P6_ROWS, P6_ORDERS = 712_006, 100
AIG_DAY = Path(__file__).resolve().parents[2] / "shared/data/equity/AIG/AIG_20131009_tick.csv.gz"


def p2() -> list[Figure]:
    """Open sweep of 40,000 market orders over 2,000 accounts by one worker; what it is held against, before and after."""
    floors, quarters = [_f2()], [_sweep(P2_BOOKS // 4)]
    full, full_mb = _sweep(P2_BOOKS)
    quarters, floors = [*quarters, _sweep(P2_BOOKS // 4)], [*floors, _f2()]
    holds = _holds_of_an_open()
    f2, (quarter, quarter_mb) = statistics.mean(floors), map(statistics.mean, zip(*quarters, strict=True))
    rate = P2_ORDERS / full
    say(f"F2 {f2:.0f} orders/s, sweep {rate:.0f}/s; a quarter took {quarter:.1f} s, all {full:.1f} s")
    say(f"running, the gate is closed {len(holds)} times for {statistics.median(holds) * 1000:.0f} ms (median)")
    say(f"peak memory {quarter_mb:.0f} MB with a quarter, {full_mb:.0f} MB with all")
    return [
        Figure("P2", "open sweep, one worker", f"{rate / f2:.2f} x F2", ">= 0.5", rate >= 0.5 * f2),
        Figure("P2", "longest hold of the gate", f"{max(holds) * 1000:.0f} ms", "< 250 ms", max(holds) < 0.25),
        Figure("P2", "4 x the orders", f"{full / quarter:.2f} x the time", "<= 4.4", full <= 4.4 * quarter),
        Figure(
            "P2", "4 x the orders", f"{full_mb / quarter_mb:.2f} x the memory", "<= 1.25", full_mb <= 1.25 * quarter_mb
        ),
    ]


def _f2() -> float:
    with floor.connect() as plain:
        return floor.f2(plain, orders=P2_ORDERS, books=P2_BOOKS)


def _sweep(books: int) -> tuple[float, float]:
    """Seconds of the sweep, and the most memory in MB that this process held while it ran."""
    opens = _wait_for_the_open(books)
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew (Linux)
    started = time.perf_counter()
    advance(to=opens)
    seconds = time.perf_counter() - started
    _check_that_all_filled(books)
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return seconds, int(peak[1]) / 1024


def _wait_for_the_open(books: int) -> datetime:
    """Ten seconds before an open for which every book has its share of the orders; when that is."""
    simulated(seconds_after_open=-10)
    symbols = [symbol for symbol, ticker in TICKERS.items() if ticker.price < 1000]
    data.place_orders(data.open_books(books), data.PayloadsOf(symbols, P2_ORDERS // P2_BOOKS))
    with raw_cursor() as cursor:
        cursor.execute("ANALYZE")
    return clock.read().now + timedelta(seconds=10)


def _check_that_all_filled(books: int) -> None:
    filled, orders = Order.objects.filter(status="filled").count(), books * (P2_ORDERS // P2_BOOKS)
    if filled != orders:
        raise AssertionError(f"{filled} of {orders} orders were filled")


def _holds_of_an_open() -> list[float]:
    """For how many seconds each step of a running market keeps everybody out, as it does the same open."""
    opens = _wait_for_the_open(P2_BOOKS)
    holds, done = [], False
    while not done:
        with moving():
            started = time.perf_counter()
            done = the_mover().step(opens, seconds=GATE_SECONDS)
            holds.append(time.perf_counter() - started)
    _check_that_all_filled(P2_BOOKS)
    return holds


def p3() -> list[Figure]:
    """A quote that fills nothing: 100,000 working orders on 500 symbols against 1,000."""
    symbols = [f"{a}{b}{c}" for a in "ABCDEFGH" for b in "ABCDEFGH" for c in "ABCDEFGH"][:P3_SYMBOLS]
    folder = Path(os.environ["PAPERTRADE_VAR"]) / "p3"
    folder.mkdir(exist_ok=True)
    opened = datetime(2013, 10, 7, 13, 30, tzinfo=UTC)
    with open(folder / "quotes.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["ts", "symbol", "bid", "ask", "bid_size", "ask_size", "source"])
        for number in range(P3_QUOTES):
            at = opened + timedelta(seconds=1, milliseconds=number)
            cents = number % 7
            rows.writerow([f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z", symbols[number % P3_SYMBOLS],
                           f"100.0{cents}", f"100.1{cents}", 100, 100, "bench"])  # fmt: skip
    few, many = _quiet_quotes(folder, symbols, P3_FEW), _quiet_quotes(folder, symbols, P3_MANY)
    say(f"{few * 1e6:.0f} us a quote with {P3_FEW} working orders, {many * 1e6:.0f} us with {P3_MANY}")
    return [Figure("P3", "a quote that fills nothing", f"{many / few:.2f} x the cost", "<= 2", many <= 2 * few)]


def _quiet_quotes(folder: Path, symbols: list[str], orders: int) -> float:
    """Seconds a quote."""
    recorded(folder, datetime(2013, 10, 7, 13, 0, tzinfo=UTC))

    def payloads(book: Any) -> list[dict[str, str]]:
        return [
            {
                "symbol": symbols[number % P3_SYMBOLS],
                "qty": "1",
                "side": "buy",
                "type": "limit",
                "limit_price": str(Decimal(50) + Decimal(number % 4000) / 100),
                "time_in_force": "gtc",
            }
            for number in range(book.id, book.id + 100)
        ]

    data.place_orders(data.open_books(orders // 100), payloads)
    advance(to=datetime(2013, 10, 7, 13, 30, tzinfo=UTC))
    with raw_cursor() as cursor:
        cursor.execute("ANALYZE")
    started = time.perf_counter()
    advance(to=datetime(2013, 10, 7, 13, 30, 50, tzinfo=UTC))
    return (time.perf_counter() - started) / P3_QUOTES


def p4() -> list[Figure]:
    """Minute snapshot of 10,000 books with 5 positions each."""
    simulated(seconds_after_open=60)
    at = clock.read().now
    books = data.open_books(P4_BOOKS)
    symbols = sorted(TICKERS)
    for some in data.chunks(books, 1000):
        Position.objects.bulk_create(
            Position(
                book_id=book,
                symbol=symbols[(book + place) % len(symbols)],
                asset_class="us_equity",
                multiplier=1,
                qty=10,
                cost_basis=1000,
                mark_price=100,
                mark_at=at,
                updated_at=at,
            )
            for book in some
            for place in range(P4_POSITIONS)
        )
    with raw_cursor() as cursor:
        cursor.execute("ANALYZE")
    seconds = []
    for minute in range(1, 4):
        started = time.perf_counter()
        count = snapshot_books(at=at + timedelta(minutes=minute))
        seconds.append(time.perf_counter() - started)
        if count != P4_BOOKS:
            raise AssertionError(f"{count} snapshots")
    best = statistics.median(seconds)
    return [Figure("P4", f"snapshot of {P4_BOOKS} books", f"{best:.2f} s", "<= 2 s", best <= 2)]


def p5() -> list[Figure]:
    """A year of minutes as history, and the orders page of an account with 1,000,000 orders."""
    simulated(seconds_after_open=60)
    book_id = data.open_books(1)[0]
    account = PaperAccount.objects.get(books=book_id)
    add_year(book_id)
    add_orders(book_id, P5_ORDERS)
    call = Client(
        headers={"Authorization": "Bearer " + issue_key(user=data.user(), name="p5", scopes=["paper"])[1]},
        SERVER_NAME="127.0.0.1",
    )
    figures = []
    for what, path in (
        ("history of a year at 1D", "portfolio/history/?period=all&timeframe=1D"),
        ("history of a year at 15Min", "portfolio/history/?period=all&timeframe=15Min&limit=1000"),
        ("orders page of 1,000,000", "orders/"),
        ("open orders of 1,000,000", "orders/?status=open"),
    ):
        times = []
        for _ in range(P5_CALLS):
            started = time.perf_counter()
            answer = call.get(f"/v1/paper/accounts/{account.pk}/{path}")
            times.append((time.perf_counter() - started) * 1000)
        if answer.status_code != 200:
            raise AssertionError(answer.content)
        p50 = statistics.median(times)
        figures.append(
            Figure("P5", f"{what} ({len(answer.json()['results'])} rows)", f"{p50:.0f} ms", "<= 50 ms", p50 <= 50)
        )
    return figures


def add_year(book_id: int) -> None:
    days = calendar().sessions
    last = [day for day in days if day.close < clock.read().now][-252:]
    minutes = (day.open + timedelta(minutes=minute) for day in last for minute in range(1, 391))
    money = Decimal(100_000)
    for some in data.chunks(minutes, 5000):
        EquitySnapshot.objects.bulk_create(
            EquitySnapshot(
                book_id=book_id,
                at=at,
                equity=money,
                cash=money,
                market_value=0,
                realized_pl=0,
                unrealized_pl=0,
                drawdown=0,
            )
            for at in some
        )
    Book.objects.filter(pk=book_id).update(last_at=last[-1].close)
    lifecycle_start = last[0].open
    with raw_cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_generation SET opened_at = %s WHERE id = (SELECT generation_id FROM portfolio_book WHERE id = %s)",
            [lifecycle_start, book_id],
        )
        cursor.execute("ANALYZE portfolio_equitysnapshot")


def p6() -> list[Figure]:
    """Replay of a recorded tick day with 100 working limit orders on it, twice."""
    if not AIG_DAY.exists():
        say(f"P6 needs the recorded day at {AIG_DAY}: skipped")
        return []
    rates, heads = zip(*(_replay() for _ in range(2)), strict=True)
    rate = min(rates)
    return [
        Figure("P6", f"replay of {P6_ROWS} quotes", f"{rate:,.0f} quotes/s", ">= 10,000", rate >= 10_000),
        Figure(
            "P6",
            "ledger head of both runs",
            "the same" if len(set(heads)) == 1 else "differs",
            "the same",
            len(set(heads)) == 1,
        ),
    ]


def _replay() -> tuple[float, str]:
    recorded(AIG_DAY)
    book_id = data.open_books(1)[0]
    account = PaperAccount.objects.get(books=book_id)
    for number in range(P6_ORDERS):
        side, price = ("buy", 4800 + number) if number % 2 else ("buy", 4900 - number)
        services.submit(
            account=account,
            payload={
                "symbol": "AIG",
                "qty": str(100 + number),
                "side": side,
                "type": "limit",
                "limit_price": str(Decimal(price) / 100),
                "time_in_force": "day",
                "client_order_id": str(number),
            },
        )
    started = time.perf_counter()
    advance(to=datetime(2013, 10, 10, 0, 0, tzinfo=UTC))
    seconds = time.perf_counter() - started
    return P6_ROWS / seconds, Book.objects.get(pk=book_id).ledger_head


TRIALS: dict[str, Callable[[], list[Figure]]] = {
    "P1": p1,
    "P2": p2,
    "P3": p3,
    "P4": p4,
    "P5": p5,
    "P6": p6,
    "P7": p7,
    "P8": p8,
    "P9": p9,
    "P10": p10,
    "P11": p11,
}
