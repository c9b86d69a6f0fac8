"""Whatever can happen to an account has its place among the kinds that its activity can be narrowed to; lengths of time."""

from datetime import timedelta

import pytest

from papertrade.dashboard.figures import duration, trading_time
from papertrade.dashboard.words import ACTIVITY, ACTIVITY_TYPES, EVENT
from portfolio.models import EventType


def test_every_event_has_a_kind_and_words() -> None:
    kinds = [kind for types in ACTIVITY_TYPES.values() for kind in types]
    assert sorted(kinds) == sorted(EventType.values)
    assert ACTIVITY.keys() == ACTIVITY_TYPES.keys()
    assert set(EventType.values) <= EVENT.keys()


@pytest.mark.parametrize(
    ("length", "said", "of_trading"),
    [
        (None, "\N{EN DASH}", "\N{EN DASH}"),
        (timedelta(0), "at once", "at once"),
        (timedelta(milliseconds=535), "535 ms", "535 ms"),
        (timedelta(seconds=2.6), "2.6 s", "2.6 s"),
        (timedelta(minutes=2, seconds=5), "2 min 5 s", "2 min 5 s"),
        (timedelta(hours=1), "1 h", "1 h"),
        (timedelta(hours=34, minutes=30), "1 d 10 h", "34 h 30 min"),
    ],
)
def test_lengths_of_time(length: timedelta | None, said: str, of_trading: str) -> None:
    """A session of six and a half hours is a day of trading, so that trading time is said in hours."""
    assert (duration(length), trading_time(length)) == (said, of_trading)
