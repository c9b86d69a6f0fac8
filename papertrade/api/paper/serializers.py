"""The objects of the wire, fields in their order. One description serves the answers and the OpenAPI schema."""

from datetime import datetime, timedelta
from typing import Any

from drf_spectacular.utils import extend_schema_field, inline_serializer
from rest_framework import serializers

from marketdata.models import QuoteRecord
from marketdata.quotes import Quote
from orders.models import Fill, Order
from papertrade.api.kit.fields import Count, Id, Instant, Money, Price, Qty, Ratio, Switch, Text, instant, price, qty
from portfolio.models import AccountEvent

MILLISECOND = timedelta(milliseconds=1)


class Policy(serializers.Serializer):
    """What a quote must be to fill an order; ages in seconds, the floor in USD, the ratio a fraction of the mid."""

    stock_quote_max_age_seconds = Count()
    option_quote_max_age_seconds = Count()
    option_max_spread_ratio = Text()
    option_spread_floor = Text()
    size_cap = Switch()


class Evidence(serializers.Serializer):
    """The quote that a decision used, as it was at that instant, and the policy it was judged by."""

    bid = Price(allow_null=True)
    ask = Price(allow_null=True)
    bid_size = Qty(allow_null=True)
    ask_size = Qty(allow_null=True)
    quoted_at = Instant()
    age_ms = Text()
    spread = Price(allow_null=True)
    feed = Text()
    policy = Policy()


