"""Two requests at once on one book: each shown to go wrong with the lock taken out, and right with it.

`both_have_read` lets two threads go on only when both have loaded the book. With the lock the second one cannot load it before
the first has committed, so that the first waits in vain, and briefly; without it they always meet, however slow the machine.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from orders import services
from orders.models import Order
from orders.services import Submitted, submit
from portfolio import store
from tests.concurrency.threads import together
from tests.desk import Desk, dec
from tests.invariants import check_account
from tests.market_kit import MarketKit

IN_VAIN_SECONDS = 0.6
MEETING_SECONDS = 90
LOCK = " FOR UPDATE OF b"


@pytest.fixture
def both_have_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Holds each thread after it has read the book until the other has, too."""
    meeting = threading.Barrier(2, timeout=IN_VAIN_SECONDS if LOCK in store._LOCK_BY_ACCOUNT else MEETING_SECONDS)
    ask = services.ask_for_account

    def ask_and_meet(*arguments: Any) -> Any:
        answer = ask(*arguments)

        def read() -> Any:
            book = answer()
            if threading.current_thread() is not threading.main_thread():
                with suppress(threading.BrokenBarrierError):
                    meeting.wait()
            return book

        return read

    monkeypatch.setattr(services, "ask_for_account", ask_and_meet)


@pytest.fixture(params=[pytest.param(True, id="with the lock"), pytest.param(False, id="lock taken out")])
def locked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    if not request.param:
        assert LOCK in store._LOCK_BY_ACCOUNT, "the test takes out what is not there"
        monkeypatch.setattr(store, "_LOCK_BY_ACCOUNT", store._LOCK_BY_ACCOUNT.replace(LOCK, ""))
    return request.param


@pytest.fixture
def desk(patient: None, market_kit: MarketKit, trader: Any) -> Desk:
    market_kit.play("14:00:00 IBM 100.00 100.10 5000 5000", start="14:00:00")
    return Desk(trader, "10010")  # 100 shares at 100.10


def send(desk: Desk, **order: Any) -> Callable[[], Submitted]:
    payload = {"symbol": "IBM", "qty": "100", "side": "buy", "type": "market", "time_in_force": "day", **order}
    return lambda: submit(account=desk.account, payload=payload)


def ends(outcomes: list[Any]) -> list[str]:
    """How each thread ended, sorted: the order's status and reason, or the exception."""
    return sorted(
        f"{outcome.order.status} {outcome.order.rejected_reason}".strip()
        if isinstance(outcome, Submitted)
        else repr(outcome)
        for outcome in outcomes
    )


def test_two_threads_send_the_same_client_order_id(desk: Desk, locked: bool, both_have_read: None) -> None:
    outcomes = together(*[send(desk, qty="10", client_order_id="same")] * 2)
    right = all(isinstance(outcome, Submitted) for outcome in outcomes) and sorted(o.replayed for o in outcomes) == [
        False,
        True,
    ]
    assert right is locked, ends(outcomes)
    if locked:
        assert outcomes[0].order.id == outcomes[1].order.id
        assert Order.objects.count() == 1
        check_account(desk.account)


def test_two_threads_sell_one_position(desk: Desk, locked: bool, both_have_read: None) -> None:
    desk.buy("100")
    outcomes = together(*[send(desk, side="sell")] * 2)
    right = ends(outcomes) == ["filled", "rejected short_sell_not_allowed"]
    assert right is locked, ends(outcomes)
    if locked:
        assert (desk.position().qty, desk.book.cash) == (0, dec("10000"))
        check_account(desk.account)


def test_two_threads_spend_one_cash_balance(desk: Desk, locked: bool, both_have_read: None) -> None:
    outcomes = together(*[send(desk)] * 2)
    right = ends(outcomes) == ["filled", "rejected insufficient_buying_power"]
    assert right is locked, ends(outcomes)
    if locked:
        assert (desk.position().qty, desk.book.cash) == (100, 0)
        check_account(desk.account)


def test_two_threads_hold_one_cash_balance(desk: Desk, locked: bool, both_have_read: None) -> None:
    outcomes = together(*[send(desk, type="limit", limit_price="90", qty="111")] * 2)
    right = ends(outcomes) == ["new", "rejected insufficient_buying_power"]
    assert right is locked, ends(outcomes)
    if locked:
        assert desk.book.held_cash == dec("9990")
        check_account(desk.account)


def test_two_threads_cancel_one_order(desk: Desk, both_have_read: None) -> None:
    order = desk.buy("10", limit="50")
    outcomes = together(*[lambda: desk.cancel(order)] * 2)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "Order"]
    assert desk.book.held_cash == 0
    assert [kind for kind, _ in desk.events(order)].count("order_canceled") == 1
    check_account(desk.account)


def test_two_threads_replace_one_order(desk: Desk, both_have_read: None) -> None:
    order = desk.buy("10", limit="50")
    outcomes = together(*[lambda limit=limit: desk.replace(order, limit_price=limit) for limit in ("60", "70")])
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "Order"]
    [new] = [outcome for outcome in outcomes if isinstance(outcome, Order)]
    assert (desk.now(order).replaced_by_id, desk.book.held_cash) == (new.pk, 10 * new.limit_price)
    check_account(desk.account)


def test_two_threads_send_one_replacement_again(desk: Desk, both_have_read: None) -> None:
    order = desk.buy("10", limit="50")
    outcomes = together(*[lambda: desk.replace(order, limit_price="60", client_order_id="again")] * 2)
    assert len({outcome.pk for outcome in outcomes}) == 1, outcomes
    assert Order.objects.filter(account=desk.account).count() == 2
    check_account(desk.account)


def test_nobody_takes_the_cash_between_an_order_and_its_replacement(
    desk: Desk, locked: bool, both_have_read: None
) -> None:
    """All cash is held by the order; beside its replacement another buy is sent, which never fits."""
    order = desk.buy("111", limit="90")
    outcomes = together(
        lambda: desk.replace(order, limit_price="89"), send(desk, type="limit", limit_price="80", qty="10")
    )
    right = isinstance(outcomes[0], Order) and ends(outcomes[1:]) == ["rejected insufficient_buying_power"]
    assert right or not locked, outcomes
    if locked:
        assert (desk.state(order)[0], desk.book.held_cash) == ("replaced", 111 * dec("89"))
        check_account(desk.account)


def test_a_replacement_and_a_cancel_at_once(desk: Desk, both_have_read: None) -> None:
    order = desk.buy("10", limit="50")
    outcomes = together(lambda: desk.replace(order, limit_price="60"), lambda: desk.cancel(order))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Conflict", "Order"]
    assert desk.now(order).status in ("canceled", "replaced")
    assert desk.book.held_cash == (600 if desk.now(order).status == "replaced" else 0)
    check_account(desk.account)


def test_a_reset_and_an_order_at_once(desk: Desk) -> None:
    for _ in range(5):
        generation = desk.book.generation_number
        outcomes = together(send(desk, qty="1"), lambda: desk.reset(initial_cash="10010", policy={"size_cap": True}))
        assert isinstance(outcomes[0], Submitted), outcomes
        assert outcomes[0].order.book.generation_number in (generation, generation + 1)
        check_account(desk.account)
