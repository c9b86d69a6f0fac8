"""The objects of /v1/paper/, their fields in order. One description serves the answers and the OpenAPI document."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from drf_spectacular.utils import extend_schema_field

from accounts.models import AccountStatus, Generation, PaperAccount
from marketdata.instruments import AssetClass
from marketdata.models import QuoteRecord
from marketdata.quotes import Quote
from orders.reasons import CANCELED, NO_FILL, REJECTED
from orders.states import Status
from orders.terms import Intent, OrderType, Side, TimeInForce
from papertrade.api.kit.fields import Count, Id, Instant, Money, Price, Qty, Ratio, Switch, Text, Texts, WireField, Word
from papertrade.api.kit.serializers import WireSerializer
from portfolio.ledger import LedgerAccount, LedgerKind
from portfolio.models import Book, EventType
from portfolio.selectors import Summary

MILLISECOND = timedelta(milliseconds=1)


class PolicySerializer(WireSerializer):
    """What a quote must be to fill an order; ages in seconds, the floor in USD, the ratio a fraction of the mid."""

    stock_quote_max_age_seconds = Count()
    option_quote_max_age_seconds = Count()
    option_max_spread_ratio = Text()
    option_spread_floor = Text()
    size_cap = Switch()


class Evidence(NamedTuple):
    """A quote as a decision saw it, and the generation whose policy judged it."""

    quote: QuoteRecord | Quote
    at: datetime
    generation: Generation

    @property
    def age_ms(self) -> int:
        return (self.at - self.quote.quoted_at) // MILLISECOND

    @property
    def spread(self) -> Decimal | None:
        quote = self.quote
        return None if quote.bid is None or quote.ask is None else quote.ask - quote.bid


class EvidenceSerializer(WireSerializer):
    """The quote that a decision used, as it was at that instant; prices and sizes are strings, the age is a count.
    `policy_hash` names the policy that judged it: the account and its generations have it whole.
    """

    bid = Price(allow_null=True, source="quote.bid")
    ask = Price(allow_null=True, source="quote.ask")
    bid_size = Qty(allow_null=True, source="quote.bid_size")
    ask_size = Qty(allow_null=True, source="quote.ask_size")
    quoted_at = Instant(source="quote.quoted_at")
    age_ms = Count()
    spread = Price(allow_null=True)
    feed = Text(source="quote.feed")
    policy_hash = Text(source="generation.policy_hash")


class WholeEvidenceSerializer(EvidenceSerializer):
    """The same with the policy itself, where one order is asked for."""

    policy = PolicySerializer(source="generation.policy")


@extend_schema_field(EvidenceSerializer(allow_null=True))
class EvidenceField(WireField):
    """The evidence of a row that has a `quote`, a `book` and, in the column that `at` names, when it was seen."""

    shape = EvidenceSerializer()

    def __init__(self, at: str) -> None:
        super().__init__(source="*")
        self.at = at

    def to_representation(self, row: Any) -> dict[str, Any] | None:
        quote = row.quote
        if quote is None:
            return None
        return self.shape.to_representation(Evidence(quote, getattr(row, self.at), row.book.generation))


@extend_schema_field(WholeEvidenceSerializer(allow_null=True))
class WholeEvidenceField(EvidenceField):
    """Evidence with the policy itself."""

    shape = WholeEvidenceSerializer()


@extend_schema_field({"type": "string", "enum": ["simple"]})
class SimpleClass(WireField):
    """The only order class that v1 takes."""

    def to_representation(self, order: Any) -> str:
        return "simple"


class AccountStanding(NamedTuple):
    """An account with its latest book, and that book's figures."""

    account: PaperAccount
    book: Book
    summary: Summary | None = None


