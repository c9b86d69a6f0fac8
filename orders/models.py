"""Orders and their fills. Only `orders` writes these rows; a fill points at its ledger transaction and its quote."""

from decimal import Decimal
from enum import StrEnum

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from accounts.models import PaperAccount, note_field, tags_are_few, tags_field
from marketdata.instruments import AssetClass
from marketdata.models import QuoteRecord
from marketdata.quotes import QuoteFault
from orders.states import OPEN, Status
from orders.terms import Intent, OrderType, Side, TimeInForce
from papertrade.lib.words import short
from portfolio.models import CHECKED_BY_STATEMENT, Book, LedgerTransaction, money_field, price_field, qty_field


def choices(words: type[StrEnum]) -> list[tuple[str, str]]:
    """A StrEnum as Django choices."""
    return [(word.value, word.value) for word in words]


# A foreign key that another one implies (an order's account is its book's; evidence is written with what points at it and
# never deleted): no constraint and no index of its own, which together would cost a sweep a fifth of its time.
COPY: dict[str, bool] = {"db_index": False, "db_constraint": False}

UNFILLED = sorted({Status.CANCELED, Status.EXPIRED, Status.REJECTED})
IS_OPEN = Q(status__in=sorted(OPEN))
WAITS_FOR_A_QUOTE = Q(no_fill_reason__in=sorted(QuoteFault))  # the last quote that judged it was at fault


def average_price(exact_cost: Decimal, filled_qty: Decimal, multiplier: int) -> Decimal | None:
    """USD per share or contract that was filled so far, or None before the first fill."""
    return exact_cost / (filled_qty * multiplier) if filled_qty else None


