"""Writing the market's rows: sessions from the exchange's calendar, quotes kept as evidence."""

from datetime import date, datetime, timedelta

from django.db import transaction

from marketdata import clock, sessions
from marketdata.models import TradingSession

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
    sessions.drop_calendar()
    return len(rows)


def is_open_by_the_rules(at: datetime) -> bool:
    """Whether the exchange is open then, asked without a database."""
    opens, closes = last_session_by_the_rules(at)
    return opens <= at < closes


def last_session_by_the_rules(at: datetime) -> tuple[datetime, datetime]:
    """Open and close of the last session that has begun by then, asked without a database."""
    import exchange_calendars

    start, end = (at.date() - timedelta(days=14)).isoformat(), (at.date() + timedelta(days=7)).isoformat()
    schedule = exchange_calendars.get_calendar(EXCHANGE, start=start, end=end).schedule
    hours = zip(*(schedule[column].dt.to_pydatetime() for column in ("open", "close")), strict=True)
    return max((opens, closes) for opens, closes in hours if opens <= at)


def sessions_reach_far() -> bool:
    """Whether the stored sessions begin early enough and go on until about where a sync would end."""
    near_the_end = date(clock.wall_now().year + YEARS_AHEAD - 1, 1, 1)
    stored = TradingSession.objects
    return stored.filter(date=FIRST_DAY).exists() and stored.filter(date__gt=near_the_end).exists()
