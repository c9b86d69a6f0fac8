"""Round trips by worked examples, and what must hold of any run: results add up to what the books realized."""

import tracemalloc
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio.booking import FLAT, Holding, book_buy, book_sell
from portfolio.money import round_money
from portfolio.round_trips import METHODS, Execution, RoundTrip, fifo, flat_to_flat, round_trips

START = datetime(2024, 3, 4, 14, 30, tzinfo=UTC)


def run(*lines: str) -> list[Execution]:
    """`"buy 10 AAA 5.00"`, one a minute, booked as the books would; `settle` ends an option, `@0.05` is the spread paid."""
    held: dict[str, Holding] = {}
    found = []
    for minute, line in enumerate(lines):
        word, qty, symbol, price, *spread = line.split()
        amount = round_money(Decimal(qty) * Decimal(price))
        before = held.get(symbol, FLAT)
        booking = book_buy(before, Decimal(qty), amount) if word == "buy" else book_sell(before, Decimal(qty), amount)
        held[symbol] = booking.holding
        found.append(
            Execution(
                at=START + timedelta(minutes=minute),
                symbol=symbol,
                multiplier=1,
                is_buy=word == "buy",
                qty=Decimal(qty),
                price=Decimal(price),
                amount=amount,
                realized_pl=booking.realized_pl,
                spread_cost=Decimal(spread[0].removeprefix("@")) if spread else None,
                kind="settlement" if word == "settle" else "fill",
            )
        )
    return found


def told(trips: Iterable[RoundTrip]) -> list[tuple[Any, ...]]:
    """Minutes of begin and end, symbol, quantity, entry, exit, result."""
    return [
        (
            (trip.opened_at - START).seconds // 60,
            (trip.closed_at - START).seconds // 60 if trip.closed_at else None,
            trip.symbol,
            f"{trip.qty:f}",
            f"{trip.entry_price:.2f}",
            f"{trip.exit_price:.2f}" if trip.exit_price is not None else None,
            f"{trip.realized_pl:.2f}",
        )
        for trip in trips
    ]


