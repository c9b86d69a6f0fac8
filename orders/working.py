"""Working orders: which of them a quote could fill, found by index, and the quote put to them.

Only a quote that could reach its limit touches an order. The exception: an order whose reason on file is a fault of the quote
is evaluated once more against the first usable quote (trading-rules.md section 5). So the cost of a quote follows the orders of
its symbol that are near it, not the table.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from operator import attrgetter

import psycopg

from marketdata import clock
from marketdata.markets.current import current_market
from marketdata.quotes import Quote, QuoteFault, fault
from marketdata.sessions import Session, calendar
from orders.engine import Engine
from orders.matching import marketable
from orders.models import Order
from orders.states import OPEN
from orders.supplies import Supply, load_taken, supply_of
from orders.terms import Side
from papertrade.lib.postgres import instances, raw_cursor
from portfolio.books import OpenBook
from portfolio.marks import mark_of
from portfolio.store import lock_books

FAULTS = frozenset(QuoteFault)
CHUNK_ORDERS = 200  # under a tenth of a second under lock


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the open orders of a symbol reach: the best limits, USD per share; None = no such order.

    `waiting`: some were last judged by a quote that was at fault, and wait for one that is usable.
    """

    market_buys: bool = False
    market_sells: bool = False
    highest_buy: Decimal | None = None
    lowest_sell: Decimal | None = None
    waiting: bool = False

    def touched_by(self, quote: Quote) -> bool:
        """Whether the raw quote could fill any of them, or a usable one changes why they have not filled."""
        ask, bid = quote.ask, quote.bid
        return (
            self.market_buys
            or self.market_sells
            or (self.waiting and is_usable(quote))
            or (self.highest_buy is not None and ask is not None and ask <= self.highest_buy)
            or (self.lowest_sell is not None and bid is not None and bid >= self.lowest_sell)
        )


NO_REACH = Reach()

_OPEN = "status IN ({})".format(", ".join(f"'{status}'" for status in sorted(OPEN)))

_WAITING = "no_fill_reason IN ({})".format(", ".join(f"'{reason}'" for reason in sorted(QuoteFault)))

# Four probes of the partial index order_working and one of order_waiting per symbol, however many orders it has.
_REACHES = f"""
    SELECT s.symbol,
           EXISTS (SELECT FROM orders_order WHERE symbol = s.symbol AND side = 'buy' AND limit_price IS NULL AND {_OPEN}),
           EXISTS (SELECT FROM orders_order WHERE symbol = s.symbol AND side = 'sell' AND limit_price IS NULL AND {_OPEN}),
           (SELECT limit_price FROM orders_order WHERE symbol = s.symbol AND side = 'buy' AND limit_price IS NOT NULL
            AND {_OPEN} ORDER BY limit_price DESC LIMIT 1),
           (SELECT limit_price FROM orders_order WHERE symbol = s.symbol AND side = 'sell' AND limit_price IS NOT NULL
            AND {_OPEN} ORDER BY limit_price LIMIT 1),
           EXISTS (SELECT FROM orders_order WHERE symbol = s.symbol AND {_WAITING} AND {_OPEN})
    FROM unnest(%s::text[]) AS s(symbol)
"""


def reaches(symbols: Collection[str]) -> dict[str, Reach]:
    """How far the open orders of each symbol reach."""
    with raw_cursor() as cursor:
        return {symbol: Reach(*limits) for symbol, *limits in cursor.execute(_REACHES, [list(symbols)]).fetchall()}


def newest_supplies() -> dict[tuple[str, bool], tuple[Decimal, datetime]]:
    """The price that open books took from last, and since when it had stood, by (symbol, whether it was the ask)."""
    with raw_cursor() as cursor:
        rows = cursor.execute(_NEWEST_SUPPLIES).fetchall()
    return {(symbol, side == Side.BUY): (price, since) for symbol, side, price, since in rows}


# One probe of the index fill_taken for each symbol and side of a book; a book that never held a symbol took none of it.
_NEWEST_SUPPLIES = """
    SELECT DISTINCT ON (f.symbol, f.side) f.symbol, f.side, f.price, f.price_since
    FROM portfolio_position p
    JOIN portfolio_book b ON b.id = p.book_id AND b.closed_at IS NULL
    CROSS JOIN unnest(ARRAY['buy', 'sell']) AS s(side)
    CROSS JOIN LATERAL (
        SELECT * FROM orders_fill WHERE book_id = p.book_id AND symbol = p.symbol AND side = s.side
        ORDER BY price_since DESC LIMIT 1
    ) AS f
    ORDER BY f.symbol, f.side, f.price_since DESC
"""


def symbols_with_open_orders() -> list[str]:
    """Symbols that any open order names, by a loose index scan."""
    with raw_cursor() as cursor:
        return [symbol for (symbol,) in cursor.execute(_OPEN_SYMBOLS).fetchall()]


