"""Rows of the market: trading sessions, the clock, and the quotes kept as evidence."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from papertrade.lib.words import short


class TradingSession(models.Model):
    """Regular hours of one trading day, synced from exchange_calendars."""

    date = models.DateField(primary_key=True)
    open = models.DateTimeField()
    close = models.DateTimeField()

    class Meta:
        ordering = ["date"]
        constraints = [
            models.CheckConstraint(name="session_opens_before_close", condition=Q(open__lt=models.F("close")))
        ]

    def __str__(self) -> str:
        return str(self.date)


class MarketClock(models.Model):
    """Exchange time: one row, the only place where it is kept.

    `through` is the instant up to which everything is done. Where `through_book` is not null, only a part of what is due at
    that very instant is: its quotes have been put to the orders of the books up to that id, and its open or close, which
    comes after them, may be under way. A running clock shows anchor_at + (wall - anchor_wall) x speed, never far past
    `through`. (`through_rows` is not used any more; the release after this one drops it.)

    `taken_to` is the instant at which a live market last took quotes. It is written before they are recorded: where it is
    later than `through`, a leader died before it had put them to orders, which the next one will do.
    """

    ONLY_ID = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY_ID)
    market = models.CharField(max_length=16)
    feed = models.CharField(max_length=64)
    speed = models.DecimalField(max_digits=12, decimal_places=4)
    anchor_at = models.DateTimeField()
    anchor_wall = models.DateTimeField()
    through = models.DateTimeField()
    through_rows = models.PositiveIntegerField(null=True)
    through_book = models.BigIntegerField(null=True)
    taken_to = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    anchored_again_at = models.DateTimeField(null=True)  # wall time at which it last went on after a gap

    class Meta:
        constraints = [
            models.CheckConstraint(name="clock_one_row", condition=Q(id=1)),
            models.CheckConstraint(name="clock_speed_not_negative", condition=Q(speed__gte=0)),
        ]

    def __str__(self) -> str:
        return f"{self.market} at {self.through}"


class Lease(models.Model):
    """Who leads, or moves the market, and until when if nothing more is heard of it (marketdata/leases.py)."""

    name = models.CharField(max_length=16, primary_key=True)
    number = models.BigIntegerField()  # of the holding: one more than the last
    holder = models.CharField(max_length=128)
    session_pid = models.IntegerField()
    until = models.DateTimeField(null=True)  # by the database's clock; null = given back

    def __str__(self) -> str:
        return f"{self.name} {self.number}: {self.holder}"


class QuoteRecord(models.Model):
    """A quote that a decision used, named by its contents, so that the same one is kept once. Never changed."""

    id = models.UUIDField(primary_key=True, editable=False)
    symbol = models.CharField(max_length=32)
    bid = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    ask = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    bid_size = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    ask_size = models.DecimalField(max_digits=18, decimal_places=6, null=True)
    quoted_at = models.DateTimeField()
    feed = models.CharField(max_length=64)
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "quote"
        ordering = ["-quoted_at"]
        indexes = [models.Index(fields=["symbol", "quoted_at"], name="quote_symbol_time")]

    def __str__(self) -> str:
        return f"{self.symbol} {short(self.bid, 2)} x {short(self.ask, 2)}"
