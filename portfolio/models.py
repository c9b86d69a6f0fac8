"""The books: cash, positions, the double-entry ledger, equity snapshots and the event log.

The database guards them, also against SQL that skips the ORM: constraints here, triggers in the migrations (a ledger
transaction seals its entries balanced and at least two; ledger, events and snapshots only ever grow; what grows with
every order points at rows that exist).
"""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from uuid_utils.compat import uuid7

from accounts.models import Generation, PaperAccount
from marketdata.instruments import AssetClass
from marketdata.models import QuoteRecord
from papertrade.lib.tracing import REQUEST_ID_LENGTH
from papertrade.lib.words import counted, short
from portfolio import ledger


def money_field(**options: object) -> models.DecimalField:
    """USD with 4 decimals."""
    return models.DecimalField(max_digits=24, decimal_places=4, **options)


def qty_field(**options: object) -> models.DecimalField:
    """Shares or contracts with 6 decimals."""
    return models.DecimalField(max_digits=18, decimal_places=6, **options)


def price_field(**options: object) -> models.DecimalField:
    """USD per share with 6 decimals."""
    return models.DecimalField(max_digits=18, decimal_places=6, **options)


# Of a table that grows with every order: a foreign key that one trigger checks for a whole statement (migration
# 0003_references). PostgreSQL's own constraint checks row by row and locks the row pointed at, which may be a quote that
# every worker points at. What is pointed at is never deleted, so checking at the insert is enough.
CHECKED_BY_STATEMENT: dict[str, bool] = {"db_index": False, "db_constraint": False}


class Book(models.Model):
    """Cash, holds and counters of one generation. Whoever changes anything of a generation locks this row first.

    `order_seq` and `event_seq` run on through resets, so that an account's orders and events are numbered without
    gaps; `ledger_seq` and `ledger_head` start anew with each book.
    """

    generation = models.OneToOneField(Generation, on_delete=models.PROTECT, related_name="book")
    generation_number = models.PositiveIntegerField()
    account = models.ForeignKey(PaperAccount, on_delete=models.PROTECT, related_name="books", db_index=False)
    cash = money_field()
    held_cash = money_field(default=0)
    realized_pl = money_field(default=0)
    peak_equity = money_field()
    max_drawdown = models.DecimalField(max_digits=10, decimal_places=6, default=0)
    closed_trades = models.PositiveIntegerField(default=0)
    winning_trades = models.PositiveIntegerField(default=0)
    order_seq = models.PositiveBigIntegerField(default=0)
    event_seq = models.PositiveBigIntegerField(default=0)
    ledger_seq = models.PositiveBigIntegerField(default=0)
    ledger_head = models.CharField(max_length=64, default=ledger.GENESIS_HASH)
    last_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="book_one_open", fields=["account"], condition=Q(closed_at__isnull=True)),
            models.CheckConstraint(name="book_held_cash_not_negative", condition=Q(held_cash__gte=0)),
            models.CheckConstraint(name="book_buying_power_not_negative", condition=Q(cash__gte=F("held_cash"))),
            models.CheckConstraint(name="book_won_of_closed", condition=Q(winning_trades__lte=F("closed_trades"))),
            models.CheckConstraint(
                name="book_closed_holds_nothing", condition=Q(closed_at__isnull=True) | Q(held_cash=0)
            ),
        ]
        indexes = [models.Index(fields=["account", "generation_number"], name="book_account_generation")]

    def __str__(self) -> str:
        return f"{self.account_id} #{self.generation_number}"