_OPEN_SYMBOLS = f"""
    WITH RECURSIVE s AS (
        (SELECT symbol FROM orders_order WHERE {_OPEN} ORDER BY symbol LIMIT 1)
        UNION ALL
        SELECT (SELECT o.symbol FROM orders_order o WHERE {_OPEN} AND o.symbol > s.symbol ORDER BY o.symbol LIMIT 1)
        FROM s WHERE s.symbol IS NOT NULL
    )
    SELECT symbol FROM s WHERE symbol IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Put:
    """What putting quotes to a chunk of books came to: whether any order changed, and the last book of the chunk.

    `last_book` is None where no book was left behind it.
    """

    changed: bool
    last_book: int | None


def put(
    cursor: psycopg.Cursor,
    quotes: Sequence[Quote],
    *,
    at: datetime,
    session: Session,
    after_book: int = 0,
    resumed: bool = False,
) -> Put:
    """Put the quotes of one instant, in order, to the orders that they could fill: of a chunk of the books after `after_book`.

    Call inside a transaction. Books are independent, so in one chunk or in many the outcome is the same: in each book the
    quotes come in their order, and with each the orders by number, and what a book holds is marked by the quotes so far. An
    order is judged at `at`, or at its book's own time where that is later. `resumed`: requests have come since the first chunk,
    and a book of theirs may have caught up already.
    """
    near = _Near.of(quotes, at=at, after_book=after_book, resumed=resumed)
    chosen, last_book = _chunk(near.books(cursor, limit=CHUNK_ORDERS + 1))
    return Put(_put_to_books(cursor, near, chosen, quotes, at, session), last_book)


def put_to_book(cursor: psycopg.Cursor, book_id: int, reading: clock.ClockReading) -> bool:
    """Do for a locked book what a step left to the next: put the quotes of its instant to its orders; whether any changed."""
    if not reading.half_done or reading.through_book is None or book_id <= reading.through_book:
        return False
    at, session = reading.through, calendar().session_at(reading.through)
    if session is None or at == session.open:
        return False
    symbols = [symbol for (symbol,) in cursor.execute(_SYMBOLS_OF_BOOK, [book_id, book_id]).fetchall()]
    latest = current_market().latest(symbols, at=at, position=reading.position).values()
    quotes = sorted((quote for quote in latest if quote.at == at), key=lambda quote: (quote.quoted_at, quote.symbol))
    near = _Near.of(quotes, at=at, after_book=0, resumed=True)
    return _put_to_books(cursor, near, [book_id], quotes, at, session)


_SYMBOLS_OF_BOOK = f"""
    SELECT symbol FROM orders_order WHERE book_id = %s AND {_OPEN}
    UNION SELECT symbol FROM portfolio_position WHERE book_id = %s AND qty > 0
"""


def _put_to_books(
    cursor: psycopg.Cursor,
    near: "_Near",
    chosen: Sequence[int],
    quotes: Sequence[Quote],
    at: datetime,
    session: Session,
) -> bool:
    if not chosen or not quotes:
        return False
    books = {book.id: book for book in lock_books(cursor, chosen)}
    orders = near.orders(cursor, list(books))
    engine, changed = Engine(taken=load_taken(cursor, books, _supplies(orders, quotes))), False
    for book_id, in_book in groupby(orders, key=attrgetter("book_id")):
        if near.resumed and books[book_id].last_at > at:
            continue  # a request of its own has put these quotes to it already, and more has happened since
        changed |= _put_to_book(engine, books[book_id], list(in_book), quotes, at, session)
    if changed or engine.changed:
        engine.write(cursor)
    return changed


def _put_to_book(
    engine: Engine, book: OpenBook, orders: Sequence[Order], quotes: Sequence[Quote], at: datetime, session: Session
) -> bool:
    changed, symbols = False, {*book.positions, *(order.symbol for order in orders)}
    for quote in quotes:
        if quote.symbol not in symbols:
            continue
        mark = mark_of(quote)
        if mark is not None:
            book.mark({quote.symbol: (mark, quote.quoted_at)})
        for order in orders:
            if order.symbol == quote.symbol and order.is_open and (could_fill(order, quote) or waits_for(order, quote)):
                changed |= engine.evaluate(book, order, quote, book.advance_to(at), session)
    return changed


def could_fill(order: Order, quote: Quote) -> bool:
    """Whether the raw quote reaches the order: any that has no limit, else one that its price meets."""
    price = quote.ask if order.side == Side.BUY else quote.bid
    return order.limit_price is None or (price is not None and marketable(order.side, order.limit_price, price))


def waits_for(order: Order, quote: Quote) -> bool:
    """Whether the order's reason on file is a quote's fault that this quote does not have: it becomes the market's reason."""
    return order.no_fill_reason in FAULTS and is_usable(quote)


def is_usable(quote: Quote) -> bool:
    """Whether the quote itself, at its own time, has none of the faults that keep it from filling."""
    return fault(quote, at=quote.quoted_at, max_age=None, session_open=None) is None


