"""The whole ASGI application of a web worker in a thread, in an open market, and an account to stream."""

import asyncio
import socket
import threading
from collections.abc import Iterator

import pytest
import uvicorn
from django.db import connection

from papertrade.asgi import application
from papertrade.stream.moves import moves
from papertrade.stream.quote_look import look
from papertrade.web import worker as web_worker
from tests.desk import Desk
from tests.factories import TokenFactory
from tests.market_kit import MarketKit


class Worker:
    """A web worker on a port of its own."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.listening.getsockname()[1]}"
        config = web_worker.config(application, lifespan="off", timeout_graceful_shutdown=1)
        self.server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        self.server.run([self.listening])

    def stop(self) -> None:
        """End it and all of its streams."""
        self.server.should_exit = True
        self._thread.join(60)


@pytest.fixture
def worker(committed: None) -> Iterator[Worker]:
    """A worker whose looks begin anew."""
    for shared in (moves, look):
        type(shared).__init__(shared)
    running = Worker()
    yield running
    running.stop()
    connection.close_pool()  # of the server's threads


class Streamed:
    """A desk whose account is streamed, and the pair of its owner."""

    def __init__(self, worker: Worker, desk: Desk, market: MarketKit) -> None:
        self.worker, self.desk, self.market = worker, desk, market
        self.host = worker.host
        self.account = desk.account
        self.key_id = str(desk.account.pk)
        self.secret = TokenFactory(user=desk.account.user)


@pytest.fixture
def streamed(worker: Worker, desk: Desk, open_market: MarketKit) -> Streamed:
    """An account with 100,000 USD at 14:00 on DAY."""
    return Streamed(worker, desk, open_market)


def run(coroutine: object, seconds: float = 120.0) -> object:
    """Run a client to its end, within a time."""

    async def bounded() -> object:
        async with asyncio.timeout(seconds):
            return await coroutine  # type: ignore[misc]

    return asyncio.run(bounded())


@pytest.fixture(autouse=True)
def _with_a_loop_of_its_own(outside_of_any_loop: None) -> None:
    """These run loops."""