class Position(models.Model):
    """What a book holds, or held, of one symbol; a flat one keeps its realized P/L.

    `mark_price` is the bid of the quote that filled it last; while the book is open a later `Mark` of the symbol
    overrides it, and when the book closes the mark of that moment is frozen here.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    book = models.ForeignKey(Book, on_delete=models.PROTECT, related_name="positions", **CHECKED_BY_STATEMENT)
    symbol = models.CharField(max_length=32)
    asset_class = models.CharField(max_length=16, choices=[(kind.value, kind.name) for kind in AssetClass])
    multiplier = models.PositiveSmallIntegerField()
    qty = qty_field(default=0)
    held_qty = qty_field(default=0)
    cost_basis = money_field(default=0)
    realized_pl = money_field(default=0)
    trade_pl = money_field(default=0)
    mark_price = price_field()
    mark_at = models.DateTimeField()
    expires_on = models.DateField(null=True)
    unsettled = models.BooleanField(default=False)
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["book", "symbol"]
        constraints = [
            models.UniqueConstraint(name="position_symbol_once", fields=["book", "symbol"]),
            models.CheckConstraint(name="position_never_short", condition=Q(qty__gte=0)),
            models.CheckConstraint(
                name="position_held_within_qty", condition=Q(held_qty__gte=0) & Q(held_qty__lte=F("qty"))
            ),
            models.CheckConstraint(name="position_cost_not_negative", condition=Q(cost_basis__gte=0)),
            models.CheckConstraint(
                name="position_flat_has_no_cost", condition=~Q(qty=0) | Q(cost_basis=0, trade_pl=0, unsettled=False)
            ),
        ]
        indexes = [
            models.Index(fields=["symbol"], name="position_held_symbol", condition=Q(qty__gt=0)),
            models.Index(
                fields=["expires_on"], name="position_expiring", condition=Q(qty__gt=0, expires_on__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{short(self.qty)} {self.symbol}"


class Mark(models.Model):
    """The mark of a symbol, with the quote of a regular session that it came from, contents and all.

    Kept in the database for the symbols that are held, and for the stocks of held options (their settlement needs the
    last quote of the session), so that valuation needs no quote book and survives the loss of it.
    """

    symbol = models.CharField(primary_key=True, max_length=32)
    price = price_field()
    bid = price_field(null=True)
    ask = price_field(null=True)
    bid_size = qty_field(null=True)
    ask_size = qty_field(null=True)
    quoted_at = models.DateTimeField()
    feed = models.CharField(max_length=64)

    def __str__(self) -> str:
        return f"{self.symbol} {short(self.price, 2)}"


class LedgerTransaction(models.Model):
    """A balanced group of entries, chained to the one before. Inserted after its entries, which it seals.

    `form` is the canonical form that was hashed (portfolio.ledger).
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    book = models.ForeignKey(Book, on_delete=models.PROTECT, related_name="ledger_transactions", **CHECKED_BY_STATEMENT)
    sequence = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=16, choices=[(kind.value, kind.name) for kind in ledger.LedgerKind])
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    order_number = models.PositiveBigIntegerField(null=True)
    symbol = models.CharField(max_length=32, blank=True)
    qty = qty_field(null=True)
    price = price_field(null=True)
    quote = models.ForeignKey(
        QuoteRecord, on_delete=models.PROTECT, null=True, related_name="+", **CHECKED_BY_STATEMENT
    )
    description = models.CharField(max_length=200, blank=True)
    form = models.SmallIntegerField(db_default=ledger.FIRST_FORM)
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["book", "sequence"]
        constraints = [models.UniqueConstraint(name="ledger_sequence_once", fields=["book", "sequence"])]
        indexes = [
            models.Index(fields=["book"], name="ledger_settlements", condition=Q(kind="settlement")),
            # For the admin, over all accounts: a symbol, a range of dates, and (with its symbol) a quote.
            models.Index(fields=["symbol", "at"], name="ledger_symbol_time"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.sequence}"


class LedgerEntry(models.Model):
    """One debit or one credit."""

    transaction = models.ForeignKey(LedgerTransaction, on_delete=models.PROTECT, related_name="entries", db_index=False)
    line = models.PositiveSmallIntegerField()
    account = models.CharField(
        max_length=16, choices=[(account.value, account.name) for account in ledger.LedgerAccount]
    )
    debit = money_field(default=0)
    credit = money_field(default=0)

    class Meta:
        ordering = ["transaction", "line"]
        constraints = [
            models.UniqueConstraint(name="ledger_line_once", fields=["transaction", "line"]),
            models.CheckConstraint(
                name="ledger_entry_one_positive_side", condition=Q(debit__gt=0, credit=0) | Q(debit=0, credit__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.account} {short(self.debit or -self.credit, 2)}"


class EquitySnapshot(models.Model):
    """What a book was worth at an instant; of several at one instant the one written last counts."""

    book = models.ForeignKey(Book, on_delete=models.PROTECT, related_name="snapshots", **CHECKED_BY_STATEMENT)
    at = models.DateTimeField()
    equity = money_field()
    cash = money_field()
    market_value = money_field()
    realized_pl = money_field()
    unrealized_pl = money_field()
    drawdown = models.DecimalField(max_digits=10, decimal_places=6)

    class Meta:
        ordering = ["book", "at", "id"]
        indexes = [
            models.Index(fields=["book", "at", "id"], name="snapshot_book_at"),
            models.Index(fields=["at"], name="snapshot_at"),  # for the admin, over all accounts
        ]

    def __str__(self) -> str:
        return f"{short(self.equity, 2)} at {self.at:%Y-%m-%d %H:%M:%S}"


class SnapshotMonth(models.Model):
    """A month of snapshots of which retention left only a part: `rows` of `rows_before`. Wall time."""

    class State(models.TextChoices):
        THINNED = "thinned"
        DETACHED = "detached"

    month = models.DateField()
    state = models.CharField(max_length=8, choices=State.choices)
    rows = models.PositiveBigIntegerField()
    rows_before = models.PositiveBigIntegerField()
    done_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-month", "-id"]
        constraints = [models.UniqueConstraint(name="snapshot_month_once", fields=["month", "state"])]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m} {self.state}"


class AuditReport(models.Model):
    """What an audit of books found; `differences` keeps the first of them as [row, problem]. Wall times.

    `scope` says which books, in words; it is empty where it was all of them. `form` is how `differences` are written. A
    report of all books commits to how far they were verified: `sealed` is a hash over the seals of its parts.
    """

    class Extent(models.TextChoices):
        FULL = "full"
        INCREMENT = "increment"

    scope = models.CharField(max_length=100, blank=True)
    by = models.CharField(max_length=150)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(db_default=Now())
    books = models.PositiveIntegerField()
    difference_count = models.PositiveIntegerField()
    differences = models.JSONField()
    form = models.SmallIntegerField(db_default=1)
    extent = models.CharField(max_length=9, choices=Extent.choices, db_default=Extent.FULL)
    sealed = models.CharField(max_length=64, blank=True, db_default="")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{counted(self.books, 'book')} checked, {counted(self.difference_count, 'difference')}"


class Audit(models.Model):
    """A check of books as a job: done in parts by any number of workers, canceled between two of them. Wall times.

    One that is finished has a report. An increment begins at the seals of `base`.
    """

    scope = models.CharField(max_length=100, blank=True)
    by = models.CharField(max_length=150)
    extent = models.CharField(max_length=9, choices=AuditReport.Extent.choices)
    base = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)
    asked_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    canceled_at = models.DateTimeField(null=True)
    canceled_by = models.CharField(max_length=150, blank=True)
    report = models.OneToOneField(AuditReport, on_delete=models.PROTECT, null=True, related_name="audit")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                name="audit_one_at_a_time",
                fields=["scope"],
                condition=Q(finished_at__isnull=True, canceled_at__isnull=True),
            )
        ]

    def __str__(self) -> str:
        return f"{self.extent} audit of {self.scope or 'all books'}"

    @property
    def is_over(self) -> bool:
        return self.finished_at is not None or self.canceled_at is not None


