"""The shapes of the hosted product's market data: numbers are JSON numbers, times nanoseconds, names its own."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from papertrade.api.kit.fields import Count, Day, Nanoseconds, Number, Text, WireField
from papertrade.api.kit.serializers import WireSerializer

TIMEFRAME = "REAL-TIME"


@extend_schema_field({"type": "string", "enum": [TIMEFRAME]})
class RealTime(WireField):
    """Nothing here is delayed."""

    def __init__(self) -> None:
        super().__init__(source="*")

    def to_representation(self, value: Any) -> str:
        return TIMEFRAME


class LastStockQuoteSerializer(WireSerializer):
    """T ticker, p bid, s its size, P ask, S its size, t time."""

    T = Text(source="symbol")
    p = Number(source="bid")
    s = Number(source="bid_size")
    P = Number(source="ask")
    S = Number(source="ask_size")
    t = Nanoseconds(source="quoted_at")


class StockSnapshotSerializer(WireSerializer):
    """A stock and its latest quote."""

    ticker = Text(source="symbol")
    lastQuote = LastStockQuoteSerializer(source="*")  # noqa: N815 - its name on the wire
    updated = Nanoseconds(source="quoted_at")


class ContractDetailsSerializer(WireSerializer):
    """What the contract is; the strike in USD per share."""

    ticker = Text(source="symbol")
    contract_type = Text(source="right")
    exercise_style = Text()
    expiration_date = Day(source="expiry")
    strike_price = Number(source="strike")
    shares_per_contract = Count(source="multiplier")


class LastOptionQuoteSerializer(WireSerializer):
    """The contract's latest quote, USD per share."""

    bid = Number()
    ask = Number()
    midpoint = Number(source="mid")
    bid_size = Number()
    ask_size = Number()
    last_updated = Nanoseconds(source="quoted_at")
    timeframe = RealTime()


class GreeksSerializer(WireSerializer):
    """Theta a day, vega a point of volatility, rho a point of rate; all null where no volatility fits the midpoint."""

    delta, gamma, theta, vega, rho = Number(), Number(), Number(), Number(), Number()


class UnderlyingAssetSerializer(WireSerializer):
    """The contract's stock; the price is half way between its bid and ask."""

    ticker = Text(source="stock.symbol")
    price = Number(source="spot")
    last_updated = Nanoseconds(source="stock.quoted_at")
    timeframe = RealTime()


class ContractSnapshotSerializer(WireSerializer):
    """`last_quote` is null where the contract has none yet."""

    details = ContractDetailsSerializer(source="*")
    last_quote = LastOptionQuoteSerializer(allow_null=True, source="quote")
    break_even_price = Number(source="break_even")
    implied_volatility = Number(source="volatility")
    greeks = GreeksSerializer()
    underlying_asset = UnderlyingAssetSerializer(source="*")


class FoundTickerSerializer(WireSerializer):
    """A stock that the market lists."""

    symbol, name = Text(), Text()


def _answer(name: str, **fields: serializers.Field) -> type[WireSerializer]:
    """One object in the hosted product's envelope."""
    return type(
        name,
        (WireSerializer,),
        {"__doc__": "One object, in the envelope.", "status": Text(), "request_id": Text(), **fields},
    )


LastStockQuoteAnswerSerializer = _answer("LastStockQuoteAnswerSerializer", results=LastStockQuoteSerializer())
StockSnapshotAnswerSerializer = _answer("StockSnapshotAnswerSerializer", ticker=StockSnapshotSerializer())
ContractSnapshotAnswerSerializer = _answer("ContractSnapshotAnswerSerializer", results=ContractSnapshotSerializer())
ExpirationsAnswerSerializer = _answer(
    "ExpirationsAnswerSerializer",
    ticker=Text(),
    results=serializers.ListField(child=serializers.DateField(), read_only=True),
)
