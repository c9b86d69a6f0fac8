"""How a live market's provider is, in the few figures that clock and status show."""

from dataclasses import dataclass

from django.conf import settings
from rest_framework import serializers

from marketdata import feed_state
from papertrade.api.kit.fields import Count, Text
from papertrade.api.kit.serializers import WireSerializer


@dataclass(frozen=True, slots=True)
class FeedNow:
    """How a live market's provider is, all its lines together. Which symbols it serves only operators are told."""

    provider: str
    grades: list[str]
    state: str
    delay_seconds: int
    lag_seconds: float | None
    streamed: int
    polled: int
    left_out: int


def feed_now() -> FeedNow | None:
    """The feed as its leader last reported it; None in other markets, and where the report is old."""
    state = feed_state.in_force()
    if state is None:
        return None
    return FeedNow(
        provider=state.provider,
        grades=list(dict.fromkeys(line.grade for line in state.lines)),
        state=state.state,
        delay_seconds=settings.PAPERTRADE_DELAY_SECONDS,
        lag_seconds=state.lag_seconds,
        streamed=sum(line.streamed for line in state.lines),
        polled=sum(line.polled for line in state.lines),
        left_out=sum(line.left_out_count for line in state.lines),
    )


class FeedSerializer(WireSerializer):
    """The provider of a live market; numbers are of symbols. `state`, of its worst line: streaming, polling, connecting,
    interrupted or refused. `delay_seconds`: exchange time is so far behind the wall clock; `lag_seconds`: by how much the
    median quote is late beyond that.
    """

    provider = Text()
    grades = serializers.ListField(child=Text(), read_only=True)
    state = Text()
    delay_seconds = Count()
    lag_seconds = serializers.FloatField(read_only=True, allow_null=True)
    streamed = Count()
    polled = Count()
    left_out = Count()
