"""A bot that trades the sample day through alpaca-py ends with the same ledger head as the same orders through our own API.

Both accounts are one user's, so that even the openings are alike; the moves are drawn at random, once, and made by both.
"""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from alpaca.common.exceptions import APIError
from alpaca.trading import requests
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce

from accounts.models import PaperAccount
from orders.models import Fill, Order
from portfolio.models import LedgerTransaction
from portfolio.selectors import book_of, positions
from tests.api.alpaca.conftest import Pair
from tests.api_kit import Api
from tests.factories import AccountFactory
from tests.market_kit import MarketKit

SAMPLE = Path(__file__).resolve().parents[3] / "samples" / "simulated-2026-11-20.csv.gz"
OPEN, CLOSE = datetime(2026, 11, 20, 14, 30, tzinfo=UTC), datetime(2026, 11, 20, 21, tzinfo=UTC)
STOCKS = {"AAPL": 232, "SPY": 620, "NVDA": 138, "IBM": 224}
OPTIONS = ["O:AAPL261120C00230000", "O:AAPL261218P00230000", "O:SPY261120P00620000"]
STEP = timedelta(minutes=15)


class Theirs:
    """Through Alpaca's client, unmodified. Each move says whether it was taken: a rejected order is an error there."""

    def __init__(self, pair: Pair, account: PaperAccount) -> None:
        self.account = account
        self.client = TradingClient(str(account.pk), pair.secret, url_override=pair.url)

    def send(self, name: str, symbol: str, side: str, qty: int, limit: float | None) -> bool:
        kind = requests.MarketOrderRequest if limit is None else requests.LimitOrderRequest
        order = kind(
            symbol=symbol.removeprefix("O:"),
            side=OrderSide(side),
            qty=qty,
            time_in_force=TimeInForce(lasts(symbol, limit)),
            client_order_id=name,
            **({} if limit is None else {"limit_price": limit}),
        )
        return self._taken(lambda: self.client.submit_order(order))

    def cancel(self, name: str) -> bool:
        return self._taken(lambda: self.client.cancel_order_by_id(self._order(name)))

    def replace(self, name: str, limit: float) -> bool:
        changes = requests.ReplaceOrderRequest(limit_price=limit, client_order_id=f"{name}+")
        return self._taken(lambda: self.client.replace_order_by_id(self._order(name), changes))

    def close(self, symbol: str, percentage: int) -> bool:
        wanted = requests.ClosePositionRequest(percentage=str(percentage))
        return self._taken(lambda: self.client.close_position(symbol.removeprefix("O:"), close_options=wanted))

    def cancel_all(self) -> bool:
        return self._taken(self.client.cancel_orders)

    def _order(self, name: str) -> UUID:
        return self.client.get_order_by_client_id(name).id

    @staticmethod
    def _taken(call: Callable[[], object]) -> bool:
        try:
            call()
        except APIError as refused:
            assert refused.status_code in (403, 422), refused
            return False
        return True


class Ours:
    """Through our own API."""

    def __init__(self, pair: Pair, account: PaperAccount) -> None:
        self.account, self.api = account, Api(pair.secret)

    def send(self, name: str, symbol: str, side: str, qty: int, limit: float | None) -> bool:
        kind = {"type": "market"} if limit is None else {"type": "limit", "limit_price": str(limit)}
        order = {"symbol": symbol, "side": side, "qty": qty, "client_order_id": name, **kind}
        return self._taken("POST", "orders/", {**order, "time_in_force": lasts(symbol, limit)})

    def cancel(self, name: str) -> bool:
        return self._taken("DELETE", f"orders/{self._order(name)}/")

    def replace(self, name: str, limit: float) -> bool:
        body = {"limit_price": str(limit), "client_order_id": f"{name}+"}
        return self._taken("PATCH", f"orders/{self._order(name)}/", body)

    def close(self, symbol: str, percentage: int) -> bool:
        return self._taken("DELETE", f"positions/{symbol}/", percentage=percentage)

    def cancel_all(self) -> bool:
        return self._taken("DELETE", "orders/")

    def _order(self, name: str) -> str:
        return self.api.get(f"{self.account.pk}/orders:by_client_order_id", client_order_id=name).json()["id"]

    def _taken(self, method: str, path: str, body: object = None, **query: object) -> bool:
        answer = self.api.request(method, f"{self.account.pk}/{path}", body, query=query)
        assert answer.status_code < 300 or answer.status_code in (409, 422), answer.content
        return answer.status_code < 300 and answer.json().get("status") != "rejected"


def lasts(symbol: str, limit: float | None) -> str:
    """The time in force."""
    return "day" if symbol in OPTIONS or limit is None else "gtc"


def moves(chance: random.Random, step: int, account: PaperAccount) -> Iterator[tuple[Any, ...]]:
    """Some for a step. What is open and held is looked up in the books of one of the two: both must have the same."""
    for number in range(3):
        symbol = chance.choice([*STOCKS, *STOCKS, *OPTIONS])
        limit = round(STOCKS.get(symbol, 3) * chance.uniform(0.97, 1.03), 2) if chance.random() < 0.6 else None
        qty = chance.choice([1, 2, 3]) if symbol in OPTIONS else chance.randint(1, 120)
        yield "send", f"{step}-{number}", symbol, "buy" if chance.random() < 0.7 else "sell", qty, limit
    book = book_of(account=account)
    resting = Order.objects.filter(book=book, status__in=["accepted", "partially_filled"], limit_price__isnull=False)
    names = sorted(resting.values_list("client_order_id", flat=True))
    if names and step % 2:
        yield "cancel", chance.choice(names)
    if names and step % 3 == 1:
        yield "replace", chance.choice(names), 200.5
    # Alpaca's percentage is of the position, ours of what no open order holds.
    held = sorted(held.symbol for held in positions(book=book) if held.qty_available == held.qty)
    if held and step % 4 == 2:
        yield "close", chance.choice(held), 50
    if step == 20:
        yield ("cancel_all",)


def test_the_sample_day_through_alpaca_py_and_through_our_api(pair: Pair, market_kit: MarketKit) -> None:
    market_kit.play_files(SAMPLE, start=OPEN.isoformat())
    user = pair.account.user
    bots = [Theirs(pair, AccountFactory(user=user)), Ours(pair, AccountFactory(user=user))]
    chance, at, step, refused = random.Random(16), OPEN, 0, 0
    while at < CLOSE:
        for move, *what in list(moves(chance, step, bots[1].account)):
            taken = {getattr(bot, move)(*what) for bot in bots}
            assert len(taken) == 1, (step, move, what)
            refused += taken == {False}
        at, step = at + STEP, step + 1
        market_kit.advance(at)
    market_kit.advance(CLOSE + timedelta(minutes=1))
    ends = [book_of(account=bot.account) for bot in bots]
    kinds = set(LedgerTransaction.objects.filter(book=ends[1]).values_list("kind", flat=True))
    assert kinds == {"opening", "buy", "sell", "settlement"} and refused > 5, "a day that is worth comparing"
    assert Fill.objects.filter(book=ends[1]).count() > 40
    assert ends[0].ledger_head == ends[1].ledger_head
