"""A session's open that waits for workers: many books with orders in small chunks, and nobody who has begun."""

import pytest

from marketdata.markets.current import current_market
from marketdata.sessions import calendar
from orders.models import Sweep
from orders.sweeps import sweeping
from papertrade.trading.mover import the_mover
from tests.desk import Desk
from tests.factories import UserFactory
from tests.market_kit import MarketKit, at


def run_of_many_chunks(
    market_kit: MarketKit, monkeypatch: pytest.MonkeyPatch, *, books: int, orders_a_book: int
) -> Sweep:
    """The open of DAY, made as the mover makes it: a chunk for each book, every order to be filled at 100.10."""
    monkeypatch.setattr(sweeping, "CHUNK_ORDERS", orders_a_book)
    market_kit.play("13:30:00 IBM 100.00 100.10", start="13:00:00")
    for _ in range(books):
        desk = Desk(UserFactory())
        for _ in range(orders_a_book):
            desk.buy("1")
    mover = the_mover()
    mover.cursor.seek(at("13:30:00"), whole=True)
    quotes = current_market().latest_of(mover.cursor, ["IBM"], at("13:30:00"))
    run = sweeping.begin(
        Sweep.Kind.OPEN, calendar().session_at(at("13:30:00")), at=at("13:30:00"), quotes=quotes.values
    )
    assert run is not None and run.chunks.count() == books
    return run
