"""Trading time on an axis: real distances within sessions, none between them, and ticks where something begins."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from marketdata.sessions import Calendar, Session
from papertrade.lib.times import EXCHANGE_ZONE
from papertrade.reports.axis import TradingAxis


def session(day: str, close: str = "20:00") -> Session:
    """Regular hours of a day in New York daylight time."""
    opened, closed = (datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=UTC) for time in ("13:30", close))
    return Session(date.fromisoformat(day), opened, closed)


# Friday, a short Monday, and Tuesday.
DAYS = Calendar([session("2013-10-04"), session("2013-10-07", close="17:00"), session("2013-10-08")])


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"2013-10-{text}").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("instant", "place"),
    [
        ("04T13:30", 0),
        ("04T14:30", 60),
        ("04T20:00", 390),
        ("06T12:00", 390),  # a weekend takes no room
        ("07T13:30", 390),
        ("07T17:00", 600),
        ("07T19:00", 600),  # neither does the afternoon of a short day
        ("08T13:31", 601),
    ],
)
def test_places(instant: str, place: float) -> None:
    assert TradingAxis(DAYS, at("04T13:30"), at("08T20:00")).place(at(instant)) == place


def test_trading_time_and_the_last_sessions() -> None:
    assert DAYS.trading_time(at("04T19:00"), at("08T14:00")) == timedelta(minutes=60 + 210 + 30)
    assert [day.date.day for day in DAYS.last(2, at("08T12:00"))] == [4, 7]  # before Tuesday's open
    assert [day.date.day for day in DAYS.last(2, at("08T13:30"))] == [7, 8]
    assert [day.date.day for day in DAYS.last(9, at("08T13:30"))] == [4, 7, 8]
    assert [day.date.day for day in DAYS.ended(at("04T20:00"), at("07T17:00"))] == [7]
    assert DAYS.elapsed(at("01T12:00")) == timedelta()


def told(
    axis: TradingAxis, most: int, zone: ZoneInfo = EXCHANGE_ZONE, this_year: int = 2013
) -> list[tuple[float, str]]:
    return [(tick.place, tick.label) for tick in axis.ticks(zone, most=most, this_year=this_year)]


def test_ticks_of_days_stand_at_their_opens() -> None:
    axis = TradingAxis(DAYS, at("04T13:30"), at("08T20:00"))
    assert told(axis, 7) == [(0, "Oct 4"), (390, "Oct 7"), (600, "Oct 8")]
    assert told(axis, 2) == [(0, "Oct 4"), (600, "Oct 8")]
    assert told(axis, 1, this_year=2026) == [(0, "Oct 4, 2013")]


def test_ticks_of_a_session_are_round_times_in_the_zone() -> None:
    axis = TradingAxis(DAYS, at("07T13:30"), at("07T17:00"))
    assert told(axis, 4) == [(30, "10:00"), (90, "11:00"), (150, "12:00"), (210, "13:00")]
    assert told(axis, 4, ZoneInfo("Asia/Kolkata"))[0] == (0, "19:00")
    assert told(TradingAxis(DAYS, at("07T13:30"), at("07T13:30")), 4) == []
    assert told(TradingAxis(DAYS, at("07T13:30:10"), at("07T13:30:40")), 4) == [(0, "09:30")], "shorter than a minute"


def test_ticks_of_a_year_are_months() -> None:
    start = date(2013, 1, 1)
    year = Calendar([session((start + timedelta(days=number)).isoformat()) for number in range(365)])
    axis = TradingAxis(year, year.sessions[0].open, year.sessions[-1].close)
    assert [label for _, label in told(axis, 12)][:2] == ["Feb 2013", "Mar 2013"]
    assert len(told(axis, 4)) == 4
