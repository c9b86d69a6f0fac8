"""A client that sends everything twice on purpose ends with the same books as one that sends it once."""

from typing import Any

import pytest

from accounts.models import PaperAccount
from tests.api_kit import Api
from tests.invariants import check_account
from tests.market_kit import CALL, MarketKit

SCRIPT: list[tuple[str, dict[str, Any]]] = [
    ("order", {"client_order_id": "a", "qty": "10"}),
    ("order", {"client_order_id": "b", "qty": "400"}),
    ("order", {"client_order_id": "c", "qty": "5", "type": "limit", "limit_price": "99"}),
    ("order", {"client_order_id": "d", "qty": "9999", "side": "sell"}),
    ("advance", {"to": "14:00:05"}),
    ("order", {"client_order_id": "e", "qty": "3", "side": "sell"}),
    ("order", {"client_order_id": "f", "symbol": CALL, "qty": "1"}),
    ("cancel", {"client_order_id": "c"}),
    ("order", {"client_order_id": "g", "qty": "9999999"}),
    ("advance", {"to": "14:00:10"}),
    ("order", {"client_order_id": "h", "type": "stop", "stop_price": "5"}),
    ("reset", {"confirm": True, "initial_cash": "50000", "reason": "again"}),
    ("order", {"client_order_id": "a", "qty": "7"}),
    ("order", {"client_order_id": "b", "qty": "7", "type": "limit", "limit_price": "50", "time_in_force": "gtc"}),
    ("reset", {"confirm": True}),
    ("order", {"client_order_id": "a", "qty": "1"}),
    ("advance", {"to": "14:00:20"}),
]


class Bot:
    """Runs the script, each request `times` times; keeps the answers of each."""

    def __init__(self, api: Api, times: int) -> None:
        self.api, self.times = api, times
        self.account_id = api.open_account()
        self.answers: list[list[tuple[int, Any]]] = []

    def do(self, what: str, body: dict[str, Any]) -> None:
        answers = [self.send(what, body) for _ in range(self.times)]
        self.answers.append([(response.status_code, response.json()) for response in answers])

    def send(self, what: str, body: dict[str, Any]) -> Any:
        if what == "order":
            return self.api.order(self.account_id, **body)
        if what == "reset":
            return self.api.post(f"{self.account_id}/reset/", body)
        found = self.api.get(f"{self.account_id}/orders:by_client_order_id", **body).json()
        return self.api.delete(f"{self.account_id}/orders/{found['id']}/")

    def books(self) -> list[Any]:
        """All that the script left, without generated ids."""
        generations = range(1, self.api.get(f"{self.account_id}/").json()["account"]["generation"] + 1)
        orders = [self.api.all(f"{self.account_id}/orders/", generation=n) for n in generations]
        return [
            [self.api.get(f"{self.account_id}/ledger/verify/", generation=n).json() for n in generations],
            [self.api.summary(self.account_id, generation=n) for n in generations],
            [
                [(o["client_order_id"], o["status"], o["filled_qty"], o["submitted_at"]) for o in rows]
                for rows in orders
            ],
            [(e["seq"], e["type"], e["at"], e["reason"]) for e in self.api.all(f"{self.account_id}/events/")],
        ]


@pytest.fixture
def bots(market_kit: MarketKit, api: Api) -> tuple[Bot, Bot]:
    market_kit.play(
        *(f"14:00:{s:02d} IBM {100 + s % 2}.00 {100 + s % 2}.10 500 300" for s in range(20)),
        *(f"14:00:{s:02d} {CALL} 4.00 4.20 20 10" for s in range(20)),
        start="14:00:00",
    )
    once, twice = Bot(api, 1), Bot(api, 2)
    for what, body in SCRIPT:
        if what == "advance":
            market_kit.advance(body["to"])
        else:
            once.do(what, body)
            twice.do(what, body)
    return once, twice


def test_the_same_books(bots: tuple[Bot, Bot]) -> None:
    once, twice = bots
    assert twice.books() == once.books()
    for bot in bots:
        check_account(PaperAccount.objects.get(pk=bot.account_id))


def test_the_second_answer_is_the_first(bots: tuple[Bot, Bot]) -> None:
    _, twice = bots
    requests = [what for what, _ in SCRIPT if what != "advance"]
    for what, ((first_code, first), (second_code, second)) in zip(requests, twice.answers, strict=True):
        if first_code >= 400:
            assert (second_code, second["error"]) == (first_code, first["error"])
        elif what == "cancel":
            assert (second_code, second["error"]["code"]) == (409, "order_not_cancelable")
        else:
            assert (second_code, second) == (200, first)


def test_a_retry_after_things_have_moved_on_shows_how_the_order_is_now(bots: tuple[Bot, Bot], api: Api) -> None:
    account_id = api.open_account()
    order = api.buy(account_id, client_order_id="x", type="limit", limit_price="50")
    api.delete(f"{account_id}/orders/{order['id']}/")
    again = api.order(account_id, client_order_id="x", type="limit", limit_price="50")
    assert (again.status_code, again.json()["id"], again.json()["status"]) == (200, order["id"], "canceled")


def test_the_archive_twice(bots: tuple[Bot, Bot], api: Api) -> None:
    once, _ = bots
    assert [api.delete(f"{once.account_id}/").status_code for _ in range(2)] == [204, 204]
    check_account(PaperAccount.objects.get(pk=once.account_id))
