"""Somebody in the standing market (tests/conftest.py): what a module's own fixtures make for `owner` is there in all of its tests."""

import pytest

from accounts.models import User
from tests.factories import UserFactory
from tests.market_kit import MarketKit


@pytest.fixture(scope="module")
def owner(standing_market: MarketKit) -> User:
    """For fixtures of the module."""
    return UserFactory()


@pytest.fixture
def trader(db: None, owner: User) -> User:
    """The owner as a test may change it, which is rolled back after it."""
    return User.objects.get(pk=owner.pk)
