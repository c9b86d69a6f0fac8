"""Staff of every kind, and a traded account to look at."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client

from papertrade.backoffice.groups import AUDITOR, OPERATOR
from tests.desk import Desk
from tests.factories import UserFactory


def staff(group: str = "", **rights: Any) -> Any:
    """A member of the staff."""
    user = UserFactory(is_staff=True, **rights)
    if group:
        user.groups.add(Group.objects.get(name=group))
    return user


def signed_in(user: Any) -> Client:
    """Their browser, as far as Django can tell."""
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def auditor(market_kit: Any) -> Client:
    """Reads everything."""
    return signed_in(staff(AUDITOR))


@pytest.fixture
def operator(market_kit: Any) -> Client:
    """Also acts."""
    return signed_in(staff(OPERATOR))


@pytest.fixture
def superuser(market_kit: Any) -> Client:
    """Sees the same."""
    return signed_in(staff(is_superuser=True))


@pytest.fixture
def traded(desk: Desk) -> Desk:
    """An account with a filled order, a resting one and a rejected one."""
    desk.buy("10")
    desk.buy("5", limit="90")
    desk.sell("500")
    return desk