def _supplies(orders: Sequence[Order], quotes: Sequence[Quote]) -> set[Supply]:
    by_symbol: dict[str, list[Quote]] = {}
    for quote in quotes:
        by_symbol.setdefault(quote.symbol, []).append(quote)
    return {supply_of(order.book_id, order.side, quote) for order in orders for quote in by_symbol[order.symbol]}


def _chunk(book_ids: Sequence[int]) -> tuple[list[int], int | None]:
    """The books of a chunk, given the book of each of its orders and of one more; the last, None where none is left."""
    if len(book_ids) <= CHUNK_ORDERS:
        return sorted(set(book_ids)), None
    # All of a book or nothing of it, so its last orders may have been cut off; a book that is a chunk alone is read whole.
    whole = sorted(set(book_ids) - {book_ids[-1]}) or [book_ids[-1]]
    return whole, whole[-1]


# The three kinds of orders that quotes reach, each found by the index order_working, prices by symbol being the best of all
# quotes; and those that wait for a usable quote and are not reached, found by order_waiting.
_NEAR = f"""
    FROM (
        SELECT o.id FROM unnest(%(symbols)s::text[], %(asks)s::numeric[]) AS q(symbol, price)
        JOIN orders_order o ON o.symbol = q.symbol AND o.side = 'buy' AND o.limit_price >= q.price AND {_OPEN}
        UNION ALL
        SELECT o.id FROM unnest(%(symbols)s::text[], %(bids)s::numeric[]) AS q(symbol, price)
        JOIN orders_order o ON o.symbol = q.symbol AND o.side = 'sell' AND o.limit_price <= q.price AND {_OPEN}
        UNION ALL
        SELECT o.id FROM unnest(%(symbols)s::text[]) AS q(symbol)
        JOIN orders_order o ON o.symbol = q.symbol AND o.side IN ('buy', 'sell') AND o.limit_price IS NULL AND {_OPEN}
        UNION ALL
        SELECT o.id FROM unnest(%(symbols)s::text[], %(asks)s::numeric[], %(bids)s::numeric[], %(usable)s::boolean[])
            AS q(symbol, ask, bid, usable)
        JOIN orders_order o ON q.usable AND o.symbol = q.symbol AND o.limit_price IS NOT NULL AND {_WAITING} AND {_OPEN}
            AND coalesce(CASE o.side WHEN 'buy' THEN o.limit_price < q.ask ELSE o.limit_price > q.bid END, true)
    ) AS near JOIN orders_order o USING (id)
    WHERE o.submitted_at <= %(at)s AND o.expires_at > %(at)s
      AND (NOT %(resumed)s::boolean OR o.updated_at < %(at)s)
"""
_COLUMNS = ", ".join(f"o.{column.column}" for column in Order._meta.concrete_fields)


@dataclass(frozen=True, slots=True)
class _Near:
    """The open orders that some quotes of one instant could fill: sent by then, and not due to expire by then."""

    values: dict[str, object]

    @property
    def resumed(self) -> bool:
        return bool(self.values["resumed"])

    @classmethod
    def of(cls, quotes: Sequence[Quote], *, at: datetime, after_book: int, resumed: bool) -> "_Near":
        asks: dict[str, Decimal | None] = {}
        bids: dict[str, Decimal | None] = {}
        usable: dict[str, bool] = {}
        for quote in quotes:
            usable[quote.symbol] = usable.get(quote.symbol, False) or is_usable(quote)
            asks[quote.symbol] = _best(min, asks.get(quote.symbol), quote.ask)
            bids[quote.symbol] = _best(max, bids.get(quote.symbol), quote.bid)
        return cls(
            {
                "symbols": list(asks),
                "asks": list(asks.values()),
                "bids": list(bids.values()),
                "usable": list(usable.values()),
                "at": at,
                "after_book": after_book,
                "resumed": resumed,
            }
        )

    def books(self, cursor: psycopg.Cursor, *, limit: int) -> list[int]:
        """The book of each of the first orders, in order of their books."""
        found = cursor.execute(
            f"SELECT o.book_id {_NEAR} AND o.book_id > %(after_book)s ORDER BY o.book_id LIMIT %(limit)s",
            {**self.values, "limit": limit},
        )
        return [book_id for (book_id,) in found.fetchall()]

    def orders(self, cursor: psycopg.Cursor, books: Collection[int]) -> list[Order]:
        """Those of locked books, by book and number."""
        found = cursor.execute(
            f"SELECT {_COLUMNS} {_NEAR} AND o.book_id = ANY(%(books)s) ORDER BY o.book_id, o.number",
            {**self.values, "books": list(books)},
            binary=True,
        )
        return instances(Order, found.fetchall())


def _best(
    choose: Callable[[Decimal, Decimal], Decimal], known: Decimal | None, price: Decimal | None
) -> Decimal | None:
    return price if known is None else known if price is None else choose(known, price)
