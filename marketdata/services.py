"""Writing the market's rows: sessions from the exchange's calendar, quotes kept as evidence."""

from collections.abc import Iterable
from datetime import date

import psycopg
from django.db import transaction

from marketdata import clock, sessions
from marketdata.models import QuoteRecord, TradingSession
from marketdata.quotes import Quote

EXCHANGE = "XNYS"
FIRST_DAY = date(2005, 1, 3)
YEARS_AHEAD = 20  # a simulated market at high speed goes through years in a night


def sync_sessions() -> int:
    """Copy the exchange's schedule into rows, 20 years ahead by today's rules; how many there are."""
    import exchange_calendars  # 112 MB and a second: never in a process that serves

    end = date(clock.wall_now().year + YEARS_AHEAD, 12, 31)
    schedule = exchange_calendars.get_calendar(EXCHANGE, start=FIRST_DAY.isoformat(), end=end.isoformat()).schedule
    hours = (schedule[column].dt.to_pydatetime() for column in ("open", "close"))
    rows = [
        TradingSession(date=day, open=opens, close=closes)
        for day, opens, closes in zip(schedule.index.date, *hours, strict=True)
    ]
    with transaction.atomic():
        TradingSession.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["date"], update_fields=["open", "close"], batch_size=1000
        )
        TradingSession.objects.filter(date__gte=FIRST_DAY).exclude(date__in=[row.date for row in rows]).delete()
    sessions.forget()
    return len(rows)


def sessions_reach_far() -> bool:
    """Whether the stored sessions begin early enough and go on until about where a sync would end."""
    near_the_end = date(clock.wall_now().year + YEARS_AHEAD - 1, 1, 1)
    stored = TradingSession.objects
    return stored.filter(date=FIRST_DAY).exists() and stored.filter(date__gt=near_the_end).exists()


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
