"""Who may trade, and under which run: users, their API keys, their accounts, and each account's generations."""

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.functional import cached_property
from uuid_utils.compat import uuid7

from accounts.labels import MAX_NOTE_LENGTH, MAX_TAG_LENGTH, MAX_TAGS
from accounts.policy import policy_hash

NAME_MAX_LENGTH = 100
REASON_MAX_LENGTH = 500
USERNAME_MAX_LENGTH = 150  # Django's


def note_field() -> models.CharField:
    """A note that a user keeps on a row."""
    return models.CharField(max_length=MAX_NOTE_LENGTH, blank=True, default="", db_default="")


def tags_field() -> ArrayField:
    """Words by which a user finds a row again."""
    return ArrayField(models.CharField(max_length=MAX_TAG_LENGTH), blank=True, default=list, db_default=[])


def tags_are_few(name: str) -> models.CheckConstraint:
    """The bounds of `accounts.labels`, kept by the database."""
    return models.CheckConstraint(name=name, condition=Q(tags__len__lte=MAX_TAGS) & ~Q(tags__contains=[""]))


class User(AbstractUser):
    """A person or an organisation; bots act through its keys."""

    class Meta(AbstractUser.Meta):
        permissions = (("move_market", "Can move the market's clock and push quotes"),)


class Scope(models.TextChoices):
    """What a key may do. Any valid key may read market data."""

    PAPER = "paper"
    MARKET = "market"


class ApiKey(models.Model):
    """A bearer token `cm_<prefix><secret>`; only the secret's SHA-256 is kept (256 random bits need no slow hash)."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=NAME_MAX_LENGTH)
    prefix = models.CharField(max_length=12, unique=True, editable=False)
    secret_sha256 = models.CharField(max_length=64, editable=False)
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope.choices))
    created_at = models.DateTimeField(auto_now_add=True)
    last_used_at = models.DateTimeField(null=True, editable=False)
    revoked_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        verbose_name = "API key"
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.name} (cm_{self.prefix}…)"

    def allows(self, scope: str) -> bool:
        """Whether the key carries the scope."""
        return scope in self.scopes


class AccountStatus(models.TextChoices):
    """Whether an account trades, or is kept to be read only."""

    ACTIVE = "active"
    ARCHIVED = "archived"


class PaperAccount(models.Model):
    """One strategy's account. Its money lives in the book of its open generation."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="paper_accounts")
    name = models.CharField(max_length=NAME_MAX_LENGTH)
    status = models.CharField(max_length=8, choices=AccountStatus.choices, default=AccountStatus.ACTIVE)
    currency = models.CharField(max_length=3, default="USD")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    reset_at = models.DateTimeField(null=True)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.CheckConstraint(
                name="account_archived_has_time",
                condition=Q(status=AccountStatus.ARCHIVED, archived_at__isnull=False)
                | Q(status=AccountStatus.ACTIVE, archived_at__isnull=True),
            )
        ]
        indexes = [models.Index(fields=["user", "status"], name="account_user_status")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_archived(self) -> bool:
        return self.status == AccountStatus.ARCHIVED


class Generation(models.Model):
    """One run of an account between resets, with the policy it was opened under. Closed ones never change.

    `owner` is the name that the account's user had then; empty in a generation of release 0.1. `note` and `tags` are the
    user's own and may be changed at any time.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(PaperAccount, on_delete=models.PROTECT, related_name="generations")
    number = models.PositiveIntegerField()
    initial_cash = models.DecimalField(max_digits=24, decimal_places=4)
    owner = models.CharField(max_length=USERNAME_MAX_LENGTH, blank=True, db_default="")
    policy = models.JSONField()
    feed = models.CharField(max_length=64)
    engine_version = models.CharField(max_length=32)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=REASON_MAX_LENGTH, blank=True)
    summary = models.JSONField(null=True)
    note = note_field()
    tags = tags_field()

    class Meta:
        ordering = ["account", "number"]
        constraints = [
            models.UniqueConstraint(name="generation_number_once", fields=["account", "number"]),
            models.UniqueConstraint(
                name="generation_one_open", fields=["account"], condition=Q(closed_at__isnull=True)
            ),
            models.CheckConstraint(name="generation_initial_cash_positive", condition=Q(initial_cash__gt=0)),
            models.CheckConstraint(
                name="generation_closed_has_summary", condition=Q(closed_at__isnull=True) | Q(summary__isnull=False)
            ),
            tags_are_few("generation_tags_few"),
        ]

    def __str__(self) -> str:
        return f"{self.account} #{self.number}"

    @cached_property
    def policy_hash(self) -> str:
        """Names the policy; evidence says which one it was judged by without repeating it."""
        return policy_hash(self.policy)


class Watchlist(models.Model):
    """Symbols that an account's owner keeps under a name. It has no effect on trading."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    account = models.ForeignKey(PaperAccount, on_delete=models.CASCADE, related_name="watchlists")
    name = models.CharField(max_length=NAME_MAX_LENGTH)
    symbols = ArrayField(models.CharField(max_length=32), default=list)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [models.UniqueConstraint(name="watchlist_name_once", fields=["account", "name"])]

    def __str__(self) -> str:
        return self.name
