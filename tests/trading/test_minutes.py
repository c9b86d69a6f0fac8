"""The minutes of a session in which nothing else happens: written together, and the books of one step or of many."""

from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from django.db import connection

from marketdata import clock
from marketdata.markets.current import current_market
from papertrade.trading import mover
from papertrade.trading.clock import moving
from papertrade.trading.mover import the_mover
from portfolio import services
from portfolio.models import Book, EquitySnapshot
from tests.desk import Desk, dec
from tests.factories import UserFactory
from tests.market_kit import MarketKit, at
from tests.trading.test_determinism import move, simulated

MINUTE = timedelta(minutes=1)


def snapshots(desk: Desk) -> list[tuple[Any, ...]]:
    """What the latest book was worth, in the order in which it was said, and its peak."""
    found = EquitySnapshot.objects.filter(book=desk.book).order_by("pk").values_list("at", "equity", "drawdown")
    return [*found, *Book.objects.filter(pk=desk.book.pk).values_list("peak_equity", "max_drawdown")]


def falling(kit: MarketKit) -> None:
    """A bid that moves by a cent every half minute, up to 14:40 and then down."""
    bids = [100 + (80 - abs(80 - number)) / 100 for number in range(160)]
    times = [at("14:00:00") + number * MINUTE / 2 for number in range(160)]
    kit.play(
        *(f"{time:%H:%M:%S} IBM {bid:.2f} {bid + 0.1:.2f}" for time, bid in zip(times, bids, strict=True)),
        start="14:00:00",
    )


@pytest.mark.parametrize("chunk", [1000, 100, 2, 1], ids=lambda chunk: f"{chunk} books a chunk")
def test_together_or_one_by_one(market_kit: MarketKit, monkeypatch: pytest.MonkeyPatch, chunk: int) -> None:
    """Also where they are more books than a chunk has."""
    seen = []
    for together in (True, False):
        falling(market_kit)
        desks = [Desk(UserFactory()) for _ in range(3)]
        for desk in desks:
            desk.buy("10")
        with monkeypatch.context() as patched:
            if together:
                patched.setattr(services, "SNAPSHOT_CHUNK_BOOKS", chunk)
                patched.setattr(mover, "SNAPSHOT_CHUNK_BOOKS", chunk)
            move(market_kit, at("15:10:00"), timedelta(hours=2) if together else MINUTE)
        seen.append([snapshots(desk) for desk in desks])
    assert seen[0] == seen[1]
    assert [row[0] for row in seen[0][0][1:-1]] == [at("14:00:00"), *(at("14:01:00") + n * MINUTE for n in range(70))]
    assert seen[0][0][-1] == (dec("100007"), dec("0.00006"))


def test_an_hour_is_one_transaction(market_kit: MarketKit) -> None:
    falling(market_kit)
    desk = Desk(UserFactory())
    desk.buy("10")
    with (
        patch.object(mover, "ask_for_holding_books", wraps=mover.ask_for_holding_books) as locked,
        patch.object(clock, "ask_to_commit_position", wraps=clock.ask_to_commit_position) as committed,
    ):
        market_kit.advance("15:10:00")
    assert locked.call_count == committed.call_count == 2
    assert EquitySnapshot.objects.filter(book=desk.book, at__gt=at("14:00:00")).count() == 70


def test_their_snapshots_are_planned_once(market_kit: MarketKit) -> None:
    """For an array of books PostgreSQL would make a plan each time, which takes longer than the snapshot."""
    falling(market_kit)
    Desk(UserFactory()).buy("10")
    before = plans()
    market_kit.advance("15:10:00")
    custom, generic = (now - was for now, was in zip(plans(), before, strict=True))
    assert custom == 0 and generic > 60


def plans() -> tuple[int, int]:
    """How often a snapshot was planned for its own values on this connection, and how often it was not."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(custom_plans), 0)::int, coalesce(sum(generic_plans), 0)::int "
            "FROM pg_prepared_statements WHERE statement LIKE '%valued AS%'"
        )
        found: tuple[int, int] = cursor.fetchone()
    return found


def test_a_book_that_a_request_has_taken_further_goes_on_from_there(market_kit: MarketKit) -> None:
    """A running clock lets requests be seconds ahead: no snapshot comes before one that is there, and the next ones do."""
    falling(market_kit)
    desk = Desk(UserFactory())
    desk.buy("10")
    first = EquitySnapshot.objects.filter(book=desk.book).first()
    assert first is not None
    ahead = at("14:01:03")
    EquitySnapshot.objects.create(
        **{
            field.attname: getattr(first, field.attname)
            for field in EquitySnapshot._meta.concrete_fields
            if not field.primary_key
        }
        | {"at": ahead}
    )
    market_kit.advance("14:04:00")
    later = (
        EquitySnapshot.objects.filter(book=desk.book, at__gt=at("14:00:00")).order_by("at").values_list("at", flat=True)
    )
    assert list(later) == [ahead, at("14:02:00"), at("14:03:00"), at("14:04:00")]


def test_a_step_whose_time_is_up_ends_after_a_minute_and_loses_none(market_kit: MarketKit) -> None:
    falling(market_kit)
    desk = Desk(UserFactory())
    desk.buy("10")
    steps = 1
    with moving():
        while not the_mover().step(at("14:05:30"), seconds=0):
            steps += 1
    assert steps == 6
    later = (
        EquitySnapshot.objects.filter(book=desk.book, at__gt=at("14:00:00")).order_by("at").values_list("at", flat=True)
    )
    assert list(later) == [at("14:00:00") + number * MINUTE for number in range(1, 6)]


def test_a_simulated_stock_is_marked_by_its_latest_quote_whoever_else_has_orders(
    market_kit: MarketKit, settings: Any
) -> None:
    """Its quotes are computed for the instants that need a mark: each minute, and each fill of another stock."""
    seen = []
    for step in (timedelta(hours=1), timedelta(seconds=7)):
        simulated(market_kit, settings)
        market_kit.advance("14:00:00")
        desk = Desk(UserFactory())
        desk.buy("100", symbol="AAPL")
        ask = current_market().latest(["MSFT"], at=at("14:00:00"))["MSFT"].ask
        assert ask is not None
        for cents in range(0, 200, 10):
            desk.buy("1", symbol="MSFT", limit=str(ask - dec(cents) / 100))
        desk.buy("1", symbol="F")
        move(market_kit, at("14:20:00"), step)
        seen.append(snapshots(desk))
    assert seen[0] == seen[1]
    fills = [row[0] for row in seen[0][:-1] if row[0] > at("14:00:00") and row[0].microsecond]
    assert len(fills) > 3, "some limits were reached between two minutes"
    for moment, equity in {row[0]: row[1] for row in seen[0][:-1]}.items():
        assert equity == worth(desk, moment), moment


def worth(desk: Desk, moment: datetime) -> Any:
    """Cash and what is held at the bids that stood then, out of the fills and the quotes alone."""
    fills = [fill for order in desk.account.orders.all() for fill in order.fills.all() if fill.created_at <= moment]
    cash = dec(100_000) - sum(fill.gross_amount for fill in fills)
    held = {symbol: sum(fill.qty for fill in fills if fill.symbol == symbol) for symbol in {f.symbol for f in fills}}
    quotes = current_market().latest(list(held), at=moment)
    return cash + sum(qty * (quotes[symbol].bid or 0) for symbol, qty in held.items())
