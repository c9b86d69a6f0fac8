"""The shapes of the hosted product's market data: numbers are JSON numbers, times nanoseconds, names its own."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from papertrade.api.kit.fields import EPOCH, Count, Day, Nanoseconds, Number, Switch, Text, WireField
from papertrade.api.kit.serializers import WireSerializer

TIMEFRAME = "REAL-TIME"
MIDDLE = 1000  # the condition of a trade that is the middle of a quote: no condition of a real one has this number


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


@extend_schema_field({"type": "array", "items": {"type": "integer"}})
class Conditions(WireField):
    """One condition for a trade that is the middle of a quote; none for a real trade."""

    def __init__(self) -> None:
        super().__init__(source="is_middle")

    def to_representation(self, value: bool) -> list[int]:
        return [MIDDLE] if value else []


@extend_schema_field({"type": "integer"})
class Milliseconds(WireField):
    """A time, in milliseconds since 1970."""

    def to_representation(self, value: Any) -> int:
        since = value - EPOCH
        return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000


class LastTradeSerializer(WireSerializer):
    """T ticker, p price, s size, t time, c conditions, i its number."""

    T = Text(source="symbol")
    p = Number(source="trade.price")
    s = Number(source="trade.size")
    t = Nanoseconds(source="trade.at")
    c = Conditions()
    i = Text(source="trade.number")


class PastTradeSerializer(WireSerializer):
    """A trade; one of size 0 is the middle of a quote."""

    id = Text(source="number")
    price = Number()
    size = Number()
    sip_timestamp = Nanoseconds(source="at")
    participant_timestamp = Nanoseconds(source="at")
    sequence_number = Count(source="number")
    conditions = Conditions()


class QuoteRowSerializer(WireSerializer):
    """A quote that once stood; a side that was absent has no price and size 0."""

    bid_price = Number(source="bid")
    bid_size = Number()
    ask_price = Number(source="ask")
    ask_size = Number()
    sip_timestamp = Nanoseconds(source="at")


class AggregateSerializer(WireSerializer):
    """A bar: t its start, v volume, n trades, vw their mean price weighted by volume. For middles v is 0 and vw their mean."""

    o, h = Number(source="open"), Number(source="high")
    l, c = Number(source="low"), Number(source="close")  # noqa: E741 - its name on the wire
    v, vw = Number(source="volume"), Number(source="mean")
    t = Milliseconds(source="begins")
    n = Count(source="trades")


class NamedAggregateSerializer(WireSerializer):
    """A bar and whose it is."""

    T = Text(source="symbol")
    o, h = Number(source="bar.open"), Number(source="bar.high")
    l, c = Number(source="bar.low"), Number(source="bar.close")  # noqa: E741
    v, vw = Number(source="bar.volume"), Number(source="bar.mean")
    t = Milliseconds(source="bar.begins")
    n = Count(source="bar.trades")


class OpenCloseSerializer(WireSerializer):
    """A symbol's session, and the prices before and after it, null where there were none."""

    status, request_id, symbol = Text(), Text(), Text()
    open, high, low, close, volume = Number(), Number(), Number(), Number(), Number()
    preMarket = Number(source="before")  # noqa: N815 - its name on the wire
    afterHours = Number(source="after")  # noqa: N815
    otc, adjusted = Switch(), Switch()

    def get_fields(self) -> dict[str, Any]:
        """`from` is no name in Python."""
        return {**super().get_fields(), "from": Day(source="day")}


class IndicatorValueSerializer(WireSerializer):
    """`timestamp` is the start of the bar at whose end the indicator had the value."""

    timestamp = Milliseconds(source="begins")
    value = Number()


class MacdValueSerializer(IndicatorValueSerializer):
    signal, histogram = Number(), Number()


class UnderlyingBarsSerializer(WireSerializer):
    """The bars of the points shown, and where they can be read."""

    url = Text()
    aggregates = AggregateSerializer(many=True)


class DayBarSerializer(WireSerializer):
    """A bar in a snapshot; null where the market keeps none."""

    o, h = Number(source="open"), Number(source="high")
    l, c = Number(source="low"), Number(source="close")  # noqa: E741
    v, vw = Number(source="volume"), Number(source="mean")


