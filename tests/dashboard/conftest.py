"""One browser for all browser tests of the dashboard."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from tests.browser import NARROW, WIDE, chromium
from tests.dashboard.browser import PASSWORD, Trader
from tests.factories import UserFactory
from tests.market_kit import MarketKit

_open = ExitStack()
_browsers: list[Any] = []


@pytest.fixture
def browser() -> Any:
    """The one that is open."""
    if not _browsers:
        _browsers.append(_open.enter_context(chromium()))
    return _browsers[0]


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """It is closed behind the last of them: its loop would be in the way of other tests of this process."""
    if _browsers and (nextitem is None or Path(__file__).parent not in nextitem.path.parents):
        _browsers.clear()
        _open.close()


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
