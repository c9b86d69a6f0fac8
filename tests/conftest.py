"""Fixtures of all tests: trading sessions, a market played from a hand-written recording, a trader with a key.

Servers are real: `tests.services_plugin` starts PostgreSQL and Valkey. `db` rolls back; `committed` really commits, for
tests with threads, and empties the tables afterwards.
"""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import connection, transaction
from django.test import override_settings
from pytest_django.live_server_helper import LiveServer

from marketdata.markets import current
from marketdata.sessions import drop_calendar
from tests import begin_again
from tests.api_kit import Api
from tests.desk import Desk
from tests.factories import TokenFactory, UserFactory
from tests.market_kit import STOCK, MarketKit

FAST_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
POOL_SECONDS = 120  # that a thread waits for a connection: sixteen of a test share as many as a web process has for two


def pytest_configure() -> None:
    """Before anybody connects."""
    django_settings.DATABASES["default"]["OPTIONS"]["pool"]["timeout"] = POOL_SECONDS


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse tests of one name: of several workers each would run one of them, and call the others done."""
    twice = [name for name, number in Counter(item.nodeid for item in session.items).items() if number > 1]
    if twice:
        raise pytest.UsageError(f"more than one test is named {', '.join(twice)}")


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> None:
    """The test database, with the exchange's calendar in it."""
    from marketdata.services import sync_sessions

    with django_db_blocker.unblock():
        sync_sessions()
        begin_again.remember()


@pytest.fixture
def _tables_begin_again() -> Iterator[None]:
    with begin_again.instead_of_the_flush():
        yield


@pytest.fixture
def committed(_tables_begin_again: None, transactional_db: None) -> None:
    """A database in which other threads see what a test did. Name it before fixtures that use the database."""


@pytest.fixture
def server(committed: None) -> Iterator[LiveServer]:
    """The web server of a browser test, in threads of its own."""
    running = LiveServer("localhost")
    yield running
    running.stop()
    connection.close_pool()  # of the server's threads, which are gone


@pytest.fixture(autouse=True)
def fast_passwords(settings: Any) -> None:
    """A real password hash costs a quarter of a second, and no test here depends on its strength."""
    settings.PASSWORD_HASHERS = FAST_HASHERS


@pytest.fixture(autouse=True)
def static_files_when_asked_for(settings: Any) -> None:
    """Each test's first request makes the middleware anew, which would look at every static file."""
    settings.WHITENOISE_AUTOREFRESH = True


@pytest.fixture
def own_calendar(db: None) -> Iterator[None]:
    """For a test that changes trading sessions: all others share what this process has read of them."""
    drop_calendar()
    yield
    drop_calendar()


@pytest.fixture
def outside_of_any_loop() -> Iterator[None]:
    """For tests that run a loop of their own: the browser's goes on in this thread between two of its tests."""
    browsers = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    if not connection.in_atomic_block:
        connection.close()  # another than that of tests beside the loop, and whatever became of it since
    yield
    asyncio._set_running_loop(browsers)


@pytest.fixture(autouse=True)
def _no_live_market_stays() -> Iterator[None]:
    """A test of the live market leaves none behind: another that plays nothing would be asked of its leader."""
    yield
    if current._current is not None and current._current.name == "live":
        current.drop_market()


@pytest.fixture
def market_kit(tmp_path: Path, settings: Any, db: None) -> MarketKit:
    """Plays recordings; see tests/market_kit.py."""
    return MarketKit(tmp_path, settings)


@pytest.fixture
def open_market(market_kit: MarketKit) -> MarketKit:
    """14:00 on DAY: a stock and a call with fresh quotes, repeated every ten seconds for two minutes.

    IBM 100.00 x 100.10, 500 x 300 shares displayed; the call 4.00 x 4.20, 20 x 10 contracts.
    """
    market_kit.play_open()
    return market_kit


@pytest.fixture(scope="module")
def standing_market(
    django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[MarketKit]:
    """`open_market`, once for a module of many tests that leave it as it is, and for what the module's own fixtures make in it.

    A test that names `db` too is rolled back to it.
    """
    with override_settings(PASSWORD_HASHERS=FAST_HASHERS), django_db_blocker.unblock(), transaction.atomic():
        kit = MarketKit(tmp_path_factory.mktemp("standing"), django_settings)
        kit.play_open()
        yield kit
        transaction.set_rollback(True)
    current.drop_market()


@pytest.fixture
def closed_market(market_kit: MarketKit) -> MarketKit:
    """13:00 on DAY, half an hour before the open; the first quote of the session comes at 13:30:05."""
    market_kit.play(
        f"13:00:00 {STOCK} 99.00 99.50 500 300", f"13:30:05 {STOCK} 100.00 100.10 500 300", start="13:00:00"
    )
    return market_kit


@pytest.fixture
def trader(market_kit: MarketKit) -> Any:
    """A user."""
    return UserFactory()


@pytest.fixture
def desk(open_market: MarketKit, trader: Any) -> Desk:
    """An account with 100,000 USD in the open market."""
    return Desk(trader)


@pytest.fixture
def api(trader: Any) -> Api:
    """The trader's client, with a key of scope paper."""
    return Api(TokenFactory(user=trader))


@pytest.fixture
def market_api(trader: Any) -> Api:
    """A client that may also move the clock."""
    return Api(TokenFactory(user=trader, scopes=["paper", "market"]))


@pytest.fixture
def empty_database() -> Iterator[str]:
    """The url of a database without tables, beside the tests' own."""
    whole = os.environ["DATABASE_URL"]
    server, name = whole.rsplit("/", 1)[0], f"empty_{os.getpid()}"
    with psycopg.connect(whole, autocommit=True) as own:
        own.execute(f"CREATE DATABASE {name}")
        yield f"{server}/{name}"
        own.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recorded quotes, which are not part of the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no recorded market data at {SHARED_DATA}")
    return SHARED_DATA