class AccountSerializer(WireSerializer):
    """A paper account; cash, initial_cash, policy, note and tags are those of its latest generation."""

    id = Id(source="account.id")
    name = Text(source="account.name")
    status = Word(AccountStatus.values, called="AccountStatus", source="account.status")
    currency = Text(source="account.currency")
    initial_cash = Money(source="book.generation.initial_cash")
    cash = Money(source="book.cash")
    generation = Count(source="book.generation_number")
    created_at = Instant(source="account.created_at")
    updated_at = Instant(source="account.updated_at")
    reset_at = Instant(allow_null=True, source="account.reset_at")
    archived_at = Instant(allow_null=True, source="account.archived_at")
    policy = PolicySerializer(source="book.generation.policy")
    policy_hash = Text(source="book.generation.policy_hash")
    note = Text(source="book.generation.note")
    tags = Texts(source="book.generation.tags")


class SummarySerializer(WireSerializer):
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


class AccountAndSummarySerializer(WireSerializer):
    """An account, and how its latest generation stands."""

    account = AccountSerializer(source="*")
    summary = SummarySerializer()


class OrderSerializer(WireSerializer):
    """An order. Empty strings where there is no reason; `evidence` is the quote at submission."""

    id = Id()
    client_order_id = Text()
    account_id = Id()
    generation = Count(source="book.generation_number")
    symbol = Text()
    asset_class = Word(AssetClass, called="AssetClass")
    qty = Qty()
    filled_qty = Qty()
    side = Word(Side, called="Side")
    type = Word(OrderType, called="OrderType")
    time_in_force = Word(TimeInForce, called="TimeInForce")
    limit_price = Price(allow_null=True)
    status = Word(Status, called="OrderStatus")
    position_intent = Word(Intent, called="PositionIntentOrNone", or_empty=True)
    order_class = SimpleClass(source="*")
    extended_hours = Switch()
    average_fill_price = Price(allow_null=True)
    filled_avg_price = Price(allow_null=True, source="average_fill_price")
    rejected_reason = Word(REJECTED, called="RejectedReason", or_empty=True)
    cancel_reason = Word(CANCELED, called="CancelReason", or_empty=True)
    no_fill_reason = Word(NO_FILL, called="NoFillReason", or_empty=True)
    no_fill_at = Instant(allow_null=True)
    submitted_at = Instant()
    accepted_at = Instant(allow_null=True)
    updated_at = Instant()
    filled_at = Instant(allow_null=True)
    canceled_at = Instant(allow_null=True)
    expired_at = Instant(allow_null=True)
    rejected_at = Instant(allow_null=True)
    expires_at = Instant()
    evidence = EvidenceField(at="submitted_at")
    number = Count()
    replaced_at = Instant(allow_null=True)
    replaced_by = Id(allow_null=True, source="replaced_by_id")
    replaces = Id(allow_null=True, source="replaces_id")
    note = Text()
    tags = Texts()


class OrderDetailSerializer(OrderSerializer):
    """One order that was asked for: as in a list, and its evidence has the policy itself."""

    evidence = WholeEvidenceField(at="submitted_at")


class RefusalSerializer(WireSerializer):
    """Why one of several was not done."""

    code = Text()
    message = Text()


class ClosedSerializer(WireSerializer):
    """What became of one position: the order that closes it, or why there is none."""

    symbol = Text()
    order = OrderSerializer(allow_null=True)
    replayed = Switch()
    error = RefusalSerializer(allow_null=True, source="refusal")


class PositionSerializer(WireSerializer):
    """A position at its mark; `unrealized_plpc` is a fraction of the cost."""

    id = Id()
    symbol = Text()
    asset_class = Word(AssetClass, called="AssetClass")
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
    unsettled_reason = Text()


class FillSerializer(WireSerializer):
    """One execution (`kind` fill); or a settlement, which closed a position in an expired option without an order.

    `market_timestamp` is the quote's time, `created_at` the evaluation's. The evidence of a settlement is a quote of the stock;
    one that an operator made has none.
    """

    id = Id()
    order_id = Id(allow_null=True)
    symbol = Text()
    asset_class = Word(AssetClass, called="AssetClass")
    side = Word(Side, called="Side")
    qty = Qty()
    price = Price()
    gross_amount = Money()
    realized_pl = Money()
    market_timestamp = Instant(allow_null=True)
    created_at = Instant()
    evidence = EvidenceField(at="created_at")
    kind = Text()