class AuditPart(models.Model):
    """Some of an audit's books. Its row lock is the claim: a worker that dies gives it back.

    An increment's part goes on from the seals of the part of that number of the audit that it begins at. `seals` say up to
    where the books were found right (portfolio.seals), in the form `form`, and `sealed` is their hash; where anything was
    found there are none.
    """

    audit = models.ForeignKey(Audit, on_delete=models.CASCADE, related_name="parts", db_index=False)
    number = models.PositiveIntegerField()
    books = models.JSONField()
    worker = models.CharField(max_length=100, blank=True)
    done_at = models.DateTimeField(null=True)
    differences = models.JSONField(default=list)
    form = models.SmallIntegerField(db_default=1)
    seals = models.JSONField(null=True)
    sealed = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["audit", "number"]
        constraints = [models.UniqueConstraint(name="audit_part_once", fields=["audit", "number"])]

    def __str__(self) -> str:
        return f"part {self.number} of audit {self.audit_id}"


class EventType(models.TextChoices):
    """What can happen to an account."""

    ACCOUNT_OPENED = "account_opened"
    ACCOUNT_RENAMED = "account_renamed"
    ACCOUNT_RESET = "account_reset"
    ACCOUNT_ARCHIVED = "account_archived"
    ORDER_SUBMITTED = "order_submitted"
    ORDER_EVALUATED = "order_evaluated"
    ORDER_FILLED = "order_filled"
    ORDER_CANCELED = "order_canceled"
    ORDER_EXPIRED = "order_expired"
    ORDER_REJECTED = "order_rejected"
    ORDER_REPLACED = "order_replaced"
    POSITION_SETTLED = "position_settled"
    POSITION_UNSETTLED = "position_unsettled"


