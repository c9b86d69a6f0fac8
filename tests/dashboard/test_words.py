"""Whatever can happen to an account has its place among the kinds that its activity can be narrowed to."""

from papertrade.dashboard.words import ACTIVITY, ACTIVITY_TYPES, EVENT
from portfolio.models import EventType


def test_every_event_has_a_kind_and_words() -> None:
    kinds = [kind for types in ACTIVITY_TYPES.values() for kind in types]
    assert sorted(kinds) == sorted(EventType.values)
    assert ACTIVITY.keys() == ACTIVITY_TYPES.keys()
    assert set(EventType.values) <= EVENT.keys()