class EventSerializer(WireSerializer):
    """One thing that happened to the account. `status` is that of the order after it.

    A fill and a settlement say what was done: `qty` at `price` for `amount` USD, how much of the order is filled by then, how
    much remains, and the position after it.
    """

    seq = Count()
    type = Word(EventType.values, called="EventType")
    at = Instant()
    order_id = Id(allow_null=True)
    status = Word(Status, called="EventOrderStatus", or_empty=True, source="order_status")
    reason = Text()
    fill_id = Id(allow_null=True)
    evidence = EvidenceField(at="at")
    symbol = Text()
    generation = Count(source="book.generation_number")
    qty = Qty(allow_null=True)
    price = Price(allow_null=True)
    amount = Money(allow_null=True)
    filled_qty = Qty(allow_null=True)
    remaining_qty = Qty(allow_null=True)
    position_qty = Qty(allow_null=True)


class SnapshotSerializer(WireSerializer):
    """What a generation was worth at an instant."""

    timestamp = Instant()
    equity = Money()
    cash = Money()
    market_value = Money()
    realized_pl = Money()
    unrealized_pl = Money()
    drawdown = Ratio()


class LedgerEntrySerializer(WireSerializer):
    """One debit or one credit, USD."""

    account = Word(LedgerAccount, called="LedgerAccount")
    debit = Money()
    credit = Money()


class LedgerTransactionSerializer(WireSerializer):
    """A balanced group of entries, chained by its hash to the transaction before."""

    sequence = Count()
    kind = Word(LedgerKind, called="LedgerKind")
    at = Instant()
    order_number = Count(allow_null=True)
    symbol = Text()
    qty = Qty(allow_null=True)
    price = Price(allow_null=True)
    description = Text()
    entries = LedgerEntrySerializer(many=True)
    previous_hash = Text()
    hash = Text()


class LedgerDifferenceSerializer(WireSerializer):
    """Where the ledger is not what its hashes say."""

    row = Text()
    problem = Text()


class LedgerReportSerializer(WireSerializer):
    """Whether the ledger is what its hashes say."""

    head = Text()
    transactions = Count()
    ok = Switch()
    differences = LedgerDifferenceSerializer(many=True)


class GenerationStanding(NamedTuple):
    """A generation and what it came to, or has come to now."""

    generation: Generation
    summary: Summary


class GenerationSerializer(WireSerializer):
    """One run of an account. `summary` is final for a closed generation, and as of now for the open one."""

    number = Count(source="generation.number")
    policy = PolicySerializer(source="generation.policy")
    initial_cash = Money(source="generation.initial_cash")
    opened_at = Instant(source="generation.opened_at")
    closed_at = Instant(allow_null=True, source="generation.closed_at")
    reason = Text(source="generation.reason")
    summary = SummarySerializer()
    feed = Text(source="generation.feed")
    engine_version = Text(source="generation.engine_version")
    policy_hash = Text(source="generation.policy_hash")
    note = Text(source="generation.note")
    tags = Texts(source="generation.tags")


class PreviewSerializer(WireSerializer):
    """What an order would get now; nothing was stored."""

    order = OrderDetailSerializer()
    admitted = Switch()
    reason = Text()
    would_fill_qty = Qty()
    estimated_cost = Money(allow_null=True)
    hold = Money()
    buying_power = Money()
    buying_power_after = Money()
    evidence = WholeEvidenceField(at="at")


class WatchlistSerializer(WireSerializer):
    """Symbols that are kept under a name, in the order in which they were added."""

    id = Id()
    name = Text()
    symbols = Texts()
