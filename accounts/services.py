"""Users, API keys, accounts and their generations: the only writer of these rows.

What spans apps (opening an account with its book, reset, archive) is composed in `papertrade.trading.accounts`.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.utils import timezone

from accounts.labels import NO_LABELS, Labels, changed_labels
from accounts.models import NAME_MAX_LENGTH, AccountStatus, ApiKey, Generation, PaperAccount, Scope, User
from accounts.policy import Policy
from accounts.selectors import ask_for_account
from papertrade.lib import tracing
from papertrade.lib.errors import BadRequest, Conflict, NotFound
from papertrade.lib.postgres import FixedQuery, connected_batch

log = structlog.get_logger(__name__)

TOKEN_MARK = "cm_"
PREFIX_LENGTH = 12
SECRET_BYTES = 32
KEY_USE_RESOLUTION = timedelta(minutes=1)
MAX_ACTIVE_ACCOUNTS = 20
MOVE_MARKET = "move_market"

_KEY_BY_PREFIX: FixedQuery[ApiKey] = FixedQuery(ApiKey.objects.order_by().filter(prefix=""), with_related="user")


def create_user(*, username: str, password: str, is_staff: bool = False, is_superuser: bool = False) -> User:
    """A user who can sign in."""
    return User.objects.create_user(username=username, password=password, is_staff=is_staff, is_superuser=is_superuser)


def may_move_market(user: User) -> bool:
    """Whether the user may move the clock that everybody's orders are decided by."""
    return user.has_perm(f"accounts.{MOVE_MARKET}")


def let_move_market(*, user: User) -> None:
    """Give the user that right; giving it again changes nothing."""
    user.user_permissions.add(Permission.objects.get(content_type__app_label="accounts", codename=MOVE_MARKET))


def issue_key(*, user: User, name: str, scopes: Sequence[str]) -> tuple[ApiKey, str]:
    """A new key and its token, which is shown this once. Raises BadRequest for a bad name or scope."""
    if not scopes or set(scopes) - set(Scope.values):
        raise BadRequest("The key needs scopes.", scopes="must be one or more of " + ", ".join(Scope.values))
    if Scope.MARKET in scopes and not may_move_market(user):
        raise BadRequest("You may not move the market.", scopes="market needs a right that an operator gives")
    prefix = secrets.token_hex(PREFIX_LENGTH // 2)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    key = ApiKey.objects.create(
        user=user, name=clean_name(name), prefix=prefix, secret_sha256=_digest(secret), scopes=sorted(set(scopes))
    )
    log.info("key_issued", key=str(key.pk), user=user.get_username(), scopes=[*map(str, key.scopes)])
    return key, f"{TOKEN_MARK}{prefix}{secret}"


def revoke_key(*, user: User, key_id: UUID | str) -> ApiKey:
    """End a key at once; ending it again changes nothing. Raises NotFound."""
    try:
        key = ApiKey.objects.get(pk=key_id, user=user)
    except (ApiKey.DoesNotExist, ValidationError):
        raise NotFound("There is no such key.") from None
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
        log.info("key_revoked", key=str(key.pk), user=user.get_username())
    return key


class Identified(NamedTuple):
    """A live key with its active user; and the account that was named, where it is the user's."""

    key: ApiKey
    account: PaperAccount | None


def authenticate_key(token: str) -> ApiKey | None:
    """The live key of a token, with its active user; None for anything else."""
    found = identify(token)
    return found.key if found else None


def identify(token: str, account_id: str = "") -> Identified | None:
    """As `authenticate_key`, with the account that the request names, in one round trip: every request asks for both."""
    if not token.startswith(TOKEN_MARK) or not token.isascii() or not token.isprintable():
        return None
    prefix, secret = token[len(TOKEN_MARK) :][:PREFIX_LENGTH], token[len(TOKEN_MARK) + PREFIX_LENGTH :]
    with connected_batch() as batch:
        found, named = _KEY_BY_PREFIX.ask(batch, [prefix]), ask_for_account(batch, account_id)
    key, account = found(), named()
    # Compare even without a key, so that a wrong prefix takes as long as a wrong secret.
    matches = hmac.compare_digest(key.secret_sha256 if key else "", _digest(secret))
    if key is None or not matches or key.revoked_at or not key.user.is_active:
        return None
    tracing.note(key=prefix, user=key.user.get_username())
    _touch(key)
    if account is None or account.user_id != key.user_id:
        return Identified(key, None)
    tracing.note(account=str(account.pk))
    return Identified(key, account)


