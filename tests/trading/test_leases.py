"""Who leads and then is stopped, or cut off: others take over within seconds, and it writes nothing when it wakes."""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import Error, connection

from marketdata import clock, gate, leases, quote_book
from marketdata.models import Lease
from orders.models import Fill, Sweep
from orders.sweeps import sweeping
from papertrade.lib.errors import Conflict
from papertrade.lib.postgres import try_lock, unlock
from papertrade.operations import presence
from papertrade.trading.clock import leading, moving
from papertrade.trading.mover import the_mover
from tests.concurrency.threads import together
from tests.desk import Desk
from tests.factories import UserFactory
from tests.invariants import check_account
from tests.live_kit import LiveKit
from tests.market_kit import MarketKit, at
from tests.stack.server import POLL_SECONDS, PROJECT, wait_until
from tests.trading.kit import run_of_many_chunks

SPEED = 20
SECONDS, EVERY = 240, 8  # of the recording; an order that fills in each eighth of them
TAKEN_OVER_WITHIN = 20.0  # of which only those count in which we are let look; six seconds on a machine of one's own


class Feed:
    """`manage.py run_feed` on the test's own database, as on another machine."""

    def __init__(self, settings: Any) -> None:
        database = connection.settings_dict
        url = f"postgresql://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
        market = {"PAPERTRADE_MARKET": "recorded", "PAPERTRADE_RECORDING": settings.PAPERTRADE_RECORDING}
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "run_feed"],
            cwd=PROJECT,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **market, "DATABASE_URL": url, "PAPERTRADE_SPEED": str(SPEED)},
        )
        self.said: list[str] = []
        threading.Thread(target=lambda: self.said.extend(self.process.stderr or ()), daemon=True).start()

    @property
    def leads(self) -> bool:
        leader = leases.leader()
        return leader is not None and leader.holder.endswith(f":{self.process.pid}")

    @property
    def is_there(self) -> bool:
        return any(process.pid == self.process.pid for process in presence.processes())

    def stop_within_a_step(self) -> None:
        """SIGSTOP while it keeps everyone else out."""
        for _ in range(400):
            wait_until(lambda: gate_is_closed(), "a step")
            self.process.send_signal(signal.SIGSTOP)
            time.sleep(0.05)  # what it had sent before is done by then
            if gate_is_closed():
                return
            self.process.send_signal(signal.SIGCONT)
        raise AssertionError("it was never stopped within a step")

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self.go_on()
        self.process.terminate()
        self.process.wait(60)


def gate_is_closed() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE objid = %s AND mode = 'ExclusiveLock' AND granted)", [gate.GATE]
        )
        return cursor.fetchone()[0]


@pytest.fixture
def feeds(settings: Any) -> Iterator[Callable[[], Feed]]:
    started: list[Feed] = []

    def start() -> Feed:
        started.append(Feed(settings))
        return started[-1]

    yield start
    for feed in started:
        feed.end()


@pytest.mark.slow
def test_a_stopped_feed_is_replaced_and_finds_that_it_lost(
    committed: None, market_kit: MarketKit, settings: Any, feeds: Callable[[], Feed]
) -> None:
    """Each order has a price that one second of the recording shows first: it fills then, once, whoever leads."""
    settings.PAPERTRADE_SPEED = Decimal(SPEED)
    asks = [Decimal("110.00") - Decimal("0.01") * second for second in range(SECONDS)]
    stamps = [at("14:00:00") + timedelta(seconds=second) for second in range(SECONDS)]
    market_kit.play(
        *(f"{stamp:%H:%M:%S} IBM {ask - 1} {ask}" for stamp, ask in zip(stamps, asks, strict=True)), start="14:00:00"
    )
    desk = Desk(UserFactory())
    expected = [(asks[second], stamps[second]) for second in range(EVERY, SECONDS, EVERY)]
    for price, _ in expected:
        desk.buy("1", limit=str(price))

    first = feeds()
    wait_until(lambda: first.leads, "the first leads")
    second = feeds()
    wait_until(lambda: Fill.objects.count() >= 3, "it moves the market")
    first.stop_within_a_step()
    wait_until(lambda: second.is_there, "the second stands by")
    looks, before = itertools.count(1), Fill.objects.count()
    wait_until(lambda: next(looks) and second.leads, "the other leads")
    assert next(looks) * POLL_SECONDS < TAKEN_OVER_WITHIN
    goes_on = min(before + 3, len(expected))
    wait_until(lambda: Fill.objects.count() >= goes_on, "it goes on where the first stopped")
    first.go_on()
    wait_until(lambda: any("feed_interrupted" in line for line in first.said), "the first finds that it lost")
    assert first.process.poll() is None, "it stands by"
    second.end()
    wait_until(lambda: first.leads, "the first takes over again")
    wait_until(lambda: Fill.objects.count() >= len(expected), "every order is filled")
    assert list(Fill.objects.order_by("created_at").values_list("price", "created_at")) == expected
    check_account(desk.account)


