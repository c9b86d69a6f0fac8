"""Times as people send them, and the exchange's zone. Pure."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

EXCHANGE_ZONE = ZoneInfo("America/New_York")
YEARS = range(1970, 3000)  # so that what lies a period before or after them is a time too
MAX_LENGTH = 40
DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)  # the resolution of every time here
_DATE_LENGTH = len("2026-05-16")


def read_time(text: object) -> datetime | date:
    """An RFC 3339 time as UTC, or a date, which is a day in New York. Raises ValueError that says what is wanted."""
    years = f"of {YEARS[0]} to {YEARS[-1]}"
    if not isinstance(text, str) or not text.isascii() or len(text) > MAX_LENGTH:
        raise ValueError(f"must be a time such as 2026-05-16T14:30:00Z, or a date, {years}")
    try:
        if len(text) == _DATE_LENGTH:
            day = date.fromisoformat(text)
            if day.year not in YEARS:
                raise ValueError
            return day
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None:
            at = at.astimezone(UTC)
        if at.year not in YEARS:
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError(f"must be a time such as 2026-05-16T14:30:00Z, or a date, {years}") from None
    if at.tzinfo is None:
        raise ValueError(f"says no time zone: write {text}Z for UTC, or {text}-04:00 for New York in summer")
    return at


def read_instant(text: object) -> datetime:
    """A time with its zone, as UTC; a date is the midnight in New York that begins it. Raises ValueError."""
    read = read_time(text)
    return read if isinstance(read, datetime) else begin_of(read)


def read_day(text: object) -> date:
    """A date; from a time, the date that it has in New York. Raises ValueError."""
    read = read_time(text)
    return read.astimezone(EXCHANGE_ZONE).date() if isinstance(read, datetime) else read


def begin_of(day: date) -> datetime:
    """The midnight in New York that begins a day, UTC."""
    return datetime.combine(day, time(), EXCHANGE_ZONE).astimezone(UTC)


def after_bound(read: datetime | date) -> datetime:
    """The last instant that `after` excludes: the time itself, or the one before the day begins."""
    return read if isinstance(read, datetime) else begin_of(read) - MOMENT


def until_bound(read: datetime | date) -> datetime:
    """The last instant that `until` includes: the time itself, or the end of the day."""
    return read if isinstance(read, datetime) else begin_of(read + DAY) - MOMENT


def zone_name(local: datetime) -> str:
    """ET for New York, else the zone's own abbreviation at that time: CET, or +03."""
    return "ET" if local.tzinfo is EXCHANGE_ZONE else f"{local:%Z}"
