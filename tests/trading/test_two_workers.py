"""Two worker processes, each with a start command of its own, share one sweep: about evenly, and each order once."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection, transaction

from orders import tasks
from orders.models import Fill, Order, Sweep
from portfolio.models import Book
from tests.invariants import check_account
from tests.market_kit import MarketKit
from tests.stack.server import PROJECT, wait_until
from tests.trading.kit import run_of_many_chunks

BOOKS, ORDERS_A_BOOK = 120, 3
FAIR_SHARE = 0.2  # alone on a machine each does 0.43 to 0.57; here other tests run beside them
WAIT_FOR_US = "SELECT count(*) FROM pg_locks WHERE NOT granted AND transactionid = pg_current_xact_id()::xid"


@pytest.fixture
def run(committed: None, market_kit: MarketKit, monkeypatch: pytest.MonkeyPatch) -> Sweep:
    """As many chunks as books, not begun."""
    return run_of_many_chunks(market_kit, monkeypatch, books=BOOKS, orders_a_book=ORDERS_A_BOOK)


class Worker:
    """`celery worker` on the test's own database and broker, as on another machine."""

    def __init__(self, name: str, settings: Any) -> None:
        database = connection.settings_dict
        url = f"postgresql://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "celery", "--app", "papertrade", "worker", "--hostname", f"{name}@%h", "--pool", "solo",
                "--loglevel", "info", "--without-gossip", "--without-mingle",
            ],
            cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={
                **os.environ, "DATABASE_URL": url, "PAPERTRADE_MARKET": "recorded",
                "PAPERTRADE_RECORDING": settings.PAPERTRADE_RECORDING, "PAPERTRADE_SPEED": "0",
            },
        )  # fmt: skip

    def wait_until_ready(self) -> None:
        """Raises AssertionError where it ends instead, with what it said."""
        said = []
        for line in self.process.stdout or ():
            said.append(line)
            if " ready." in line:
                return
        raise AssertionError("".join(said))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def workers(run: Sweep, settings: Any) -> Iterator[list[Worker]]:
    started = [Worker(name, settings) for name in ("first", "second")]
    try:
        for worker in started:
            worker.wait_until_ready()
        yield started
    finally:
        for worker in started:
            worker.stop()


def _wait_for_us() -> int:
    with connection.cursor() as cursor:
        cursor.execute(WAIT_FOR_US)
        return cursor.fetchone()[0]


@pytest.mark.slow
def test_each_does_about_half_and_no_order_is_decided_twice(run: Sweep, workers: list[Worker]) -> None:
    with transaction.atomic():  # they begin together: neither does a book before each has claimed a chunk
        list(Book.objects.select_for_update())
        tasks.invite_workers(run)
        wait_until(lambda: _wait_for_us() == len(workers), "both workers at their first chunk")
    wait_until(lambda: not run.chunks.filter(done_at__isnull=True).exists(), "the end of the sweep")

    chunks = Counter(run.chunks.values_list("worker", flat=True))
    assert {name.rsplit(":", 1)[1] for name in chunks} == {str(worker.process.pid) for worker in workers}
    assert min(chunks.values()) >= FAIR_SHARE * BOOKS, chunks
    assert Fill.objects.count() == Order.objects.filter(status="filled").count() == BOOKS * ORDERS_A_BOOK
    check_account(Order.objects.earliest("submitted_at").account)


def test_the_same_task_given_twice_decides_each_order_once(run: Sweep) -> None:
    assert [tasks.work_on_sweep(run.pk), tasks.work_on_sweep(run.pk)] == [BOOKS, 0]
    assert Fill.objects.count() == BOOKS * ORDERS_A_BOOK
