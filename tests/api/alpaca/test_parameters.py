"""Query parameters of Alpaca's clients at their extremes: read or refused, and never a time that nothing can be reckoned from."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from papertrade.api.alpaca.errors import AlpacaError
from papertrade.api.alpaca.parameters import FIRST, FIRST_DAY, LAST, LAST_DAY, Query
from papertrade.lib.times import EXCHANGE_ZONE

YEAR = timedelta(days=366)
TIMES = [
    "0001-01-01", "9999-12-31", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999-12:00",
    "1969-12-31", "3000-01-01", "2013-10-07", "2013-10-07T14:00:00 02:00",
]  # fmt: skip


def query(**given: str) -> Query:
    request: Any = SimpleNamespace(query_params=given)
    return Query(request)


@pytest.mark.parametrize("text", TIMES)
@pytest.mark.parametrize(
    "read", [Query.instant, lambda query, name: query.instant(name, end_of_day=True)], ids=["begin", "end"]
)
def test_an_instant_lies_within_all_times(text: str, read: Callable[[Query, str], datetime]) -> None:
    at = read(query(at=text), "at")
    assert FIRST <= at <= LAST
    assert at - YEAR < at.astimezone(EXCHANGE_ZONE) < at + YEAR


@pytest.mark.parametrize("text", TIMES)
def test_a_day_too(text: str) -> None:
    day = query(day=text).day("day")
    assert day is not None and FIRST_DAY <= day <= LAST_DAY


def test_what_lies_between_is_what_it_says() -> None:
    assert query(day="2013-10-07").day("day") == date(2013, 10, 7)
    assert query(at="2013-10-07T14:00:00Z").instant("at") == datetime.fromisoformat("2013-10-07T14:00:00Z")


@pytest.mark.parametrize("text", ["2013-13-01", "2013-10-7", "x" * 10, "", "T", "-1", "2013-10-07T25:00:00Z"])
def test_what_is_no_time_is_refused(text: str) -> None:
    for read in (Query.day, Query.instant):
        if text:  # an empty value counts as not sent
            with pytest.raises(AlpacaError):
                read(query(at=text), "at")
