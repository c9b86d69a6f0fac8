"""The shapes of the hosted product's market data: numbers are JSON numbers, times nanoseconds, names its own."""

from rest_framework import serializers

from papertrade.api.kit.fields import Text


class Number(serializers.FloatField):
    """A number, or null where it is not known."""

    def __init__(self) -> None:
        super().__init__(read_only=True, allow_null=True)


class Nanoseconds(serializers.IntegerField):
    """A time, in nanoseconds since 1970."""

    def __init__(self) -> None:
        super().__init__(read_only=True)


class LastStockQuote(serializers.Serializer):
    """T ticker, p bid, s its size, P ask, S its size, t time."""

    T = Text()
    p, s, P, S = Number(), Number(), Number(), Number()
    t = Nanoseconds()


class StockSnapshot(serializers.Serializer):
    ticker = Text()
    lastQuote = LastStockQuote()  # noqa: N815 - its name on the wire
    updated = Nanoseconds()


class ContractDetails(serializers.Serializer):
    ticker, contract_type, exercise_style = Text(), Text(), Text()
    expiration_date = serializers.DateField(read_only=True)
    strike_price = Number()
    shares_per_contract = serializers.IntegerField(read_only=True)


class LastOptionQuote(serializers.Serializer):
    bid, ask, midpoint, bid_size, ask_size = Number(), Number(), Number(), Number(), Number()
    last_updated = Nanoseconds()
    timeframe = Text()


class Greeks(serializers.Serializer):
    """Theta a day, vega a point of volatility, rho a point of rate; all null where no volatility fits the midpoint."""

    delta, gamma, theta, vega, rho = Number(), Number(), Number(), Number(), Number()


class UnderlyingAsset(serializers.Serializer):
    ticker = Text()
    price = Number()
    last_updated = Nanoseconds()
    timeframe = Text()


class ContractSnapshot(serializers.Serializer):
    """`last_quote` is null where the contract has none yet."""

    details = ContractDetails()
    last_quote = LastOptionQuote(allow_null=True)
    break_even_price = Number()
    implied_volatility = Number()
    greeks = Greeks()
    underlying_asset = UnderlyingAsset()


class FoundTicker(serializers.Serializer):
    symbol, name = Text(), Text()


def _enveloped(name: str, **fields: serializers.Field) -> type[serializers.Serializer]:
    return type(name, (serializers.Serializer,), {"__doc__": None, "status": Text(), "request_id": Text(), **fields})


LastStockQuoteAnswer = _enveloped("LastStockQuoteAnswer", results=LastStockQuote())
StockSnapshotAnswer = _enveloped("StockSnapshotAnswer", ticker=StockSnapshot())
ContractSnapshotAnswer = _enveloped("ContractSnapshotAnswer", results=ContractSnapshot())
ExpirationsAnswer = _enveloped(
    "ExpirationsAnswer", ticker=Text(), results=serializers.ListField(child=serializers.DateField(), read_only=True)
)