class Order(models.Model):
    """One order. `number` runs on through the account's generations; competing orders of a book go by it.

    `exact_cost` is the unrounded sum of qty x price x multiplier over its fills, `booked` the rounded sum that was booked.
    `evaluated_on` is the session that evaluated it last; at an open every open order of an earlier one is due.
    An order that was replaced, and the one that took its place, name each other (`replaced_by`, `replaces`).
    `note` and `tags` are the user's: they decide nothing and may be changed at any time.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(PaperAccount, on_delete=models.PROTECT, related_name="orders", **COPY)
    book = models.ForeignKey(Book, on_delete=models.PROTECT, related_name="orders", db_index=False)
    number = models.PositiveBigIntegerField()
    client_order_id = models.CharField(max_length=128)
    symbol = models.CharField(max_length=32)
    asset_class = models.CharField(max_length=16, choices=choices(AssetClass))
    multiplier = models.PositiveSmallIntegerField()
    side = models.CharField(max_length=4, choices=choices(Side))
    type = models.CharField(max_length=8, choices=choices(OrderType))
    time_in_force = models.CharField(max_length=4, choices=choices(TimeInForce))
    position_intent = models.CharField(max_length=16, choices=choices(Intent), blank=True)
    extended_hours = models.BooleanField(default=False)
    qty = qty_field()
    limit_price = price_field(null=True)
    status = models.CharField(max_length=16, choices=choices(Status))
    filled_qty = qty_field(default=0)
    exact_cost = models.DecimalField(max_digits=40, decimal_places=12, default=0)
    booked = money_field(default=0)
    held_cash = money_field(default=0)
    held_qty = qty_field(default=0)
    rejected_reason = models.CharField(max_length=32, blank=True)
    cancel_reason = models.CharField(max_length=32, blank=True)
    no_fill_reason = models.CharField(max_length=32, blank=True)
    no_fill_at = models.DateTimeField(null=True)
    session_date = models.DateField()
    expires_at = models.DateTimeField()
    evaluated_on = models.DateField(null=True)
    quote = models.ForeignKey(QuoteRecord, on_delete=models.PROTECT, null=True, related_name="+", **COPY)
    submitted_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField()
    filled_at = models.DateTimeField(null=True)
    canceled_at = models.DateTimeField(null=True)
    expired_at = models.DateTimeField(null=True)
    rejected_at = models.DateTimeField(null=True)
    replaced_at = models.DateTimeField(null=True)
    replaced_by = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+", **COPY)
    replaces = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+", **COPY)
    recorded_at = models.DateTimeField(db_default=Now())
    note = note_field()
    tags = tags_field()

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(name="order_number_once", fields=["book", "number"]),
            models.UniqueConstraint(name="order_client_id_once", fields=["book", "client_order_id"]),
            models.CheckConstraint(name="order_qty_positive", condition=Q(qty__gt=0)),
            models.CheckConstraint(
                name="order_filled_within_qty", condition=Q(filled_qty__gte=0) & Q(filled_qty__lte=F("qty"))
            ),
            models.CheckConstraint(
                name="order_limit_has_price",
                condition=Q(type="limit", limit_price__gt=0) | Q(type="market", limit_price__isnull=True),
            ),
            models.CheckConstraint(
                name="order_filled_is_full",
                condition=~Q(status="filled") | Q(filled_qty=F("qty"), filled_at__isnull=False),
            ),
            models.CheckConstraint(
                name="order_rejected_has_reason", condition=~Q(status="rejected") | ~Q(rejected_reason="")
            ),
            models.CheckConstraint(
                name="order_canceled_has_reason", condition=~Q(status="canceled") | ~Q(cancel_reason="")
            ),
            models.CheckConstraint(
                name="order_replaced_names_other",
                condition=Q(status="replaced", replaced_by__isnull=False, replaced_at__isnull=False)
                | ~Q(status="replaced") & Q(replaced_by__isnull=True, replaced_at__isnull=True),
            ),
            models.CheckConstraint(name="order_closed_holds_nothing", condition=IS_OPEN | Q(held_cash=0, held_qty=0)),
            models.CheckConstraint(name="order_holds_not_negative", condition=Q(held_cash__gte=0, held_qty__gte=0)),
            tags_are_few("order_tags_few"),
        ]
        indexes = [
            # What a quote can fill: the open orders of its symbol on that side whose limit it reaches.
            models.Index(fields=["symbol", "side", "limit_price"], name="order_working", condition=IS_OPEN),
            models.Index(fields=["symbol"], name="order_waiting", condition=IS_OPEN & WAITS_FOR_A_QUOTE),
            models.Index(fields=["book", "number"], name="order_open_of_book", condition=IS_OPEN),
            models.Index(fields=["expires_at"], name="order_expiring", condition=IS_OPEN),
            models.Index(fields=["book", "symbol", "-number"], name="order_book_symbol"),
            GinIndex(fields=["tags"], name="order_tagged", condition=~Q(tags=[])),
            # For the admin, over all accounts: a range of dates, and the few that ended without being filled.
            models.Index(fields=["submitted_at"], name="order_submitted"),
            models.Index(fields=["status", "id"], name="order_unfilled", condition=Q(status__in=UNFILLED)),
        ]

    def __str__(self) -> str:
        return f"{self.side} {short(self.qty)} {self.symbol} ({self.status})"

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def reason(self) -> str:
        """Why it was rejected, why it ended, or why it has not filled: the code that goes with its status, or nothing."""
        return self.rejected_reason or self.cancel_reason or self.no_fill_reason

    @property
    def remaining(self):
        """Quantity not filled yet."""
        return self.qty - self.filled_qty

    @property
    def average_fill_price(self):
        """USD per share over its fills, or None before the first."""
        return average_price(self.exact_cost, self.filled_qty, self.multiplier)


class Fill(models.Model):
    """One execution. `seq` is the number of its event; `price_since` is the time from which the price that it took had stood.

    That its order, quote and ledger transaction exist is checked by statement (portfolio.models.CHECKED_BY_STATEMENT).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="fills", db_constraint=False)
    account = models.ForeignKey(PaperAccount, on_delete=models.PROTECT, related_name="fills", **COPY)
    book = models.ForeignKey(Book, on_delete=models.PROTECT, related_name="fills", **COPY)
    seq = models.PositiveBigIntegerField()
    symbol = models.CharField(max_length=32)
    asset_class = models.CharField(max_length=16, choices=choices(AssetClass))
    side = models.CharField(max_length=4, choices=choices(Side))
    qty = qty_field()
    price = price_field()
    gross_amount = money_field()
    realized_pl = money_field()
    quote = models.ForeignKey(QuoteRecord, on_delete=models.PROTECT, related_name="+", **CHECKED_BY_STATEMENT)
    price_since = models.DateTimeField()
    ledger_transaction = models.OneToOneField(
        LedgerTransaction, on_delete=models.PROTECT, null=True, related_name="fill", db_constraint=False
    )
    created_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    kind = "fill"  # in lists, where settlements stand beside fills

    class Meta:
        ordering = ["-seq"]
        constraints = [
            models.UniqueConstraint(name="fill_seq_once", fields=["book", "seq"]),
            models.CheckConstraint(name="fill_qty_positive", condition=Q(qty__gt=0, price__gt=0)),
            models.CheckConstraint(
                name="fill_money_is_in_the_ledger",
                condition=Q(ledger_transaction__isnull=False) | Q(gross_amount=0, realized_pl=0),
            ),
        ]
        indexes = [
            # What a generation took of a displayed price since it was set.
            models.Index(fields=["book", "symbol", "side", "price_since"], name="fill_taken"),
            # For the admin, over all accounts: a symbol, a range of dates, and (with its symbol) a quote.
            models.Index(fields=["symbol", "created_at"], name="fill_symbol_time"),
        ]

    def __str__(self) -> str:
        return f"{self.side} {short(self.qty)} {self.symbol} @ {short(self.price, 2)}"


class Sweep(models.Model):
    """One pass over the books at a session's open or close, claimed once and done in chunks by any number of workers.

    `quotes` pins what every worker decides on, so that the outcome depends neither on who does it nor on the quote book.
    A later round exists only where orders became due after the earlier one was made (a commit that came late).
    """

    class Kind(models.TextChoices):
        OPEN = "open"
        CLOSE = "close"

    kind = models.CharField(max_length=5, choices=Kind.choices)
    session_date = models.DateField()
    round = models.PositiveSmallIntegerField()
    at = models.DateTimeField()
    quotes = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "orders_sessionrun"  # its name in 0.1.0, which may still be serving
        ordering = ["-session_date", "-kind", "-round"]
        constraints = [
            models.UniqueConstraint(name="session_run_claimed_once", fields=["kind", "session_date", "round"])
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.session_date}"


class SweepChunk(models.Model):
    """Some of a sweep's books. Its row lock is the claim: a worker that dies gives it back."""

    sweep = models.ForeignKey(
        Sweep, on_delete=models.CASCADE, related_name="chunks", db_index=False, db_column="run_id"
    )
    number = models.PositiveIntegerField()
    first_book_id = models.BigIntegerField()
    last_book_id = models.BigIntegerField()
    orders = models.PositiveIntegerField()
    worker = models.CharField(max_length=100, blank=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "orders_sessionrunchunk"
        ordering = ["sweep", "number"]
        constraints = [models.UniqueConstraint(name="session_run_chunk_once", fields=["sweep", "number"])]

    def __str__(self) -> str:
        return f"{self.sweep} chunk {self.number}"
