"""Quotes kept as evidence: the only conversions between a quote and its row."""

from collections.abc import Iterable
from uuid import UUID

from marketdata.models import QuoteRecord
from marketdata.quotes import Quote
from papertrade.lib.batch import Executes
from papertrade.lib.postgres import instances, raw_cursor

_RECORDS = f"""
    SELECT {", ".join(column.column for column in QuoteRecord._meta.concrete_fields)}
    FROM marketdata_quoterecord WHERE id = ANY(%s)
"""

_KEEP = "INSERT INTO marketdata_quoterecord (id, symbol, bid, ask, bid_size, ask_size, quoted_at, feed)"
_KEEP_ONE = f"{_KEEP} VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (id) DO NOTHING"
_KEEP_MANY = f"""
    {_KEEP}
    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[],
                         %s::timestamptz[], %s::text[])
    ON CONFLICT (id) DO NOTHING
"""
FEW = 4


def as_quote(row: QuoteRecord) -> Quote:
    """A stored quote as a value; since when its prices stood is not part of its contents."""
    return Quote(
        row.symbol, row.bid, row.ask, row.bid_size, row.ask_size, row.quoted_at, row.feed, row.quoted_at, row.quoted_at
    )


def as_record(quote: Quote) -> QuoteRecord:
    """The quote as a row of evidence, not stored."""
    return QuoteRecord(
        id=quote.id,
        symbol=quote.symbol,
        bid=quote.bid,
        ask=quote.ask,
        bid_size=quote.bid_size,
        ask_size=quote.ask_size,
        quoted_at=quote.quoted_at,
        feed=quote.feed,
    )


def keep_quotes(to: Executes, quotes: Iterable[Quote]) -> None:
    """Keep quotes as evidence, each once."""
    rows = {
        quote.id: (quote.symbol, quote.bid, quote.ask, quote.bid_size, quote.ask_size, quote.quoted_at, quote.feed)
        for quote in quotes
    }
    # Sorted, so that two transactions that keep the same quotes wait for each other in one order.
    values = [(quote_id, *rows[quote_id]) for quote_id in sorted(rows)]
    if len(values) <= FEW:
        for row in values:  # one value after another is bound in a fifth of the time that arrays take
            to.execute(_KEEP_ONE, row)
    else:
        to.execute(_KEEP_MANY, [list(column) for column in zip(*values, strict=True)])


def records(ids: Iterable[UUID | None]) -> dict[UUID, QuoteRecord]:
    """The quotes kept under these ids, in one statement."""
    wanted = list({quote_id for quote_id in ids if quote_id is not None})
    if not wanted:
        return {}
    with raw_cursor() as cursor:
        found = cursor.execute(_RECORDS, [wanted], binary=True).fetchall()
    return {record.pk: record for record in instances(QuoteRecord, found)}
