"""The TWX option contracts of 2014-06-05 (minute bars), at speed 0: fills and refusals are what the file shows."""

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from orders.models import Fill
from orders.services import cancel_all
from tests.desk import Desk
from tests.market_kit import MarketKit
from tests.recordings.day_file import DayFile, why_not

OPEN = datetime(2014, 6, 5, 13, 30, tzinfo=UTC)
CLOSE = datetime(2014, 6, 5, 20, 0, tzinfo=UTC)
CASH = "1000000000000"
MUCH = "5000"  # contracts; more than most rows display


@pytest.fixture(scope="module")
def path(shared_data: Path) -> Path:
    return shared_data / "option" / "TWX" / "TWX_20140605_options_minute.csv.gz"


@pytest.fixture(scope="module")
def day(path: Path) -> DayFile:
    return DayFile(path)


@pytest.fixture
def desk(market_kit: MarketKit, trader: Any, path: Path) -> Desk:
    market_kit.play_files(path, start="2014-06-05T13:00:00Z")
    return Desk(trader, CASH)


def choices(day: DayFile) -> list[tuple[datetime, list[str]]]:
    """Instants at random; at each some contracts at random, and some that have each kind of bad quote just then."""
    chance, symbols = random.Random(5), sorted(day.rows)
    chosen = []
    for _ in range(16):
        instant = OPEN + timedelta(seconds=chance.randrange(90, 6 * 3600))
        reasons = {symbol: why_not(day.at(symbol, instant), instant, OPEN, option=True) for symbol in symbols}
        some = {*chance.sample(symbols, 5), "O:TWX140621C00999000"}
        for wrong in ("quote_missing", "quote_invalid", "option_spread_too_wide"):
            some |= set([symbol for symbol in symbols if reasons[symbol] == wrong][:2])
        chosen.append((instant, sorted(some)))
    return sorted(chosen)


def test_a_buy_of_any_contract_at_any_instant(desk: Desk, day: DayFile, market_kit: MarketKit) -> None:
    seen: Counter[str] = Counter()
    for instant, symbols in choices(day):
        market_kit.advance(instant)
        desk.reset(initial_cash=CASH)  # a generation of its own: nothing was taken of any price yet
        for symbol in symbols:
            order, row = desk.buy(MUCH, symbol=symbol), day.at(symbol, instant)
            reason = why_not(row, instant, OPEN, option=True)
            seen[reason or "filled"] += 1
            if reason == "option_spread_too_wide":
                assert desk.state(order) == ("rejected", reason), (instant, symbol)
            elif reason is not None:
                assert (desk.state(order), desk.fills(order)) == (("new", reason), []), (instant, symbol)
            else:
                assert row is not None and row.ask is not None
                size = min(int(MUCH), int(row.ask_size))
                assert desk.fills(order) == ([(str(size), f"{row.ask:.2f}")] if size else []), (instant, symbol)
                cost = sum(Fill.objects.filter(order_id=order.pk).values_list("gross_amount", flat=True))
                assert cost == size * row.ask * 100
        cancel_all(account=desk.account)
    assert seen["filled"] > 20
    assert all(seen[word] for word in ("quote_missing", "quote_invalid", "quote_stale", "option_spread_too_wide")), seen


def test_a_working_order_waits_out_a_spread_that_is_too_wide(desk: Desk, day: DayFile, market_kit: MarketKit) -> None:
    symbol, wide = next(
        (symbol, row)
        for symbol, rows in sorted(day.rows.items())
        for before, row in pairwise(rows)
        if before.ts > OPEN
        and row.ts < CLOSE - timedelta(hours=1)
        and row.ts - before.ts == timedelta(minutes=1)
        and why_not(row, row.ts, OPEN, option=True) == "option_spread_too_wide"
        and before.bid is not None
        and before.ask is not None
        and before.ask > row.ask
        and before.bid <= before.ask
    )
    rows = [row for row in day.rows[symbol] if OPEN < row.ts < CLOSE]
    market_kit.advance(wide.ts - timedelta(seconds=1))
    order = desk.buy("1", limit=f"{wide.ask:.2f}", symbol=symbol)
    assert desk.state(order) == ("new", "not_marketable")
    market_kit.advance(wide.ts)
    assert desk.state(order) == ("new", "option_spread_too_wide")
    market_kit.advance(CLOSE - timedelta(seconds=1))
    first = next(
        (
            row
            for row in rows
            if row.ts > wide.ts
            and row.ask is not None
            and row.ask <= wide.ask
            and why_not(row, row.ts, OPEN, option=True) is None
            and row.ask_size
        ),
        None,
    )
    if first is None:
        assert desk.fills(order) == []
    else:
        fill = Fill.objects.get(order_id=order.pk)
        assert (fill.price, fill.created_at) == (first.ask, first.ts)


def test_a_bar_after_the_close_fills_nothing(desk: Desk, day: DayFile, market_kit: MarketKit) -> None:
    market_kit.advance(CLOSE)
    symbol = "O:TWX140719C00070000"
    order = desk.buy("1", symbol=symbol)
    market_kit.advance(CLOSE + timedelta(minutes=5))
    assert (desk.now(order).status, desk.fills(order)) == ("accepted", [])


def test_the_run_repeated_gives_the_same_ledger_head(
    market_kit: MarketKit, trader: Any, path: Path, day: DayFile
) -> None:
    chosen = choices(day)[::2]

    def run(seconds_a_step: int) -> str:
        market_kit.play_files(path, start="2014-06-05T13:00:00Z")
        desk = Desk(trader, CASH, policy={"option_quote_max_age_seconds": 600})
        for instant, symbols in chosen:
            while market_kit.now() < instant:
                market_kit.advance(min(instant, market_kit.now() + timedelta(seconds=seconds_a_step)))
            for symbol in symbols[:2]:
                desk.buy("100", symbol=symbol)
        market_kit.advance(CLOSE)
        return desk.book.ledger_head

    assert run(36_000) == run(36_000) == run(900)