# All but those that nearly every order leaves: few rows, so that those of one type are found at once.
UNUSUAL_EVENTS = sorted(
    set(EventType.values) - {"order_submitted", "order_evaluated", "order_filled", "order_replaced"}
)


# What a request itself does, not what follows from it: the first event that it leaves on an order or account is one of these.
REQUESTED_EVENTS = [
    "account_archived",
    "account_opened",
    "account_renamed",
    "account_reset",
    "order_canceled",
    "order_rejected",
    "order_replaced",
    "order_submitted",
]


class AccountEvent(models.Model):
    """One thing that happened to an account, numbered without gaps, with the quote it was decided on.

    `order_id` and `fill_id` are plain ids: orders are an upper app, and an event must not point upwards. The account is its
    book's, and the quote is written with it and never deleted: neither needs a constraint of its own.

    A fill and a settlement say what was done: `qty` at `price` (USD per share) for `amount` USD, what the order has filled by
    then and what remains of it, and what the position is after it. Events of 0.1 leave that to their fill.

    `request_id` leads to the lines of the log; it is evidence of nothing, and no hash has it.
    """

    account = models.ForeignKey(
        PaperAccount, on_delete=models.PROTECT, related_name="events", db_index=False, db_constraint=False
    )
    book = models.ForeignKey(Book, on_delete=models.PROTECT, related_name="events", **CHECKED_BY_STATEMENT)
    seq = models.PositiveBigIntegerField()
    type = models.CharField(max_length=24, choices=EventType.choices)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    order_id = models.UUIDField(null=True)
    order_status = models.CharField(max_length=16, blank=True)
    symbol = models.CharField(max_length=32, blank=True)
    reason = models.CharField(max_length=500, blank=True)
    fill_id = models.UUIDField(null=True)
    quote = models.ForeignKey(
        QuoteRecord, on_delete=models.PROTECT, null=True, related_name="+", db_index=False, db_constraint=False
    )
    qty = qty_field(null=True)
    price = price_field(null=True)
    amount = money_field(null=True)
    filled_qty = qty_field(null=True)
    remaining_qty = qty_field(null=True)
    position_qty = qty_field(null=True)
    request_id = models.CharField(max_length=REQUEST_ID_LENGTH, blank=True, db_default="")

    class Meta:
        ordering = ["account", "seq"]
        constraints = [models.UniqueConstraint(name="event_seq_once", fields=["account", "seq"])]
        indexes = [
            models.Index(fields=["order_id", "seq"], name="event_order", condition=Q(order_id__isnull=False)),
            # For the admin: what happened to a symbol, or in a range of dates, in all accounts.
            models.Index(fields=["symbol", "at"], name="event_symbol_time"),
            models.Index(fields=["type", "id"], name="event_unusual", condition=Q(type__in=UNUSUAL_EVENTS)),
            # What a request did, for operators: one row of an order, which leads to the others.
            models.Index(
                fields=["request_id"],
                name="event_request",
                condition=Q(type__in=REQUESTED_EVENTS) & ~Q(request_id=""),
            ),
        ]

    def __str__(self) -> str:
        return f"#{self.seq} {self.type} {self.symbol}".rstrip()
