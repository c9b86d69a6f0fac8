"""A server in an open market, and an account whose id and key are the pair that Alpaca's clients send."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from django.db import connection
from pytest_django.live_server_helper import LiveServer

from accounts.models import PaperAccount
from tests.factories import AccountFactory, TokenFactory, UserFactory
from tests.market_kit import MarketKit


@dataclass(frozen=True)
class Pair:
    """Where the server is, and who trades there."""

    url: str
    account: PaperAccount
    secret: str

    @property
    def key_id(self) -> str:
        return str(self.account.pk)


@pytest.fixture
def live(committed: None) -> Iterator[LiveServer]:
    """A web server in threads."""
    running = LiveServer("localhost")
    yield running
    running.stop()
    connection.close_pool()  # of the server's threads, which are gone


@pytest.fixture
def pair(live: LiveServer, open_market: MarketKit) -> Pair:
    """A new account with 100,000 USD, at 14:00 on DAY."""
    user = UserFactory()
    return Pair(live.url, AccountFactory(user=user), TokenFactory(user=user))