def check_key(key: ApiKey) -> None:
    """Check that a key is still live. Raises NotFound where it was revoked, or its user was deactivated."""
    if not ApiKey.objects.filter(pk=key.pk, revoked_at=None, user__is_active=True).exists():
        raise NotFound("The key was revoked.")


def _touch(key: ApiKey) -> None:
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > KEY_USE_RESOLUTION:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def create_account(*, user: User, name: str, at: datetime) -> PaperAccount:
    """A new active account, without a generation yet. Call inside a transaction: it locks the user to count.

    Raises Conflict `account_limit_reached` for the one after the 20th active one.
    """
    User.objects.select_for_update().only("id").get(pk=user.pk)
    if PaperAccount.objects.filter(user=user, status=AccountStatus.ACTIVE).count() >= MAX_ACTIVE_ACCOUNTS:
        raise Conflict(
            f"You have {MAX_ACTIVE_ACCOUNTS} active accounts, the most there can be. Archive one first.",
            code="account_limit_reached",
            limit=MAX_ACTIVE_ACCOUNTS,
        )
    return PaperAccount.objects.create(user=user, name=name, created_at=at, updated_at=at)


def open_generation(
    *,
    account: PaperAccount,
    number: int,
    initial_cash: Decimal,
    policy: Policy,
    feed: str,
    at: datetime,
    reason: str = "",
    labels: Labels = NO_LABELS,
) -> Generation:
    """The next run of an account, with its policy frozen."""
    return Generation.objects.create(
        account=account,
        number=number,
        initial_cash=initial_cash,
        owner=account.user.get_username(),
        policy=policy.as_json(),
        feed=feed,
        engine_version=settings.PAPERTRADE_ENGINE_VERSION,
        opened_at=at,
        reason=reason,
        note=labels.note,
        tags=list(labels.tags),
    )


def label_generation(*, generation: Generation, payload: Mapping[str, object]) -> Generation:
    """Write another note or other tags on a run, also one that is over; what is left out stays. Raises BadRequest."""
    changes = changed_labels(payload)
    Generation.objects.filter(pk=generation.pk).update(**changes)  # these alone: somebody may change the other just now
    for name, value in changes.items():
        setattr(generation, name, value)
    return generation


def close_generation(*, generation: Generation, at: datetime, summary: dict[str, Any]) -> None:
    """End a run and keep its final summary."""
    generation.closed_at, generation.summary = at, summary
    generation.save(update_fields=["closed_at", "summary"])


def lock_account(*, account: PaperAccount) -> PaperAccount:
    """The account's row, locked until the transaction ends."""
    return PaperAccount.objects.select_for_update().get(pk=account.pk)


def rename(*, account: PaperAccount, name: str, at: datetime) -> None:
    """Change the name of a locked account."""
    account.name, account.updated_at = name, at
    account.save(update_fields=["name", "updated_at"])


def mark_reset(*, account: PaperAccount, at: datetime) -> None:
    """Note when a locked account was last reset."""
    account.reset_at = account.updated_at = at
    account.save(update_fields=["reset_at", "updated_at"])


def mark_archived(*, account: PaperAccount, at: datetime) -> None:
    """Take a locked account off the active list."""
    account.status = AccountStatus.ARCHIVED
    account.archived_at = account.updated_at = at
    account.save(update_fields=["status", "archived_at", "updated_at"])


def clean_name(value: object) -> str:
    """A name without surrounding space. Raises BadRequest."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > NAME_MAX_LENGTH:
        raise BadRequest("The name cannot be used.", name=f"must be 1 to {NAME_MAX_LENGTH} printable characters")
    return value.strip()
