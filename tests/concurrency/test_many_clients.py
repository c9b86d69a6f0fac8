"""Sixteen clients on one account over HTTP, mixed orders and cancels; a clock that moves meanwhile; a lock that waits too long.

A short form of quality.md's trial: every invariant holds, no deadlock, no 500.
"""

import random
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, connections

from accounts.models import PaperAccount
from orders.models import Order
from tests.api.contract import is_error
from tests.api_kit import Api
from tests.concurrency.threads import together
from tests.factories import TokenFactory
from tests.invariants import check_account
from tests.market_kit import MarketKit

CLIENTS, ACTIONS = 16, 20
EXPECTED = {200, 201, 409}


@pytest.fixture
def market(patient: None, market_kit: MarketKit) -> MarketKit:
    quotes = (f"14:00:{second:02d} IBM {100 + second % 3}.00 {100 + second % 3}.10 5000 5000" for second in range(60))
    market_kit.play(*quotes, start="14:00:00")
    return market_kit


def client(token: str, account_id: str, seed: int, actions: int = ACTIONS) -> Callable[[], list[int]]:
    """A bot with a mind of its own; returns the status codes it got."""
    api, chance = Api(token), random.Random(seed)

    def act() -> int:
        choice, qty = chance.random(), str(chance.randint(1, 40))
        if choice < 0.35:
            return api.order(account_id, qty=qty).status_code
        if choice < 0.55:
            return api.order(account_id, qty=qty, side="sell").status_code
        if choice < 0.7:
            price = str(chance.choice([90, 100, 101, 102]))
            return api.order(account_id, qty=qty, type="limit", limit_price=price).status_code
        if choice < 0.8:
            return api.order(account_id, qty=qty, client_order_id=f"shared-{chance.randint(1, 5)}").status_code
        if choice < 0.95:
            rows = api.get(f"{account_id}/orders/", status="open").json()["results"]
            return api.delete(f"{account_id}/orders/{chance.choice(rows)['id']}/").status_code if rows else 200
        return api.delete(f"{account_id}/orders/").status_code

    def run() -> list[int]:
        codes = []
        for _ in range(actions):
            codes.append(act())
            connections.close_all()  # as the end of a request does
        return codes

    return run


def codes_of(outcomes: list[Any]) -> set[int]:
    for outcome in outcomes:
        assert not isinstance(outcome, Exception), outcome
    return {code for codes in outcomes for code in codes or ()}


def test_sixteen_clients_on_one_account(market: MarketKit, trader: Any) -> None:
    token = TokenFactory(user=trader)
    account_id = Api(token).open_account(initial_cash="20000")
    outcomes = together(*(client(token, account_id, seed) for seed in range(CLIENTS)))
    assert codes_of(outcomes) <= EXPECTED
    assert Order.objects.filter(status="filled").exists()
    check_account(PaperAccount.objects.get(pk=account_id))


def test_clients_while_the_clock_moves(market: MarketKit, trader: Any) -> None:
    token = TokenFactory(user=trader)
    accounts = [Api(token).open_account(initial_cash="20000") for _ in range(4)]

    def move() -> None:
        for second in range(1, 30):
            market.advance(f"14:00:{second:02d}")

    outcomes = together(move, *(client(token, account_id, seed, 15) for seed, account_id in enumerate(accounts)))
    assert codes_of(outcomes) <= EXPECTED
    for account_id in accounts:
        check_account(PaperAccount.objects.get(pk=account_id))


def test_a_lock_that_waits_too_long_is_503_and_nothing_is_stored(market: MarketKit, trader: Any) -> None:
    api = Api(TokenFactory(user=trader))
    account_id = api.open_account()
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("SELECT id FROM portfolio_book FOR UPDATE")
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")  # five seconds in the settings
        response = api.order(account_id)
        is_error(response, 503, "unavailable")
        assert response.headers["Retry-After"]
    finally:
        other.rollback()
        other.close()
    assert not Order.objects.exists()
    assert api.order(account_id).status_code == 201
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")  # the connection goes back to the pool, for another test


def test_the_lock_timeout_of_the_settings_is_five_seconds(committed: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("5s",)