def evidence(quote: QuoteRecord | Quote | None, at: datetime, policy: dict[str, Any]) -> dict[str, Any] | None:
    """The quote as evidence, seen at that instant; numbers are strings too."""
    if quote is None:
        return None
    spread = None if quote.bid is None or quote.ask is None else quote.ask - quote.bid
    return {
        "bid": _or_none(price, quote.bid),
        "ask": _or_none(price, quote.ask),
        "bid_size": _or_none(qty, quote.bid_size),
        "ask_size": _or_none(qty, quote.ask_size),
        "quoted_at": instant(quote.quoted_at),
        "age_ms": str((at - quote.quoted_at) // MILLISECOND),
        "spread": _or_none(price, spread),
        "feed": quote.feed,
        "policy": policy,
    }


def _or_none(show: Any, value: Any) -> Any:
    return None if value is None else show(value)


class Account(serializers.Serializer):
    """A paper account; cash and initial_cash are those of its latest generation."""

    id = Id()
    name = Text()
    status = Text()
    currency = Text()
    initial_cash = Money()
    cash = Money()
    generation = Count()
    created_at = Instant()
    updated_at = Instant()
    reset_at = Instant(allow_null=True)
    archived_at = Instant(allow_null=True)
    policy = Policy()


class Summary(serializers.Serializer):
    """How a generation stands: money in USD, drawdowns and win rate as fractions."""

    equity = Money()
    cash = Money()
    market_value = Money()
    initial_cash = Money()
    realized_pl = Money()
    unrealized_pl = Money()
    drawdown = Ratio()
    closed_trades = Count()
    winning_trades = Count()
    win_rate = Ratio()
    buying_power = Money()
    held_cash = Money()
    max_drawdown = Ratio()


class AccountAndSummary(serializers.Serializer):
    account = Account()
    summary = Summary()


class OrderShape(serializers.Serializer):
    """An order. Empty strings where there is no reason; `evidence` is the quote at submission."""

    id = Id()
    client_order_id = Text()
    account_id = Id()
    generation = Count(source="book.generation_number")
    symbol = Text()
    asset_class = Text()
    qty = Qty()
    filled_qty = Qty()
    side = Text()
    type = Text()
    time_in_force = Text()
    limit_price = Price(allow_null=True)
    status = Text()
    position_intent = Text()
    order_class = serializers.SerializerMethodField()
    extended_hours = Switch()
    average_fill_price = Price(allow_null=True)
    filled_avg_price = Price(allow_null=True, source="average_fill_price")
    rejected_reason = Text()
    cancel_reason = Text()
    no_fill_reason = Text()
    no_fill_at = Instant(allow_null=True)
    submitted_at = Instant()
    accepted_at = Instant(allow_null=True)
    updated_at = Instant()
    filled_at = Instant(allow_null=True)
    canceled_at = Instant(allow_null=True)
    expired_at = Instant(allow_null=True)
    rejected_at = Instant(allow_null=True)
    expires_at = Instant()
    evidence = serializers.SerializerMethodField()
    number = Count()

    @extend_schema_field({"type": "string", "enum": ["simple"]})
    def get_order_class(self, order: Order) -> str:
        return "simple"

    @extend_schema_field(Evidence(allow_null=True))
    def get_evidence(self, order: Order) -> dict[str, Any] | None:
        return evidence(order.quote, order.submitted_at, order.book.generation.policy)


class Position(serializers.Serializer):
    """A position at its mark; `unrealized_plpc` is a fraction of the cost."""

    id = Id()
    symbol = Text()
    asset_class = Text()
    qty = Qty()
    qty_available = Qty()
    avg_entry_price = Price()
    market_price = Price()
    market_value = Money()
    cost_basis = Money()
    unrealized_pl = Money()
    unrealized_plpc = Ratio()
    realized_pl = Money()
    updated_at = Instant()
    unsettled = Switch()
    marked_at = Instant()


class FillShape(serializers.Serializer):
    """One execution. `market_timestamp` is the quote's time, `created_at` the evaluation's."""

    id = Id()
    order_id = Id()
    symbol = Text()
    asset_class = Text()
    side = Text()
    qty = Qty()
    price = Price()
    gross_amount = Money()
    realized_pl = Money()
    market_timestamp = Instant(source="quote.quoted_at")
    created_at = Instant()
    evidence = serializers.SerializerMethodField()

    @extend_schema_field(Evidence)
    def get_evidence(self, fill: Fill) -> dict[str, Any] | None:
        return evidence(fill.quote, fill.created_at, fill.book.generation.policy)


class Event(serializers.Serializer):
    """One thing that happened to the account. `status` is the order's after it."""

    seq = Count()
    type = Text()
    at = Instant()
    order_id = Id(allow_null=True)
    status = Text(source="order_status")
    reason = Text()
    fill_id = Id(allow_null=True)
    evidence = serializers.SerializerMethodField()
    symbol = Text()
    generation = Count(source="book.generation_number")

    @extend_schema_field(Evidence(allow_null=True))
    def get_evidence(self, event: AccountEvent) -> dict[str, Any] | None:
        return evidence(event.quote, event.at, event.book.generation.policy)


class Snapshot(serializers.Serializer):
    """What a generation was worth at an instant."""

    timestamp = Instant()
    equity = Money()
    cash = Money()
    market_value = Money()
    realized_pl = Money()
    unrealized_pl = Money()
    drawdown = Ratio()


class LedgerEntry(serializers.Serializer):
    account = Text()
    debit = Money()
    credit = Money()


class LedgerTransaction(serializers.Serializer):
    """A balanced group of entries, chained by hash to the one before."""

    sequence = Count()
    kind = Text()
    at = Instant()
    order_number = Count(allow_null=True)
    symbol = Text()
    qty = Qty(allow_null=True)
    price = Price(allow_null=True)
    description = Text()
    entries = LedgerEntry(many=True, source="entries.all")
    previous_hash = Text()
    hash = Text()


class LedgerDifference(serializers.Serializer):
    row = Text()
    problem = Text()


class LedgerReport(serializers.Serializer):
    """Whether the ledger is what its hashes say."""

    head = Text()
    transactions = Count()
    ok = Switch()
    differences = LedgerDifference(many=True)


class GenerationShape(serializers.Serializer):
    """One run of an account. `summary` is final where it is closed, and as of now where it is open."""

    number = Count()
    policy = Policy()
    initial_cash = Money()
    opened_at = Instant()
    closed_at = Instant(allow_null=True)
    reason = Text()
    summary = Summary()
    feed = Text()
    engine_version = Text()


class PreviewShape(serializers.Serializer):
    """What an order would get now; nothing was stored."""

    order = OrderShape()
    admitted = Switch()
    reason = Text()
    would_fill_qty = Qty()
    estimated_cost = Money(allow_null=True)
    hold = Money()
    buying_power = Money()
    buying_power_after = Money()
    evidence = Evidence(allow_null=True)


class Clock(serializers.Serializer):
    """Exchange time. `speed` is exchange seconds a wall second; 0 = it moves only when told to."""

    timestamp = Instant()
    is_open = Switch()
    next_open = Instant()
    next_close = Instant()
    market = Text()
    speed = Text()


class SessionShape(serializers.Serializer):
    """Regular hours of one trading day."""

    date = serializers.DateField()
    open = Instant()
    close = Instant()


class QuoteShape(serializers.Serializer):
    """The latest quote; `quality` is ok, or the reason that would stop a fill."""

    symbol = Text()
    bid = Price(allow_null=True)
    ask = Price(allow_null=True)
    bid_size = Qty(allow_null=True)
    ask_size = Qty(allow_null=True)
    quoted_at = Instant(allow_null=True)
    age_ms = Count(allow_null=True)
    quality = Text()
    feed = Text()


class Error(serializers.Serializer):
    """Every failure, whatever it was."""

    status = Text()
    request_id = Text()
    error = inline_serializer(
        "ErrorBody", {"code": Text(), "message": Text(), "details": serializers.DictField(read_only=True)}
    )
