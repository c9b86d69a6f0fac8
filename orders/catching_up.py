"""Bringing a request's own book up to date: what comes before the request is done before it.

A step lets requests pass before it has come to every book, in the middle of the quotes of an instant and in the middle of an
open or a close (`papertrade.trading.mover`). Books are independent: a request does for its own what is due, and then itself. So
one step or many give the same books, and nobody waits for those of others.
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import psycopg

from marketdata import clock
from marketdata.markets.current import current_market
from orders import working
from orders.sweeps import sweeping
from portfolio.marks import Mark, keep_marks, mark_of
from portfolio.services import is_minute, snapshot_books_between

Given = ParamSpec("Given")
Result = TypeVar("Result")
PATIENCE_SECONDS = 0.3  # a step of a live market and a little more
POLL_SECONDS = 0.05


def patient(use_case: Callable[Given, Result]) -> Callable[Given, Result]:
    """Try a use case again for a moment while the market is behind; after that MarketIsBehind is raised.

    The use case must own its transaction, so that nothing is held in between.
    """

    @wraps(use_case)
    def tried(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return use_case(*args, **kwargs)
            except clock.MarketIsBehind:
                if time.monotonic() >= until:
                    raise
                time.sleep(POLL_SECONDS)

    return tried


def catch_up(cursor: psycopg.Cursor, book_id: int, reading: clock.ClockReading) -> bool:
    """Do for a book what is due before a request of now; whether that may have changed it, so that it must be loaded anew.

    The book must be locked, the gate passed. Call in the request's transaction. Raises MarketIsBehind where it cannot be done
    from here, and BookUnavailable.
    """
    reading.refuse_if_behind()
    if reading.through_book is None:
        return False
    if reading.half_done:
        return working.put_to_book(cursor, book_id, reading)
    boundary, swept = sweeping.boundary_at(reading.through), False
    if boundary is not None:
        swept = sweeping.do_book(cursor, *boundary, book_id)
    elif is_minute(reading.through):
        _keep_marks(cursor, book_id, reading)
    else:
        return False
    return bool(snapshot_books_between(cursor, book_id - 1, book_id, at=reading.through)) or swept


def _keep_marks(cursor: psycopg.Cursor, book_id: int, reading: clock.ClockReading) -> None:
    """The marks that quotes stamped at a minute give what the book holds: whoever moved the market there died before them."""
    symbols = [symbol for (symbol,) in cursor.execute(_HELD, [book_id]).fetchall()]
    latest = current_market().latest(symbols, at=reading.through, position=reading.position)
    stamped_then = {symbol: quote for symbol, quote in latest.items() if quote.at == reading.through}
    marks = {
        symbol: Mark(mark, quote) for symbol, quote in stamped_then.items() if (mark := mark_of(quote)) is not None
    }
    keep_marks(cursor, marks)


_HELD = "SELECT symbol FROM portfolio_position WHERE book_id = %s AND qty > 0"
