"""An open and a close that let requests pass between their chunks leave the books of one that does not.

A request that comes meanwhile finds its own book done, is answered at once, and waits for nobody else's.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest

from marketdata import clock
from marketdata.models import MarketClock
from orders.models import Sweep
from orders.sweeps import sweeping
from papertrade.trading.clock import moving
from papertrade.trading.mover import drop_movers, the_mover
from portfolio.models import AccountEvent, EquitySnapshot
from tests.desk import Desk
from tests.factories import UserFactory
from tests.invariants import check_account
from tests.market_kit import MarketKit, at

OPENS, CLOSES, OPTION = "13:30:00", "20:00:00", "O:IBM131007C00100000"
BOOKS = 3


@pytest.fixture(autouse=True)
def a_chunk_a_book(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeping, "BRIEF_CHUNK_ORDERS", 1)
    monkeypatch.setattr("orders.catching_up.PATIENCE_SECONDS", 0)


def let_the_clock_run(monkeypatch: pytest.MonkeyPatch, to: str) -> None:
    """A second past `to`, as soon as the market is there."""
    now = clock.wall_now()
    monkeypatch.setattr(clock, "wall_now", lambda: now)
    MarketClock.objects.update(speed=1, anchor_at=at(to), anchor_wall=now - timedelta(seconds=1))


def step(to: str, *, seconds: float | None = 0) -> bool:
    with moving():
        return the_mover().step(at(to), seconds=seconds)


def wait_for_the_open(market_kit: MarketKit) -> list[Desk]:
    market_kit.play("13:29:50 BAC 10.00 10.01", "13:30:00 IBM 100.00 100.10 500 300", start="13:00:00")
    desks = [Desk(UserFactory()) for _ in range(BOOKS)]
    for desk in desks:
        desk.buy("10")
    return [*desks, Desk(UserFactory())]  # and one that waits for nothing


def wait_for_the_close(market_kit: MarketKit) -> list[Desk]:
    market_kit.play("14:00:00 IBM 104.00 104.10 500 300", f"14:00:00 {OPTION} 4.00 4.20 50 50", start="14:00:00")
    desks = [Desk(UserFactory()) for _ in range(BOOKS)]
    for desk in desks:
        desk.buy("1", symbol=OPTION)
        desk.buy("1", limit="90")
        desk.buy("2", limit="91", time_in_force="gtc")
    holder = Desk(UserFactory())  # of whom nothing is due but the snapshot
    holder.buy("3")
    step("19:59:59", seconds=None)
    return [*desks, holder]


def ask_at_the_open(desks: list[Desk]) -> None:
    """Of a book that is done, of one that is not, and of one of which nothing was due."""
    for desk in (desks[0], desks[-2], desks[-1]):
        assert desk.buy("5").status == "filled"
        assert desk.buy("1", limit="50").status == "new"


def ask_at_the_close(desks: list[Desk]) -> None:
    for desk in (desks[0], desks[-2]):
        desk.cancel(desk.account.orders.get(time_in_force="gtc"))
        assert desk.buy("1").status == "accepted", "an order of the next session"
    desks[-1].reset(reason="again")


def outcome(desks: list[Desk]) -> list[object]:
    """Events with their numbers, times and evidence, orders, books; what each book was worth last at each instant."""
    found: list[object] = []
    for desk in desks:
        check_account(desk.account)
        events = AccountEvent.objects.filter(account=desk.account).order_by("seq")
        found.append(list(events.values_list("seq", "type", "at", "symbol", "reason", "quote_id", "qty", "price")))
        orders = desk.account.orders.order_by("number")
        found.append(list(orders.values_list("number", "status", "filled_qty", "no_fill_reason", "updated_at")))
        snapshots = EquitySnapshot.objects.filter(book__account=desk.account).order_by("book", "pk")
        found.append({(row.book.generation_number, row.at): (row.equity, row.cash) for row in snapshots})
        books = desk.account.books.order_by("pk")
        found.append(list(books.values_list("cash", "held_cash", "peak_equity", "last_at")))
    return found


@pytest.mark.parametrize(
    ("wait", "ask", "to"),
    [(wait_for_the_open, ask_at_the_open, OPENS), (wait_for_the_close, ask_at_the_close, CLOSES)],
    ids=["open", "close"],
)
@pytest.mark.parametrize(("chunks", "dies"), [(1, False), (2, True)])
def test_requests_in_between_and_the_books_of_one_piece(
    market_kit: MarketKit,
    monkeypatch: pytest.MonkeyPatch,
    wait: Callable[[MarketKit], list[Desk]],
    ask: Callable[[list[Desk]], None],
    to: str,
    chunks: int,
    dies: bool,
) -> None:
    desks = wait(market_kit)
    let_the_clock_run(monkeypatch, to)
    step(to, seconds=None)
    ask(desks)
    whole = outcome(desks)

    desks = wait(market_kit)
    let_the_clock_run(monkeypatch, to)
    assert not any(step(to) for _ in range(1 + chunks)), "the first one makes the sweep"
    assert Sweep.objects.filter(finished_at=None).get().chunks.filter(done_at=None).count() == BOOKS - chunks
    if dies:
        drop_movers()
    ask(desks)
    assert {desk.book.last_at for desk in (desks[0], desks[-1])} == {at(to) + timedelta(seconds=1)}
    while not step(to):
        pass
    assert outcome(desks) == whole
