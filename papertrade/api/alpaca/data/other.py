"""What has no market behind it here, answered in the right shape: names of codes, screeners, news, corporate actions."""

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock
from papertrade.api.alpaca.data.shapes import MID, OPTION_CONDITION, STOCK_CONDITION
from papertrade.api.alpaca.errors import bad_input
from papertrade.api.alpaca.views import AlpacaViewSet
from papertrade.api.alpaca.wire import instant

CONDITIONS = {
    "trade": {MID: "Middle of bid and ask: nothing was traded"},
    "quote": {STOCK_CONDITION: "Regular, two-sided or one-sided", OPTION_CONDITION: "Regular"},
}


class MetaViewSet(AlpacaViewSet):
    def exchanges(self, request: Request) -> Response:
        """None: quotes are of all venues together and name none."""
        return Response({})

    def conditions(self, request: Request, kind: str) -> Response:
        if kind not in CONDITIONS:
            raise bad_input("invalid ticktype: must be trade or quote")
        return Response(CONDITIONS[kind])


class ScreenerViewSet(AlpacaViewSet):
    """Nothing is traded here, so nothing is most active."""

    def most_actives(self, request: Request) -> Response:
        return Response({"most_actives": [], "last_updated": instant(clock.read().now)})

    def movers(self, request: Request) -> Response:
        now = instant(clock.read().now)
        return Response({"gainers": [], "losers": [], "market_type": "stocks", "last_updated": now})


class NewsViewSet(AlpacaViewSet):
    def list(self, request: Request) -> Response:
        return Response({"news": [], "next_page_token": None})


class CorporateActionViewSet(AlpacaViewSet):
    def list(self, request: Request) -> Response:
        return Response({"corporate_actions": {}, "next_page_token": None})