CASES = {
    "one and out": (
        ["buy 10 A 5", "sell 10 A 6"],
        [(0, 1, "A", "10", "5.00", "6.00", "10.00")],
        [(0, 1, "A", "10", "5.00", "6.00", "10.00")],
    ),
    "two lots, sold in two": (
        ["buy 10 A 5", "buy 10 A 7", "sell 10 A 8", "sell 10 A 8"],
        [(0, 3, "A", "20", "6.00", "8.00", "40.00")],
        [(0, 2, "A", "10", "5.00", "8.00", "30.00"), (1, 3, "A", "10", "7.00", "8.00", "10.00")],
    ),
    "a sale over two lots": (
        ["buy 10 A 5", "buy 10 A 7", "sell 15 A 8"],
        [(0, None, "A", "20", "6.00", "8.00", "30.00")],
        [(0, 2, "A", "10", "5.00", "8.00", "30.00"), (1, 2, "A", "5", "7.00", "8.00", "5.00"), (1, None, "A", "5", "7.00", None, "0.00")],
    ),
    "still held": (["buy 1 A 5"], [(0, None, "A", "1", "5.00", None, "0.00")], [(0, None, "A", "1", "5.00", None, "0.00")]),
    "twice, and another symbol between": (
        ["buy 1 A 5", "buy 2 B 3", "sell 1 A 4", "buy 1 A 4", "sell 2 B 3", "sell 1 A 6"],
        [(0, 2, "A", "1", "5.00", "4.00", "-1.00"), (1, 4, "B", "2", "3.00", "3.00", "0.00"), (3, 5, "A", "1", "4.00", "6.00", "2.00")],
        [(0, 2, "A", "1", "5.00", "4.00", "-1.00"), (1, 4, "B", "2", "3.00", "3.00", "0.00"), (3, 5, "A", "1", "4.00", "6.00", "2.00")],
    ),
    "settled for nothing": (
        ["buy 2 O 4", "settle 2 O 0"],
        [(0, 1, "O", "2", "4.00", "0.00", "-8.00")],
        [(0, 1, "O", "2", "4.00", "0.00", "-8.00")],
    ),
    "nothing": ([], [], []),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_worked_examples(case: str) -> None:
    lines, flat, lots = CASES[case]
    assert told(round_trips(run(*lines), "flat")) == flat
    assert told(round_trips(run(*lines), "fifo")) == lots


def test_a_settlement_shows_and_costs_add_up() -> None:
    (trip,) = flat_to_flat(run("buy 2 O 4 @0.10", "settle 2 O 9"))
    assert trip.settled and trip.spread_cost is None  # a settlement crosses no spread that is known
    (trip,) = flat_to_flat(run("buy 2 A 4 @0.10", "sell 2 A 5 @0.30"))
    assert (trip.settled, trip.spread_cost, trip.result_share) == (False, Decimal("0.40"), Decimal("0.25"))


def test_parts_of_a_lot_share_its_money_to_the_last_decimal() -> None:
    """Three thirds of 10.00, each cut from what the ones before left."""
    trips = list(fifo(run("buy 3 A 3.333333 @0.1", "sell 1 A 4 @0", "sell 1 A 4 @0", "sell 1 A 4 @0")))
    assert [str(trip.cost) for trip in trips] == ["3.3333", "3.3334", "3.3333"]
    assert sum(trip.cost for trip in trips) == Decimal("10.0000")
    assert sum(trip.spread_cost for trip in trips) == Decimal("0.1")


def test_every_way_of_counting_is_there() -> None:
    assert {"flat": flat_to_flat, "fifo": fifo} == METHODS


@st.composite
def days(draw: Any) -> list[str]:
    held: dict[str, int] = {}
    lines = []
    for _ in range(draw(st.integers(0, 25))):
        symbol = draw(st.sampled_from("AB"))
        sell = held.get(symbol, 0) and draw(st.booleans())
        qty = draw(st.integers(1, held[symbol] if sell else 50))
        held[symbol] = held.get(symbol, 0) + (-qty if sell else qty)
        price = draw(st.decimals("0.0001", "999", places=4))
        lines.append(f"{'sell' if sell else 'buy'} {qty} {symbol} {price} @0.01")
    return lines


@given(days())
def test_results_add_up_to_what_the_books_realized(lines: list[str]) -> None:
    """In all for flat-to-flat; for FIFO of every symbol that is flat. No share, cent or cost is lost or counted twice."""
    executions = run(*lines)
    for symbol in "AB":
        mine = [part for part in executions if part.symbol == symbol]
        realized = sum(part.realized_pl for part in mine)
        flat, lots = ([trip for trip in round_trips(executions, way) if trip.symbol == symbol] for way in METHODS)
        assert sum(trip.realized_pl for trip in flat) == realized
        for trips in (flat, lots):
            assert sum(trip.cost for trip in trips) == sum(part.amount for part in mine if part.is_buy)
            assert sum(trip.proceeds for trip in trips) == sum(part.amount for part in mine if not part.is_buy)
            assert sum(trip.qty for trip in trips) == sum(part.qty for part in mine if part.is_buy)
            assert sum(trip.spread_cost for trip in trips) == sum(part.spread_cost for part in mine)
            assert all(trip.spread_cost == trip.spread_paid for trip in trips)
            assert sum(len(trip.entries) for trip in flat) == sum(part.is_buy for part in mine)
        if not any(trip.is_open for trip in flat):
            assert not any(trip.is_open for trip in lots)
            assert sum(trip.realized_pl for trip in lots) == realized


def never_flat(count: int) -> Iterator[Execution]:
    """Ten shares that are held all the time, and one more that is bought and sold again and again."""
    for number in range(count):
        buys = number % 2 == 0
        yield Execution(
            at=START + timedelta(seconds=number),
            symbol="A",
            multiplier=1,
            is_buy=buys,
            qty=Decimal(10 if not number else 1),
            price=Decimal(5),
            amount=Decimal(5),
            realized_pl=Decimal(0),
            spread_cost=Decimal("0.01"),
        )


@pytest.mark.parametrize("method", METHODS)
def test_a_long_run_takes_the_memory_of_what_is_held(method: str) -> None:
    list(METHODS[method](never_flat(100)))
    tracemalloc.start()
    try:
        ended = sum(not trip.is_open for trip in METHODS[method](never_flat(10_001)))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert ended == (0 if method == "flat" else 5000)
    assert peak < 100_000, "bytes; an execution has a few hundred"
