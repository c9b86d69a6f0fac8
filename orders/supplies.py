"""What each book took of the supply that a quote displays, so that none is given to it twice."""

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import psycopg

from marketdata.quotes import TOLERANCE_OF_TAKEN, Quote
from orders.terms import Side
from papertrade.lib.batch import Batch
from portfolio.books import OpenBook


class Supply(NamedTuple):
    """The displayed supply of a side, from which a book may take: it belongs to a price, and to the time from which that stood.

    To both, because rows of one instant may bring several prices.
    """

    book_id: int
    symbol: str
    side: str
    since: datetime
    price: Decimal | None


def supply_of(book_id: int, side: str, quote: Quote) -> Supply:
    """Names the displayed supply that an order of that side would take from."""
    since, price = (quote.ask_since, quote.ask) if side == Side.BUY else (quote.bid_since, quote.bid)
    return Supply(book_id, quote.symbol, str(side), since, price)


def load_taken(
    cursor: psycopg.Cursor, books: Mapping[int, OpenBook], keys: Collection[Supply]
) -> dict[Supply, Decimal]:
    """What locked books took of displayed prices since they were set, shares or contracts.

    A book in which nothing has happened since a price was set took nothing of it, so nothing is read for it; a live quote may
    be stamped a little after it was taken. Nor is anything for a book that displayed sizes do not cap.
    """
    priced = [key for key in keys if key.price is not None and _counts(key, books[key.book_id])]
    if len(priced) <= FEW:
        with Batch(cursor.connection) as batch:
            sums = [(key, batch.execute(_TAKEN_OF_ONE, key)) for key in priced]
        return {key: qty for key, reply in sums for (qty,) in reply.rows() if qty is not None}
    rows = cursor.execute(_TAKEN_OF_MANY, [list(column) for column in zip(*priced, strict=True)]).fetchall()
    return {Supply(*key): qty for *key, qty in rows}


def _counts(key: Supply, book: OpenBook) -> bool:
    """Whether a book may have taken of a supply, and it matters to it."""
    return book.policy.size_cap and key.since <= book.last_at + TOLERANCE_OF_TAKEN


FEW = 4  # supplies that are asked for one by one: binding arrays costs more
_TAKEN_OF_ONE = """
    SELECT sum(qty) FROM orders_fill WHERE book_id = %s AND symbol = %s AND side = %s AND price_since = %s AND price = %s
"""
_TAKEN_OF_MANY = """
    SELECT f.book_id, f.symbol, f.side, f.price_since, f.price, sum(f.qty)
    FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[], %s::numeric[])
         AS k(book_id, symbol, side, price_since, price)
    JOIN orders_fill f USING (book_id, symbol, side, price_since, price)
    GROUP BY 1, 2, 3, 4, 5
"""
