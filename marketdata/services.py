"""Writing the market's rows: sessions from the exchange's calendar, quotes kept as evidence."""

from collections.abc import Iterable
from datetime import date

import psycopg
from django.db import transaction

from marketdata import sessions
from marketdata.models import QuoteRecord, TradingSession
from marketdata.quotes import Quote

EXCHANGE = "XNYS"
FIRST_DAY = date(2005, 1, 3)
MIN_DAYS_AHEAD = 200  # a gtc order needs its expiry 90 days ahead; exchange_calendars reaches a year


def sync_sessions() -> int:
    """Copy the exchange's schedule into rows, as far as exchange_calendars knows it; how many there are."""
    import exchange_calendars  # 112 MB and a second: never in a process that serves

    schedule = exchange_calendars.get_calendar(EXCHANGE, start=FIRST_DAY.isoformat()).schedule
    rows = [
        TradingSession(date=day.date(), open=row.open.to_pydatetime(), close=row.close.to_pydatetime())
        for day, row in schedule.iterrows()
    ]
    with transaction.atomic():
        TradingSession.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["date"], update_fields=["open", "close"], batch_size=1000
        )
        TradingSession.objects.filter(date__gte=FIRST_DAY).exclude(date__in=[row.date for row in rows]).delete()
    sessions.forget()
    return len(rows)


def sessions_reach(day: date) -> bool:
    """Whether the stored sessions begin early enough and go on after the day."""
    return (
        TradingSession.objects.filter(date=FIRST_DAY).exists() and TradingSession.objects.filter(date__gt=day).exists()
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


def keep_quotes(cursor: psycopg.Cursor, quotes: Iterable[Quote]) -> None:
    """Keep quotes as evidence, each once, in one statement that a pipeline can carry."""
    rows = {
        quote.id: (quote.symbol, quote.bid, quote.ask, quote.bid_size, quote.ask_size, quote.quoted_at, quote.feed)
        for quote in quotes
    }
    if not rows:
        return
    # Sorted, so that two transactions that keep the same quotes wait for each other in one order.
    values = [(quote_id, *rows[quote_id]) for quote_id in sorted(rows)]
    cursor.execute(
        """
        INSERT INTO marketdata_quoterecord (id, symbol, bid, ask, bid_size, ask_size, quoted_at, feed)
        SELECT * FROM unnest(%s::uuid[], %s::text[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[],
                             %s::timestamptz[], %s::text[])
        ON CONFLICT (id) DO NOTHING
        """,
        [list(column) for column in zip(*values, strict=True)],
    )
