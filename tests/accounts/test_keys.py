"""API keys: what authenticates, what does not, and what is kept of them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from accounts.models import ApiKey, Scope
from accounts.services import KEY_USE_RESOLUTION, authenticate_key, issue_key, revoke_key
from papertrade.lib.errors import BadRequest, NotFound
from tests.factories import TokenFactory, UserFactory

pytestmark = pytest.mark.django_db


def test_a_token_authenticates_its_user() -> None:
    user = UserFactory()
    key = authenticate_key(TokenFactory(user=user))
    assert key is not None
    assert key.user == user


def test_nothing_that_is_kept_lets_anybody_in() -> None:
    token = TokenFactory()
    [key] = ApiKey.objects.all()
    kept = [str(value) for value in vars(key).values()]
    assert not any(token[15:] in value for value in kept)
    assert authenticate_key(f"cm_{key.prefix}{key.secret_sha256}") is None


@pytest.mark.parametrize(
    "broken",
    [
        lambda token: "",
        lambda token: token[:-1],
        lambda token: token + "x",
        lambda token: token.upper(),
        lambda token: token.removeprefix("cm_"),
        lambda token: f"cm_{'0' * 12}{token[15:]}",
        lambda token: f"{token}é",
        lambda token: f"cm_\x00{token[4:]}",
    ],
)
def test_another_token_authenticates_nobody(broken: object) -> None:
    assert authenticate_key(broken(TokenFactory())) is None


def test_a_revoked_key_is_over_and_revoking_it_again_changes_nothing() -> None:
    user = UserFactory()
    token = TokenFactory(user=user)
    [key] = ApiKey.objects.all()
    revoked = revoke_key(user=user, key_id=key.pk)
    assert authenticate_key(token) is None
    assert revoke_key(user=user, key_id=key.pk).revoked_at == revoked.revoked_at


def test_nobody_else_can_revoke_it() -> None:
    token = TokenFactory()
    [key] = ApiKey.objects.all()
    with pytest.raises(NotFound):
        revoke_key(user=UserFactory(), key_id=key.pk)
    assert authenticate_key(token) is not None


def test_a_user_who_was_switched_off_is_nobody() -> None:
    user = UserFactory()
    token = TokenFactory(user=user)
    user.is_active = False
    user.save()
    assert authenticate_key(token) is None


def test_its_use_is_noted_once_a_minute() -> None:
    token = TokenFactory()
    authenticate_key(token)
    [key] = ApiKey.objects.all()
    first = key.last_used_at
    authenticate_key(token)
    key.refresh_from_db()
    assert key.last_used_at == first
    ApiKey.objects.update(last_used_at=timezone.now() - KEY_USE_RESOLUTION - timedelta(seconds=1))
    authenticate_key(token)
    key.refresh_from_db()
    assert key.last_used_at > first


@pytest.mark.parametrize("scopes", [[], ["everything"], [Scope.PAPER, "admin"]])
def test_scopes_are_the_known_ones(scopes: list[str]) -> None:
    with pytest.raises(BadRequest):
        issue_key(user=UserFactory(), name="bot", scopes=scopes)


def test_only_who_may_move_the_market_has_a_key_that_does() -> None:
    with pytest.raises(BadRequest):
        issue_key(user=UserFactory(), name="bot", scopes=[Scope.MARKET])
