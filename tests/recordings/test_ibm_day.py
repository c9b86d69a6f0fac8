"""The IBM tick file of 2013-10-07, played at speed 0: fills are exactly what the file shows, recomputed by day_file.py."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from orders.models import Fill, Order
from tests.desk import Desk
from tests.market_kit import MarketKit
from tests.recordings.day_file import DayFile, Row, why_not

OPEN = datetime(2013, 10, 7, 13, 30, tzinfo=UTC)
CLOSE = datetime(2013, 10, 7, 20, 0, tzinfo=UTC)
START = "2013-10-07T13:00:00Z"
MUCH = "100000"  # more shares than any row displays
CASH = "1000000000"


@pytest.fixture(scope="module")
def path(shared_data: Path) -> Path:
    return shared_data / "equity" / "IBM" / "IBM_20131007_tick.csv.gz"


@pytest.fixture(scope="module")
def day(path: Path) -> DayFile:
    return DayFile(path)


@pytest.fixture
def desk(market_kit: MarketKit, trader: Any, path: Path) -> Desk:
    market_kit.play_files(path, start=START)
    return Desk(trader, CASH)


def in_session(day: DayFile) -> list[Row]:
    return [row for row in day.rows["IBM"] if OPEN < row.ts < CLOSE]


def instants(day: DayFile) -> list[datetime]:
    """Spread at random, on rows themselves, on every kind of bad quote, and in the longest silences."""
    chance, rows = random.Random(7), in_session(day)
    chosen = [OPEN + timedelta(milliseconds=chance.randrange(1, 6 * 3600 * 1000)) for _ in range(40)]
    chosen += [row.ts for row in chance.sample(rows, 20)]
    chosen += [row.ts for row in chance.sample([row for row in rows if row.bid and row.ask and row.bid > row.ask], 8)]
    chosen += [row.ts for row in chance.sample([row for row in rows if row.bid == row.ask], 8)]
    silences = sorted(pairwise(rows), key=lambda pair: pair[0].ts - pair[1].ts)[:6]
    chosen += [after.ts - timedelta(milliseconds=1) for _, after in silences]
    return sorted(set(chosen))


def test_a_buy_at_any_instant_fills_at_the_ask_and_at_most_the_displayed_size(
    desk: Desk, day: DayFile, market_kit: MarketKit
) -> None:
    seen: dict[str, int] = {}
    for instant in instants(day):
        market_kit.advance(instant)
        desk.reset(initial_cash=CASH)  # a generation of its own: nothing was taken of any price yet
        order, row = desk.buy(MUCH), day.at("IBM", instant)
        reason = why_not(row, instant, OPEN)
        if reason is None:
            assert row is not None and row.ask is not None
            assert desk.fills(order) == [(f"{row.ask_size.normalize():f}", f"{row.ask:.2f}")], instant
        else:
            assert (desk.state(order), desk.fills(order)) == (("new", reason), []), instant
        seen[reason or "filled"] = seen.get(reason or "filled", 0) + 1
        desk.cancel(order)
    assert seen["filled"] > 50 and seen["quote_crossed"] >= 5 and seen["quote_stale"] >= 4, seen


def test_a_sell_at_any_instant_fills_at_the_bid_and_at_most_the_displayed_size(
    day: DayFile, desk: Desk, market_kit: MarketKit
) -> None:
    sold = capped = 0
    for instant in instants(day)[5::3]:
        market_kit.advance(instant)
        row = day.at("IBM", instant)
        if why_not(row, instant, OPEN) is not None:
            continue
        assert row is not None and row.bid is not None
        desk.reset(initial_cash=CASH)
        desk.cancel(desk.buy(MUCH))  # what is displayed on the ask; the rest is not wanted
        held = desk.position().qty
        expected = min(held, row.bid_size)
        assert desk.fills(desk.sell(str(held))) == [(f"{expected.normalize():f}", f"{row.bid:.2f}")], instant
        sold, capped = sold + 1, capped + (expected < held)
    assert sold > 10 and capped > 2


def test_a_waiting_limit_order_fills_on_the_first_quote_that_can_fill_it(
    desk: Desk, day: DayFile, market_kit: MarketKit
) -> None:
    market_kit.advance(OPEN + timedelta(minutes=5))
    sent = market_kit.now()
    now = day.at("IBM", sent)
    assert now is not None and now.ask is not None
    limits = [now.ask - Decimal("0.05") * step for step in range(1, 31)]
    orders = {limit: desk.buy("1", limit=str(limit)) for limit in limits}
    market_kit.advance(CLOSE)
    filled = 0
    for limit, order in orders.items():
        reachable = (
            row
            for row in in_session(day)
            if row.ts > sent
            and row.ask is not None
            and row.ask <= limit
            and row.ask_size
            and why_not(row, row.ts, OPEN) is None
        )
        first = next(reachable, None)
        if first is None:
            assert desk.now(order).status == "expired"
            continue
        filled += 1
        fill = Fill.objects.select_related("quote").get(order_id=order.pk)
        assert (fill.price, fill.created_at, fill.quote.quoted_at) == (first.ask, first.ts, first.ts), limit
    assert 5 < filled < 30, "some filled and some did not: a telling day"


def test_before_the_open_and_after_the_close_nothing_fills(desk: Desk, day: DayFile, market_kit: MarketKit) -> None:
    order = desk.buy("100")
    market_kit.advance(OPEN - timedelta(milliseconds=1))
    assert desk.now(order).status == "accepted"
    market_kit.advance(OPEN + timedelta(seconds=30))
    first = next(row for row in in_session(day) if why_not(row, row.ts, OPEN) is None)
    fill = Fill.objects.select_related("quote").filter(order_id=order.pk).earliest("seq")
    assert (fill.price, fill.created_at) == (first.ask, first.ts)
    market_kit.advance(CLOSE)
    late = desk.buy("100")
    market_kit.advance("2013-10-08T00:01:00Z")
    assert (desk.now(late).status, desk.fills(late)) == ("accepted", [])


def play_a_day(kit: MarketKit, path: Path, trader: Any, minutes_a_step: int) -> tuple[str, int]:
    """The ledger's head and the number of fills of one strategy on this day, time moved in steps of that many minutes."""
    kit.play_files(path, start=START)
    desk = Desk(trader, CASH)

    def go(to: datetime) -> None:
        while kit.now() < to:
            kit.advance(min(to, kit.now() + timedelta(minutes=minutes_a_step)))

    desk.buy("500")
    go(OPEN + timedelta(minutes=15))
    for step in range(10):
        desk.buy("700", limit=str(Decimal("182.60") - Decimal("0.10") * step))
    go(OPEN + timedelta(hours=2))
    desk.sell("300")
    desk.sell("150", limit="182.40")
    desk.buy("5000")
    go(CLOSE)
    desk.book.refresh_from_db()
    return desk.book.ledger_head, Fill.objects.filter(book=desk.book).count()


def test_the_same_run_gives_the_same_ledger_head_in_one_step_or_in_many(
    market_kit: MarketKit, trader: Any, path: Path
) -> None:
    first = play_a_day(market_kit, path, trader, minutes_a_step=600)
    assert first[1] > 10
    assert play_a_day(market_kit, path, trader, minutes_a_step=600) == first, "the run repeated"
    assert play_a_day(market_kit, path, trader, minutes_a_step=3) == first, "in many steps"
    assert Order.objects.exists()