class TestWhoLostItsLease:
    """Another process has the lease; this one was stopped between two lines, and its session lives."""

    @pytest.fixture
    def playing(self, committed: None, market_kit: MarketKit) -> MarketKit:
        market_kit.play("14:00:00 IBM 100.00 100.10", "14:00:10 IBM 99.80 99.90", start="14:00:00")
        return market_kit

    def test_writes_no_step(self, playing: MarketKit) -> None:
        desk = Desk(UserFactory())
        order = desk.buy("10", limit="99.95")
        with pytest.raises(leases.LeaseLost), moving():
            lose(leases.MOVER)
            the_mover().step(at("14:00:10"))
        assert desk.state(order)[0] == "new"
        assert clock.read().through == at("14:00:00")
        playing.advance("14:00:10")
        assert desk.fills(order) == [("10", "99.90")]

    def test_fills_no_quote_book(self, playing: MarketKit) -> None:
        with pytest.raises(leases.LeaseLost), moving():
            quote = quote_book.latest(["IBM"])["IBM"]
            lose(leases.MOVER)
            with leases.as_the_latest(leases.MOVER):
                quote_book.publish([], through="later")
            quote_book.publish([quote], through="earlier")
        assert quote_book.marker() == "later"

    def test_but_a_quote_book_of_another_database_is_no_later_one(self, playing: MarketKit) -> None:
        with moving():
            pass
        Lease.objects.update(number=0)  # as in a backup that was restored
        playing.advance("14:00:10")
        assert quote_book.marker() == clock.read().position

    def test_records_nothing(
        self, committed: None, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        live = LiveKit(settings, monkeypatch, tmp_path / "live", start="13:59:59")
        live.pass_time(seconds=0.2)
        live.hear("IBM 100.00 100.10 500 300")
        with pytest.raises(leases.LeaseLost), moving():
            lose(leases.MOVER)
            the_mover().step(clock.read().due)
        written = b"".join(path.read_bytes() for path in (tmp_path / "live").glob("*.gz"))
        assert b"IBM" not in zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(written), "the head of a file at most"


def lose(name: str) -> None:
    """Another process takes the lease while this one is stopped."""
    Lease.objects.filter(name=name).update(number=leases.holding_of(name).number + 1)
    leases.holding_of(name)._renewed_at -= 2 * leases.LEASE_SECONDS


def run_out(name: str) -> None:
    Lease.objects.filter(name=name).update(until=clock.wall_now() - timedelta(seconds=1))


class TestEndingTheHung:
    def test_frees_what_a_stopped_advance_held(
        self, committed: None, open_market: MarketKit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The next who wants to move it does so at once, and the stopped one is told when it wakes."""
        monkeypatch.setattr(leases, "RENEW_SECONDS", 60.0)  # its heart is stopped too
        stopped, wake = threading.Event(), threading.Event()

        def stop_within() -> None:
            with moving():
                stopped.set()
                wake.wait(60)
                clock.read()

        def take_over() -> str:
            stopped.wait(60)
            with pytest.raises(Conflict, match="being moved"), moving():
                pass
            run_out(leases.MOVER)
            open_market.advance("14:00:10")
            wake.set()
            return "moved"

        lost, moved = together(stop_within, take_over)
        assert isinstance(lost, Error)
        assert moved == "moved"

    def test_spares_who_has_no_lock_or_time_left(self, committed: None) -> None:
        with leases.held(leases.FEED):
            run_out(leases.FEED)
            assert leases.end_the_hung() == [], "it has no lock"
        with leading() as is_leader:
            assert is_leader
            assert together(leases.end_the_hung) == [[]], "its time is not over"
        assert try_lock(gate.FEED)
        run_out(leases.FEED)  # of the last release, which knows of no leases
        Lease.objects.update(session_pid=1)
        assert together(leases.end_the_hung) == [[]]
        unlock(gate.FEED)

    def test_a_lease_is_renewed_while_it_is_held(self, committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(leases, "RENEW_SECONDS", 0.01)
        with leading():
            run_out(leases.FEED)
            wait_until(lambda: Lease.objects.get(name=leases.FEED).until > clock.wall_now(), "it is renewed")
        assert leases.leader() is None


def test_a_stopped_worker_loses_its_chunk(
    committed: None, market_kit: MarketKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database ends its transaction, and another worker does the chunk."""
    run = run_of_many_chunks(market_kit, monkeypatch, books=2, orders_a_book=2)
    monkeypatch.setattr(sweeping, "HUNG_SECONDS", 0.2)
    hung, done, open_chunk = threading.Event(), threading.Event(), sweeping.open_chunk

    def stop_once(*arguments: Any) -> Any:
        if not hung.is_set():
            hung.set()
            done.wait(60)
        return open_chunk(*arguments)

    def finish() -> bool:
        hung.wait(60)
        try:
            return sweeping.finish(run)
        finally:
            done.set()

    monkeypatch.setattr(sweeping, "open_chunk", stop_once)
    lost, finished = together(lambda: sweeping.work(run), finish)
    assert isinstance(lost, Error) and finished is True
    assert Sweep.objects.get(pk=run.pk).finished_at is not None
    assert Fill.objects.count() == 4
