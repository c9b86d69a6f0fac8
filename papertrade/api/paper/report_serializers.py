"""The objects that judge a run, their fields in order. Fractions are strings like money; what cannot be told is null."""

from datetime import timedelta

from drf_spectacular.utils import extend_schema_field

from papertrade.api.kit.fields import Count, Day, Id, Instant, Money, Price, Qty, Ratio, Switch, Text, Texts, WireField
from papertrade.api.kit.serializers import WireSerializer


@extend_schema_field({"type": "integer"})
class Seconds(WireField):
    """A length of trading time in whole seconds."""

    def to_representation(self, value: timedelta) -> int:
        return round(value.total_seconds())


class DaySerializer(WireSerializer):
    """One session: what it earned in USD, and as a fraction of the equity before it."""

    date = Day(source="day")
    pl = Money()
    share = Ratio()


class MonthSerializer(WireSerializer):
    """A month's return, compounded."""

    month = Text()
    share = Ratio()


class DrawdownSerializer(WireSerializer):
    """A fall from a peak; `recovered_at` is null while it lasts."""

    began_at = Instant()
    lowest_at = Instant()
    recovered_at = Instant(allow_null=True)
    depth = Ratio()


class TradeFiguresSerializer(WireSerializer):
    """What closed trades came to; money is USD, held times are seconds of trading time."""

    closed = Count()
    won = Count()
    lost = Count()
    win_rate = Ratio(allow_null=True)
    profit_factor = Ratio(allow_null=True)
    payoff = Ratio(allow_null=True)
    expectancy = Money(allow_null=True)
    average_win = Money(allow_null=True)
    average_loss = Money(allow_null=True)
    best = Money(allow_null=True)
    worst = Money(allow_null=True)
    median_held_seconds = Seconds(source="median_held", allow_null=True)
    mean_held_seconds = Seconds(source="mean_held", allow_null=True)


class HonestySerializer(WireSerializer):
    """What to know before believing a ratio: the account's runs before this one, and how much data there is to go by."""

    earlier_generations = Count()
    resets_at_a_loss = Count()
    days = Count()
    trades = Count()


class SymbolResultSerializer(WireSerializer):
    """What a symbol came to."""

    symbol = Text(source="name")
    closed = Count()
    realized_pl = Money()
    spread_paid = Money()


class TagResultSerializer(WireSerializer):
    """What the round trips with a tag came to; one with several counts for each of them."""

    tag = Text(source="name")
    closed = Count()
    realized_pl = Money()
    spread_paid = Money()


class PerformanceSerializer(WireSerializer):
    """A run judged. Ratios are annualized; they are null below 20 sessions, annual_return and calmar below 252."""

    generation = Count(source="book.generation_number")
    method = Text()
    began_at = Instant()
    until = Instant()
    days = Count(source="risk.days")
    initial_cash = Money(source="summary.initial_cash")
    equity = Money(source="summary.equity")
    realized_pl = Money(source="summary.realized_pl")
    total_return = Ratio()
    annual_return = Ratio(source="risk.annual_return", allow_null=True)
    volatility = Ratio(source="risk.volatility", allow_null=True)
    sharpe = Ratio(source="risk.sharpe", allow_null=True)
    sharpe_error = Ratio(source="risk.sharpe_error", allow_null=True)
    sortino = Ratio(source="risk.sortino", allow_null=True)
    calmar = Ratio(source="risk.calmar", allow_null=True)
    drawdown = Ratio(source="summary.drawdown")
    max_drawdown = Ratio(source="summary.max_drawdown")
    best_day = DaySerializer(source="risk.best", allow_null=True)
    worst_day = DaySerializer(source="risk.worst", allow_null=True)
    share_of_days_up = Ratio(source="risk.share_of_days_up", allow_null=True)
    exposure = Ratio(allow_null=True)
    turnover = Ratio(allow_null=True)
    bought = Money()
    sold = Money()
    spread_paid = Money()
    trades = TradeFiguresSerializer()
    honesty = HonestySerializer()
    drawdowns = DrawdownSerializer(many=True)
    by_symbol = SymbolResultSerializer(many=True)
    by_tag = TagResultSerializer(many=True)
    months = MonthSerializer(many=True)
    daily = DaySerializer(source="days", many=True)


class TradePartSerializer(WireSerializer):
    """A fill or a settlement that a round trip is made of; `id` is the fill's, or the ledger transaction's."""

    kind = Text()
    id = Id()
    order_id = Id(allow_null=True)
    client_order_id = Text()
    at = Instant()
    qty = Qty()
    price = Price()
    tags = Texts()


class TradeSerializer(WireSerializer):
    """A round trip. `realized_pl` is what the books realized by it; `closed_at` is null while some of it is held."""

    number = Count()
    symbol = Text(source="trip.symbol")
    opened_at = Instant(source="trip.opened_at")
    closed_at = Instant(source="trip.closed_at", allow_null=True)
    qty = Qty(source="trip.qty")
    entry_price = Price(source="trip.entry_price")
    exit_price = Price(source="trip.exit_price", allow_null=True)
    cost = Money(source="trip.cost")
    proceeds = Money(source="trip.proceeds")
    realized_pl = Money(source="trip.realized_pl")
    result_share = Ratio(source="trip.result_share", allow_null=True)
    spread_paid = Money(source="trip.spread_paid")
    settled = Switch(source="trip.settled")
    held_seconds = Seconds(source="held")
    entries = TradePartSerializer(source="trip.entries", many=True)
    exits = TradePartSerializer(source="trip.exits", many=True)
    tags = Texts(source="trip.tags")


class ReasonSerializer(WireSerializer):
    """How often a reason was given."""

    reason = Text()
    count = Count(source="times")


class ReasonsOfDaySerializer(WireSerializer):
    """Why evaluations filled nothing on a New York day."""

    date = Text(source="day")
    reasons = ReasonSerializer(many=True)


class ExecutionSerializer(WireSerializer):
    """How well orders were executed. Costs are USD, and basis points of what was traded."""

    orders = Count()
    filled = Count()
    fill_ratio = Ratio(allow_null=True)
    traded = Money()
    half_spread = Money()
    half_spread_bp = Ratio(allow_null=True)
    shortfall = Money()
    shortfall_bp = Ratio(allow_null=True)
    median_time_to_fill_seconds = Seconds(source="median_time_to_fill", allow_null=True)
    rejected = Count()
    rejects = ReasonSerializer(many=True)
    no_fills = ReasonSerializer(many=True)
    no_fills_by_day = ReasonsOfDaySerializer(many=True)


class CurvePointSerializer(WireSerializer):
    """A place on a curve that began at 100."""

    timestamp = Instant()
    value = Money()


class ComparedRunSerializer(WireSerializer):
    """One of the runs that are compared, and its curve with its start at 100."""

    run = Text(source="curve.id")
    name = Text(source="curve.name")
    performance = PerformanceSerializer()
    curve = CurvePointSerializer(source="curve.rebased", many=True)


class AlikeSerializer(WireSerializer):
    """The correlation of two runs' daily returns; null where they share too few days."""

    first = Text()
    second = Text()
    correlation = Ratio(allow_null=True)


class ComparisonSerializer(WireSerializer):
    """Runs in the order in which they were named."""

    runs = ComparedRunSerializer(many=True)
    alike = AlikeSerializer(many=True)
