"""The same inputs end in the same ledger, byte for byte: in one advance or many, with one worker or several."""

import gc
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections

from accounts.models import User
from marketdata.markets.current import current_market, drop_market
from marketdata.models import MarketClock
from orders import tasks
from orders.models import Sweep
from orders.sweeps import sweeping
from papertrade.trading.clock import moving
from papertrade.trading.mover import the_mover
from portfolio.models import Book, LedgerTransaction, Mark
from tests.desk import Desk
from tests.factories import UserFactory
from tests.market_kit import MarketKit, at

BEFORE_OPEN, END = at("13:00:00"), at("2013-10-08T14:10:00Z")
STEPS = {"in one step": timedelta(days=3), "by the hour": timedelta(hours=1), "by odd steps": timedelta(seconds=1861)}
BOOKS = 6
LIMITS = (None, "99.95", "100.05", "100.15", "50")


def recorded(kit: MarketKit, settings: Any) -> list[str]:
    """Two stocks whose prices move, cross and thin out on two days."""
    lines = []
    for minute in range(0, 120, 3):
        cents, clock = minute * 7 % 25, f"{13 + (30 + minute) // 60}:{(30 + minute) % 60:02d}"
        crossed = 30 if minute % 21 == 0 else 0
        for day in ("2013-10-07", "2013-10-08"):
            lines += [
                f"{day}T{clock}:00Z {symbol} {100 + (cents + crossed) / 100:.2f} {100 + (cents + 5) / 100:.2f} {1 + minute % 9} 7"
                for symbol in ("IBM", "BAC")
            ]
    kit.play(*lines, start=BEFORE_OPEN.strftime("%Y-%m-%dT%H:%M:%SZ"))
    return ["IBM", "BAC"]


def simulated(kit: MarketKit, settings: Any) -> list[str]:
    settings.PAPERTRADE_MARKET, settings.PAPERTRADE_SPEED = "simulated", Decimal(0)
    settings.PAPERTRADE_START = BEFORE_OPEN
    MarketClock.objects.all().delete()
    Mark.objects.all().delete()
    drop_market()
    current_market().start()
    with moving():
        the_mover().publish()
    return ["AAPL", "MSFT"]


def trade(kit: MarketKit, symbols: list[str], step: timedelta, until: datetime, owner: User) -> list[str]:
    """Orders before the open and in the session, moved on in such steps; the heads of all ledgers.

    The owner's name is in a ledger's opening, so that only one owner's heads are the same.
    """
    desks = [Desk(owner, "20000") for _ in range(BOOKS)]
    for number, desk in enumerate(desks):
        for place, limit in enumerate(LIMITS[: 2 + number % 4]):
            lives = "gtc" if place % 2 else "day"
            desk.buy(str(5 + number + place), limit=limit, symbol=symbols[place % 2], time_in_force=lives)
    move(kit, at("14:10:00"), step)
    for number, desk in enumerate(desks):
        desk.sell("3", symbol=symbols[number % 2])
        desk.buy("4", symbol=symbols[0])
    move(kit, until, step)
    books = Book.objects.filter(account__in=[desk.account for desk in desks]).order_by("account_id")
    by_account = {book.account_id: book.ledger_head for book in books}
    return [by_account[desk.account.pk] for desk in desks]


def move(kit: MarketKit, to: datetime, step: timedelta) -> None:
    while kit.now() < to:
        kit.advance(min(to, kit.now() + step))


@pytest.mark.parametrize("play", [recorded, simulated])
@pytest.mark.parametrize("step", ["by the hour", "by odd steps"])
def test_in_one_advance_or_in_many(
    market_kit: MarketKit, settings: Any, play: Callable[..., list[str]], step: str
) -> None:
    until = END if play is recorded else at("15:00:00")
    owner = UserFactory()
    heads = [trade(market_kit, play(market_kit, settings), STEPS[name], until, owner) for name in ("in one step", step)]
    assert heads[0] == heads[1]
    assert LedgerTransaction.objects.count() > 4 * BOOKS, "there was something to compare"


@pytest.fixture
def helpers(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """Threads that help with every run as other workers would; the names of those that did something.

    Whoever invites them the first time goes on when one has had a chunk, so that on a busy machine too they help.
    """
    helped: set[str] = set()
    had_one = threading.Event()
    threads: list[threading.Thread] = []

    def help_with(run: Sweep, name: str) -> None:
        try:
            while sweeping.work(run):
                helped.add(name)
                had_one.set()
        finally:
            connections.close_all()

    def invite(run: Sweep) -> None:
        for name in ("first", "second"):
            threads.append(threading.Thread(target=help_with, args=(run, name)))
            threads[-1].start()
        had_one.wait(60)

    monkeypatch.setattr(tasks, "invite_workers", invite)
    monkeypatch.setattr(sweeping, "CHUNK_ORDERS", 4)  # a chunk for nearly every book
    yield helped
    for thread in threads:
        thread.join()


def test_with_one_worker_or_several(
    committed: None, market_kit: MarketKit, settings: Any, helpers: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = UserFactory()
    several = trade(market_kit, recorded(market_kit, settings), STEPS["by the hour"], END, owner)
    assert helpers, "nobody helped"
    monkeypatch.setattr(tasks, "invite_workers", lambda run: None)
    alone = trade(market_kit, recorded(market_kit, settings), STEPS["by the hour"], END, owner)
    assert several == alone


@pytest.mark.parametrize("dies", [False, True], ids=["both go on", "the second dies in its first chunk"])
def test_with_two_threads_of_a_process(
    committed: None, market_kit: MarketKit, settings: Any, monkeypatch: pytest.MonkeyPatch, dies: bool
) -> None:
    """The first waits until the second has had a chunk; what that leaves the first does too."""
    monkeypatch.setattr(tasks, "invite_workers", lambda run: None)
    monkeypatch.setattr(sweeping, "CHUNK_ORDERS", 4)
    owner, do, had_one, worked = UserFactory(), sweeping.open_chunk, threading.Event(), set()

    def watched(*given: Any) -> dict[str, int]:
        name = threading.current_thread().name
        if name == sweeping.SECOND_THREAD:
            had_one.set()
            if dies:
                raise RuntimeError("the second thread dies")
        elif sweeping.LONG_CHUNKS == 1:
            assert had_one.wait(60)
        worked.add(name)
        return do(*given)

    monkeypatch.setattr(sweeping, "open_chunk", watched)
    heads = []
    for least in (1, 1_000_000):
        monkeypatch.setattr(sweeping, "LONG_CHUNKS", least)
        heads.append(trade(market_kit, recorded(market_kit, settings), STEPS["by the hour"], END, owner))
        assert gc.isenabled()
    assert had_one.is_set() and (sweeping.SECOND_THREAD in worked) is not dies
    assert heads[0] == heads[1]
    assert not Sweep.objects.filter(finished_at=None).exists()
