"""One browser for all browser tests of the dashboard."""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from tests.browser import NARROW, WIDE, chromium
from tests.dashboard.browser import PASSWORD, Trader
from tests.factories import UserFactory
from tests.market_kit import MarketKit


@pytest.fixture(scope="package")
def browser() -> Iterator[Any]:
    with chromium() as running:
        yield running


@pytest.fixture
def user(server: LiveServer, open_market: MarketKit) -> Any:
    return UserFactory(username="ada", password=PASSWORD)


def signed_in(browser: Any, server: LiveServer, user: Any, size: tuple[int, int]) -> Iterator[Trader]:
    """Somebody at a window; a console error fails the test."""
    somebody = Trader(browser, server.url, size)
    somebody.enter(user)
    yield somebody
    somebody.context.close()
    assert somebody.problems == []


@pytest.fixture(params=[WIDE, NARROW], ids=["1440", "390"])
def trader(request: Any, browser: Any, server: LiveServer, user: Any) -> Iterator[Trader]:
    """Signed in, at each width."""
    yield from signed_in(browser, server, user, request.param)


@pytest.fixture
def wide(browser: Any, server: LiveServer, user: Any) -> Iterator[Trader]:
    """Signed in at a desk."""
    yield from signed_in(browser, server, user, WIDE)


@pytest.fixture
def narrow(browser: Any, server: LiveServer, user: Any) -> Iterator[Trader]:
    """Signed in on a phone."""
    yield from signed_in(browser, server, user, NARROW)
