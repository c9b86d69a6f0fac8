"""The objects of /v1/market/, their fields in order. One description serves the answers and the OpenAPI document."""

from orders.reasons import NO_FILL
from papertrade.api.kit.feed import FeedSerializer
from papertrade.api.kit.fields import Count, Day, Instant, Price, Qty, Switch, Text, Word
from papertrade.api.kit.serializers import WireSerializer

MARKETS = ("simulated", "recorded", "live")
QUALITY_OK = "ok"


class ClockSerializer(WireSerializer):
    """Exchange time. `speed` is exchange seconds per wall second; 0 = it moves only when told to. `feed`: in a live market."""

    timestamp = Instant()
    is_open = Switch()
    next_open = Instant()
    next_close = Instant()
    market = Word(MARKETS, called="Market")
    speed = Text()
    feed = FeedSerializer(allow_null=True)


class SessionSerializer(WireSerializer):
    """Regular hours of one trading day."""

    date = Day()
    open = Instant()
    close = Instant()


class RefusedRowSerializer(WireSerializer):
    """A pushed row that was not taken."""

    index = Count()
    symbol = Text()
    reason = Text()


class PushedSerializer(WireSerializer):
    """How many of the pushed rows were taken, and which were not."""

    taken = Count()
    refused = RefusedRowSerializer(many=True)


class QuoteSerializer(WireSerializer):
    """The latest quote; `quality` is ok, or the reason that would stop a fill; `grade` says how honest its feed is."""

    symbol = Text()
    bid = Price(allow_null=True)
    ask = Price(allow_null=True)
    bid_size = Qty(allow_null=True)
    ask_size = Qty(allow_null=True)
    quoted_at = Instant(allow_null=True)
    age_ms = Count(allow_null=True)
    quality = Word([QUALITY_OK], NO_FILL, called="QuoteQuality")
    feed = Text()
    grade = Text()
