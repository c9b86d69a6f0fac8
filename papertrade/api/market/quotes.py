"""The latest quotes, each with its age and what would stop a fill on it."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from rest_framework.request import Request
from rest_framework.response import Response

from accounts.policy import Policy
from marketdata import clock
from marketdata.grades import grade_of
from marketdata.instruments import parse_symbol
from marketdata.markets.current import current_market
from marketdata.pushing import MAX_PUSHED, push
from marketdata.quotes import Quote
from marketdata.sessions import calendar
from orders.matching import Circumstances, obstacle
from papertrade.api.kit.authentication import MayMoveMarket, MayRead
from papertrade.api.kit.parsing import read_object
from papertrade.api.kit.schema import call, json_body
from papertrade.api.kit.viewsets import ApiViewSet, Rows
from papertrade.api.market.filters import QuoteFilter
from papertrade.api.market.serializers import QUALITY_OK, PushedSerializer, QuoteSerializer
from papertrade.trading.accounts import server_policy
from portfolio.money import ZERO_MONEY

MAX_PUSH_BYTES = 1_048_576
MILLISECOND = timedelta(milliseconds=1)
PUSH = json_body(
    "PushQuotes",
    {"quotes": {"type": "array", "items": {"type": "object"}, "maxItems": MAX_PUSHED}},
    example={
        "quotes": [
            {
                "symbol": "AAPL",
                "bid": "232.10",
                "ask": "232.12",
                "bid_size": "300",
                "ask_size": "200",
                "quoted_at": "2026-11-20T14:30:00.250Z",
            }
        ]
    },
)


class QuoteNow(NamedTuple):
    """What the market quotes for a symbol at an instant; where it has no quote, all but quality, feed and grade is None."""

    symbol: str
    quality: str
    feed: str
    grade: str
    bid: Decimal | None = None
    ask: Decimal | None = None
    bid_size: Decimal | None = None
    ask_size: Decimal | None = None
    quoted_at: datetime | None = None
    age_ms: int | None = None


def quote_now(symbol: str, quote: Quote | None, at: datetime, policy: Policy) -> QuoteNow:
    """A symbol's quote (None where there is none) at an instant, judged by a policy."""
    session = calendar().session_at(at)
    now = Circumstances(at=at, session_open=session.open if session else None, policy=policy, buying_power=ZERO_MONEY)
    quality = str(obstacle(quote, now, is_option=parse_symbol(symbol).is_option) or QUALITY_OK)
    feed = current_market().feed.name if quote is None else quote.feed
    if quote is None:
        return QuoteNow(symbol, quality, feed, str(grade_of(feed)))
    return QuoteNow(
        symbol,
        quality,
        feed,
        str(grade_of(feed)),
        quote.bid,
        quote.ask,
        quote.bid_size,
        quote.ask_size,
        quote.quoted_at,
        (at - quote.quoted_at) // MILLISECOND,
    )


class QuoteViewSet(ApiViewSet):
    permission_classes = [MayRead]
    serializer_class = QuoteSerializer
    filterset_classes = {"list": QuoteFilter}
    paged_actions = ()
    max_body_bytes = MAX_PUSH_BYTES

    def get_permissions(self) -> Rows:
        return [MayMoveMarket()] if self.action == "create" else super().get_permissions()

    @call("Latest quotes", QuoteSerializer, many=True)
    def list(self, request: Request) -> Response:
        symbols, at, policy = self.query["symbols"], clock.read().now, server_policy()
        latest = current_market().latest(symbols, at=at)
        return self.listed(quote_now(symbol, latest.get(symbol), at, policy) for symbol in symbols)

    @call("Push quotes, where the market's feed is pushed", PushedSerializer, body=PUSH, codes=(409,))
    def create(self, request: Request) -> Response:
        by = request.auth.name if request.auth else request.user.username
        pushed = push(read_object(request.data, "quotes")["quotes"], by=by)
        return Response(PushedSerializer(pushed).data)
