"""Working orders: which of them a quote could fill, found by index, and the quote put to them.

Nothing but a quote that could reach its limit touches an order (trading-rules.md section 5), so the cost of a quote
follows the orders of its symbol that are near it, not the table.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

import psycopg
from django.db.models import Q, QuerySet

from marketdata.quotes import Quote
from marketdata.sessions import Session
from orders.engine import Engine, load_taken, supply_of
from orders.models import IS_OPEN, Order
from orders.terms import Side
from papertrade.lib.postgres import fetch, raw_cursor
from portfolio.store import lock_books


@dataclass(frozen=True, slots=True)
class Reach:
    """How far the open orders of a symbol reach: the best limits, USD per share; None = no such order."""

    market_buys: bool = False
    market_sells: bool = False
    highest_buy: Decimal | None = None
    lowest_sell: Decimal | None = None

    def touched_by(self, quote: Quote) -> bool:
        """Whether the raw quote could fill any of them."""
        ask, bid = quote.ask, quote.bid
        return (
            self.market_buys
            or self.market_sells
            or (self.highest_buy is not None and ask is not None and ask <= self.highest_buy)
            or (self.lowest_sell is not None and bid is not None and bid >= self.lowest_sell)
        )


NO_REACH = Reach()

# Four probes of the partial index order_working per symbol, however many orders it has.
_REACHES = """
    SELECT s.symbol,
           EXISTS (SELECT FROM orders_order WHERE symbol = s.symbol AND side = 'buy' AND limit_price IS NULL AND {open}),
           EXISTS (SELECT FROM orders_order WHERE symbol = s.symbol AND side = 'sell' AND limit_price IS NULL AND {open}),
           (SELECT limit_price FROM orders_order WHERE symbol = s.symbol AND side = 'buy' AND limit_price IS NOT NULL
            AND {open} ORDER BY limit_price DESC LIMIT 1),
           (SELECT limit_price FROM orders_order WHERE symbol = s.symbol AND side = 'sell' AND limit_price IS NOT NULL
            AND {open} ORDER BY limit_price LIMIT 1)
    FROM unnest(%s::text[]) AS s(symbol)
""".format(open="status IN ('accepted', 'new', 'partially_filled')")


def reaches(symbols: Collection[str]) -> dict[str, Reach]:
    """How far the open orders of each symbol reach."""
    with raw_cursor() as cursor:
        return {symbol: Reach(*limits) for symbol, *limits in cursor.execute(_REACHES, [list(symbols)]).fetchall()}


def symbols_with_open_orders() -> list[str]:
    """Symbols that any open order names, by a loose index scan."""
    with raw_cursor() as cursor:
        return [symbol for (symbol,) in cursor.execute(_OPEN_SYMBOLS).fetchall()]


_OPEN_SYMBOLS = """
    WITH RECURSIVE s AS (
        (SELECT symbol FROM orders_order WHERE {open} ORDER BY symbol LIMIT 1)
        UNION ALL
        SELECT (SELECT o.symbol FROM orders_order o WHERE {open} AND o.symbol > s.symbol ORDER BY o.symbol LIMIT 1)
        FROM s WHERE s.symbol IS NOT NULL
    )
    SELECT symbol FROM s WHERE symbol IS NOT NULL
""".format(open="status IN ('accepted', 'new', 'partially_filled')")


def reached(quote: Quote, *, sent_by: datetime) -> QuerySet[Order]:
    """The open orders that the raw quote could fill: sent at or before `sent_by`, and not due to expire by then."""
    any_price = Q(limit_price__isnull=True)
    buys = any_price if quote.ask is None else any_price | Q(limit_price__gte=quote.ask)
    sells = any_price if quote.bid is None else any_price | Q(limit_price__lte=quote.bid)
    return Order.objects.filter(
        IS_OPEN & (Q(side=Side.BUY) & buys | Q(side=Side.SELL) & sells),
        symbol=quote.symbol,
        submitted_at__lte=sent_by,
        expires_at__gt=sent_by,
    )


def put(cursor: psycopg.Cursor, quote: Quote, *, at: datetime, session: Session) -> bool:
    """Put a quote to the orders it could fill, by book and number; whether anything changed.

    Call inside a transaction. An order of a book is judged at `at`, or at the book's own time where that is later.
    """
    near = reached(quote, sent_by=at)
    book_ids = set(near.order_by().values_list("book_id", flat=True))
    if not book_ids:
        return False
    books = {book.id: book for book in lock_books(cursor, sorted(book_ids))}
    orders = fetch(cursor, near.filter(book_id__in=list(books)).order_by("book_id", "number"))
    keys = {supply_of(order.book_id, order.side, quote) for order in orders}
    engine = Engine(taken=load_taken(cursor, books, keys))
    changed = False
    for order in orders:
        book = books[order.book_id]
        changed |= engine.evaluate(book, order, quote, book.time(at), session)
    if changed or engine.changed:
        engine.write(cursor)
    return changed
