"""`python -m benchmarks.audits [COPIES]`: a full audit and the nightly increment, by default over 1,200,000 orders.

Two workers share each, as Celery's do, in processes of their own. Prints wall time and processor seconds of both, and of the
orders that a day adds. Ends with status 1 above a bar: five minutes for the full audit, ten seconds for the increment.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from benchmarks.figures import say
from benchmarks.run import prepare_django

COPIES = 29  # of 40,000 orders
WORKERS = 2
FULL_BAR_SECONDS, INCREMENT_BAR_SECONDS = 300.0, 10.0
BOOKS_OF_A_DAY, ORDERS_OF_A_DAY, MINUTES_OF_A_DAY = 400, 10_000, 60

MORE_SNAPSHOTS = """
    INSERT INTO portfolio_equitysnapshot (book_id, at, equity, cash, market_value, realized_pl, unrealized_pl, drawdown)
    SELECT s.book_id, s.at + minute * interval '1 minute', s.equity, s.cash, s.market_value, s.realized_pl, s.unrealized_pl,
           s.drawdown
    FROM generate_series(1, %s) AS minute, (
        SELECT DISTINCT ON (book_id) * FROM portfolio_equitysnapshot ORDER BY book_id, at DESC, id DESC) AS s
    ORDER BY minute, s.book_id
"""

WORK = """
import sys
import django
django.setup()
from papertrade.proof import audit_parts
print("ready", flush=True)
for line in sys.stdin:
    while audit_parts.work(int(line)):
        pass
    print("done", flush=True)
"""


@contextmanager
def _timed(what: str, bar: float) -> Iterator[list[bool]]:
    """Say what it took; whether it was within its bar."""
    from benchmarks.many_books import processor_seconds

    within: list[bool] = []
    started, used = time.perf_counter(), processor_seconds()
    yield within
    seconds, used = time.perf_counter() - started, processor_seconds() - used
    within.append(seconds <= bar)
    print(f"{what}: {seconds:.1f} s, {used:.1f} processor seconds (bar {bar:.0f} s)", flush=True)


Worker = subprocess.Popen[str]


@contextmanager
def _workers() -> Iterator[list[Worker]]:
    """Workers that wait for an audit, as Celery's do."""
    command = [sys.executable, "-c", WORK]
    workers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(WORKERS)
    ]
    try:
        _await(workers, "ready")
        yield workers
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


def _await(workers: list[Worker], word: str) -> None:
    if any(worker.stdout is None or worker.stdout.readline().strip() != word for worker in workers):
        raise AssertionError("a worker failed")


def _audit(workers: list[Worker], extent: str) -> None:
    """Make an audit of all books with the workers; it must find nothing."""
    from papertrade.proof import audits

    audit = audits.ask(by="a benchmark", extent=extent)
    for worker in workers:
        assert worker.stdin is not None
        print(audit.pk, file=worker.stdin, flush=True)
    _await(workers, "done")
    report = audits.finish(audit.pk)
    if report is None or report.difference_count or report.extent != extent:
        raise AssertionError(f"{report} ({extent}): {report.differences[:5] if report else ''}")


def _trade_a_day() -> None:
    """What the next open fills in some of the accounts, and an hour of snapshots of all of them."""
    from benchmarks import data
    from benchmarks.many_books import SYMBOLS_A_BOOK
    from marketdata import clock
    from marketdata.feeds.universe import TICKERS
    from marketdata.models import MarketClock
    from marketdata.sessions import calendar
    from papertrade.lib.postgres import raw_cursor
    from papertrade.trading.clock import advance
    from portfolio.models import Book

    with raw_cursor() as cursor:
        cursor.execute(MORE_SNAPSHOTS, [MINUTES_OF_A_DAY])
    session = calendar().next_open(clock.read().now)
    MarketClock.objects.update(through=session.open - timedelta(seconds=10), anchor_at=session.open)
    symbols = [symbol for symbol, ticker in TICKERS.items() if ticker.price < 1000][:SYMBOLS_A_BOOK]
    books = list(Book.objects.order_by("pk").values_list("pk", flat=True)[:BOOKS_OF_A_DAY])
    data.place_orders(books, data.PayloadsOf(symbols, ORDERS_OF_A_DAY // BOOKS_OF_A_DAY))
    advance(to=session.open + timedelta(seconds=1))


def main(copies: int) -> int:
    folder = Path(tempfile.mkdtemp(prefix="papertrade-bench-"))
    folder.chmod(0o755)
    servers = prepare_django(folder)
    try:
        from benchmarks import many_books
        from papertrade.proof.audits import FULL, INCREMENT

        orders = many_books.make(copies)
        print(f"load {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores, {orders:,} orders", flush=True)
        with _workers() as workers:
            with _timed("full audit", FULL_BAR_SECONDS) as full:
                _audit(workers, FULL)
            with _timed("increment where nothing is new", INCREMENT_BAR_SECONDS) as nothing:
                _audit(workers, INCREMENT)
            say(f"{ORDERS_OF_A_DAY:,} more orders, and {MINUTES_OF_A_DAY} minutes of snapshots of all books")
            _trade_a_day()
            with _timed("increment after a day", INCREMENT_BAR_SECONDS) as day:
                _audit(workers, INCREMENT)
        return 0 if all(full + nothing + day) else 1
    finally:
        servers.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else COPIES))