class StockSnapshotSerializer(WireSerializer):
    """A stock as it stands: its quote and last trade, the last whole minute, this day and the one before."""

    ticker = Text(source="symbol")
    day = DayBarSerializer(allow_null=True)
    prevDay = DayBarSerializer(allow_null=True, source="day_before")  # noqa: N815 - its name on the wire
    min = AggregateSerializer(allow_null=True, source="minute")
    lastTrade = LastTradeSerializer(allow_null=True, source="last_trade")  # noqa: N815
    lastQuote = LastStockQuoteSerializer(source="quote")  # noqa: N815
    todaysChange = Number(source="change")  # noqa: N815
    todaysChangePerc = Number(source="change_percent")  # noqa: N815
    updated = Nanoseconds(source="quote.quoted_at")


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


class EmbeddedTradeSerializer(WireSerializer):
    """The contract's last trade, or the middle of its quote."""

    price, size = Number(), Number()
    sip_timestamp = Nanoseconds(source="at")
    conditions = Conditions()
    timeframe = RealTime()


class SessionBarSerializer(WireSerializer):
    """The contract's day so far, and how far its close is from the close of the day before."""

    open, high = Number(source="bar.open"), Number(source="bar.high")
    low, close = Number(source="bar.low"), Number(source="bar.close")
    volume, vwap = Number(source="bar.volume"), Number(source="bar.mean")
    previous_close, change, change_percent = Number(), Number(), Number()
    last_updated = Nanoseconds()


class ContractSnapshotSerializer(WireSerializer):
    """`last_quote` is null where the contract has none yet; `day` is shown of one contract, and null in a chain."""

    details = ContractDetailsSerializer(source="*")
    day = SessionBarSerializer(allow_null=True)
    last_quote = LastOptionQuoteSerializer(allow_null=True, source="quote")
    last_trade = EmbeddedTradeSerializer(allow_null=True)
    break_even_price = Number(source="break_even")
    implied_volatility = Number(source="volatility")
    greeks = GreeksSerializer()
    underlying_asset = UnderlyingAssetSerializer(source="*")


class FoundTickerSerializer(WireSerializer):
    """A stock that the market lists."""

    symbol, name = Text(), Text()


class StockTickerSerializer(WireSerializer):
    """A stock that the market lists. Which kind of share it is, is not known here."""

    ticker = Text(source="symbol")
    name = Text()
    market, locale, currency_name = Text(), Text(), Text()
    active = Switch()


class ContractSerializer(WireSerializer):
    """What a contract is."""

    ticker = Text(source="symbol")
    underlying_ticker = Text(source="underlying")
    contract_type = Text(source="right")
    exercise_style = Text()
    expiration_date = Day(source="expiry")
    strike_price = Number(source="strike")
    shares_per_contract = Count(source="multiplier")


class TickerTypeSerializer(WireSerializer):
    code, description = Text(), Text()


class RelatedTickerSerializer(WireSerializer):
    ticker = Text()


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

LastTradeAnswerSerializer = _answer("LastTradeAnswerSerializer", results=LastTradeSerializer())
PreviousBarAnswerSerializer = _answer(
    "PreviousBarAnswerSerializer", ticker=Text(), adjusted=Switch(), results=NamedAggregateSerializer(many=True)
)
StockTickerAnswerSerializer = _answer("StockTickerAnswerSerializer", results=StockTickerSerializer())
ContractAnswerSerializer = _answer("ContractAnswerSerializer", results=ContractSerializer())
SnapshotsAnswerSerializer = _answer(
    "SnapshotsAnswerSerializer",
    tickers=StockSnapshotSerializer(many=True),
    count=Count(),
    next_url=Text(allow_null=True),
)


def _indicator(name: str, value: type[WireSerializer]) -> type[WireSerializer]:
    results = type(
        f"{name}ResultSerializer",
        (WireSerializer,),
        {
            "__doc__": "Points, and the bars behind them where they were asked for.",
            "values": value(many=True),
            "underlying": UnderlyingBarsSerializer(allow_null=True),
        },
    )
    return _answer(f"{name}AnswerSerializer", results=results(), next_url=Text(allow_null=True))


IndicatorAnswerSerializer = _indicator("Indicator", IndicatorValueSerializer)
MacdAnswerSerializer = _indicator("Macd", MacdValueSerializer)
