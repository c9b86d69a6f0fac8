"""A day of 712,006 real quotes with 100 working limit orders on it: every fill is the first quote that could fill it.

The file is read a second time by a scan of our own that knows nothing of the project but trading-rules.md section 5.
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from orders.models import Fill
from tests.desk import Desk
from tests.invariants import check_account
from tests.market_kit import MarketKit

OPEN = datetime(2013, 10, 9, 13, 30, tzinfo=UTC)
SENT = OPEN + timedelta(minutes=5)
CLOSE = datetime(2013, 10, 9, 20, 0, tzinfo=UTC)
ROWS = 712_006
EACH_SIDE = 50
STEP_CENTS = 1


@dataclass(frozen=True)
class Row:
    """One line of the file, as text; sizes of absent sides are 0."""

    stamp: str
    bid: str
    ask: str
    bid_size: str
    ask_size: str


@dataclass(frozen=True)
class Expected:
    """The quote that fills an order: its stamp and its price."""

    stamp: str
    price: str


def read(path: Path) -> Iterator[Row]:
    with gzip.open(path, "rt") as file:
        next(file)
        for line in file:
            stamp, _, bid, ask, bid_size, ask_size, _ = line.split(",")
            yield Row(stamp, bid, ask, bid_size, ask_size)


def first_fills(
    path: Path, buys: list[Decimal], sells: list[Decimal]
) -> tuple[int, dict[tuple[str, Decimal], Expected]]:
    """How many rows the file has, and by side and limit the first row after SENT that can fill an order of one share."""
    waiting_buys, waiting_sells = sorted(buys), sorted(sells, reverse=True)  # the nearest to the market last
    sent, close = wire(SENT), wire(CLOSE)
    found: dict[tuple[str, Decimal], Expected] = {}
    rows = 0
    for row in read(path):
        rows += 1
        if not sent < row.stamp < close or not row.bid or not row.ask:
            continue
        bid, ask = Decimal(row.bid), Decimal(row.ask)
        if bid > ask:
            continue
        while waiting_buys and ask <= waiting_buys[-1] and row.ask_size != "0":
            found["buy", waiting_buys.pop()] = Expected(row.stamp, row.ask)
        while waiting_sells and bid >= waiting_sells[-1] and row.bid_size != "0":
            found["sell", waiting_sells.pop()] = Expected(row.stamp, row.bid)
    return rows, found


def wire(instant: datetime) -> str:
    """An instant as the file writes it."""
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.slow
def test_every_fill_is_the_first_quote_that_could_fill_it(
    shared_data: Path, market_kit: MarketKit, trader: Any
) -> None:
    path = shared_data / "equity" / "AIG" / "AIG_20131009_tick.csv.gz"
    market_kit.play_files(path, start="2013-10-09T13:00:00Z")
    market_kit.advance(SENT)
    desk = Desk(trader)
    bought = desk.buy(str(EACH_SIDE), symbol="AIG")
    ((_, paid),) = desk.fills(bought)
    steps = [Decimal(STEP_CENTS * number) / 100 for number in range(1, EACH_SIDE + 1)]
    buys, sells = [Decimal(paid) - step for step in steps], [Decimal(paid) + step for step in steps]
    orders = {("buy", limit): desk.buy("1", limit=str(limit), symbol="AIG") for limit in buys}
    orders |= {("sell", limit): desk.sell("1", limit=str(limit), symbol="AIG") for limit in sells}
    assert {desk.now(order).status for order in orders.values()} == {"new"}

    market_kit.advance(CLOSE)

    rows, expected = first_fills(path, buys, sells)
    assert rows == ROWS
    fills = Fill.objects.filter(order__in=orders.values()).select_related("quote")
    by_order = {fill.order_id: (wire(fill.quote.quoted_at), fill.price, fill.created_at) for fill in fills}
    assert len(by_order) == len(fills)
    for key, order in orders.items():
        due = expected.get(key)
        if due is None:
            assert (order.pk in by_order, desk.now(order).status) == (False, "expired"), key
        else:
            stamp, price, at = by_order[order.pk]
            assert (stamp, price, wire(at)) == (due.stamp, Decimal(due.price), due.stamp), key
    sides = {side: sum(1 for found, _ in expected if found == side) for side in ("buy", "sell")}
    assert all(5 < count <= EACH_SIDE for count in sides.values()) and len(expected) < 2 * EACH_SIDE, sides
    check_account(desk.account)
