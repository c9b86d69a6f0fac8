"""The mark of a symbol, kept with the quote that gave it: one number for page, API and books."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from marketdata.instruments import parse_symbol
from marketdata.quotes import Quote
from marketdata.sessions import calendar
from papertrade.lib.batch import Executes
from papertrade.lib.postgres import raw_cursor
from portfolio.models import Mark as MarkRow
from portfolio.valuation import mark_price

# The mark of a position, in SQL: that of the quote which filled it last, or its symbol's own, whichever is later; of two of one
# instant the symbol's, which is of the last quote stamped then. Of the tables `portfolio_position p` and `m`, which is
# `portfolio_mark` joined by the symbol; a closed book joins none, for its marks are frozen in its positions.
MARK_PRICE = "CASE WHEN m.quoted_at >= p.mark_at THEN m.price ELSE p.mark_price END"
MARK_AT = "greatest(m.quoted_at, p.mark_at)"
MARKED = "portfolio_position p LEFT JOIN portfolio_mark m ON m.symbol = p.symbol"


@dataclass(frozen=True, slots=True)
class Mark:
    """The mark of a symbol, USD per share, and the quote of a regular session that gave it."""

    price: Decimal
    quote: Quote


def mark_of(quote: Quote) -> Decimal | None:
    """The mark that a quote gives, USD per share; None where it gives none, as when it was stamped outside a session."""
    if quote.is_of_the_future or calendar().session_at(quote.quoted_at) is None:
        return None
    return mark_price(bid=quote.bid, ask=quote.ask, is_option=parse_symbol(quote.symbol).is_option)


def keep_marks(to: Executes, marks: dict[str, Mark]) -> None:
    """Store the marks of these symbols; an older one never replaces a newer."""
    rows = [
        (symbol, mark.price, q.bid, q.ask, q.bid_size, q.ask_size, q.quoted_at, q.feed)
        for symbol, mark in sorted(marks.items())
        for q in (mark.quote,)
    ]
    if len(rows) <= FEW:
        for row in rows:  # binding one value after another takes a fifth of what arrays take
            to.execute(_KEEP_ONE, row)
    else:
        to.execute(_KEEP_MANY, [list(column) for column in zip(*rows, strict=True)])


FEW = 4
_KEEP = """
    INSERT INTO portfolio_mark (symbol, price, bid, ask, bid_size, ask_size, quoted_at, feed)
    {rows}
    ON CONFLICT (symbol) DO UPDATE SET price = excluded.price, bid = excluded.bid, ask = excluded.ask,
        bid_size = excluded.bid_size, ask_size = excluded.ask_size, quoted_at = excluded.quoted_at,
        feed = excluded.feed
    WHERE portfolio_mark.quoted_at <= excluded.quoted_at
"""
_KEEP_ONE = _KEEP.format(rows="VALUES (%s, %s, %s, %s, %s, %s, %s, %s)")
_KEEP_MANY = _KEEP.format(
    rows="SELECT * FROM unnest(%s::text[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], "
    "%s::timestamptz[], %s::text[])"
)


def delete_marks() -> None:
    """Delete the marks of symbols, when another market or recording begins; positions keep their own."""
    MarkRow.objects.all().delete()


def held_symbols() -> list[str]:
    """The symbols that open books hold, and the stocks of held options (whose settlement needs their quotes)."""
    with raw_cursor() as cursor:
        held = [symbol for (symbol,) in cursor.execute(_HELD_SYMBOLS).fetchall()]
    return sorted({*held, *(parse_symbol(symbol).underlying for symbol in held)})


# A loose index scan: one probe per symbol, however many positions hold it; then one that looks for an open book among them.
_HELD_SYMBOLS = """
    WITH RECURSIVE held AS (
        (SELECT symbol FROM portfolio_position WHERE qty > 0 ORDER BY symbol LIMIT 1)
        UNION ALL
        SELECT (SELECT p.symbol FROM portfolio_position p WHERE p.qty > 0 AND p.symbol > held.symbol
                ORDER BY p.symbol LIMIT 1)
        FROM held WHERE held.symbol IS NOT NULL
    )
    SELECT symbol FROM held WHERE symbol IS NOT NULL
      AND (SELECT true FROM portfolio_position p JOIN portfolio_book b ON b.id = p.book_id
           WHERE p.symbol = held.symbol AND p.qty > 0 AND b.closed_at IS NULL LIMIT 1)
"""


def stored_quotes(symbols: Iterable[str]) -> dict[str, Quote]:
    """The quotes that gave these symbols their marks, by symbol."""
    return {
        mark.symbol: Quote(
            mark.symbol,
            mark.bid,
            mark.ask,
            mark.bid_size,
            mark.ask_size,
            mark.quoted_at,
            mark.feed,
            bid_since=mark.quoted_at,
            ask_since=mark.quoted_at,
        )
        for mark in MarkRow.objects.filter(symbol__in=list(symbols))
    }
