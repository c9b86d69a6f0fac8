"""quality.md: Valkey emptied in mid-session. Quotes and matching are back within five seconds, and nothing is lost."""

import json
import time
import urllib.error
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
import redis

from tests.stack.prepared import prepared
from tests.stack.server import Server, wait_until, whole_server
from tests.torture.journal import open_account
from tests.torture.market import EVERY, START, ask, write_recording

SPEED = 100  # a quote every three wall seconds
IN_SESSION = "2013-09-09T13:40:00Z"
BACK_SECONDS = 5.0
TRIES = 3  # of a machine that may be busy just then


@pytest.mark.slow
@whole_server
def test_quotes_and_matching_are_back_within_five_seconds(new_folder: Callable[[], Path]) -> None:
    folder = new_folder()
    server = Server(
        prepared(folder / "var"),
        PAPERTRADE_MARKET="recorded",
        PAPERTRADE_RECORDING=str(write_recording(folder / "recording")),
        PAPERTRADE_SPEED=str(SPEED),
        PAPERTRADE_START=IN_SESSION,
        PAPERTRADE_STOCK_QUOTE_MAX_AGE_SECONDS="600",
    )
    try:
        server.wait_for("ready in")
        account = open_account(server)
        assert buy(server, account)["status"] == "filled"
        falls_at, price = next_fall(now(server))
        waiting = buy(server, account, type="limit", limit_price=str(price))
        assert waiting["status"] == "new"

        assert any(seconds_until_back(server, account) <= BACK_SECONDS for _ in range(TRIES))

        wait_until(lambda: now(server) > falls_at + EVERY, "the next quotes")
        order = server.call("GET", f"/paper/accounts/{account}/orders/{waiting['id']}/")
        assert (order["status"], float(order["filled_avg_price"])) == ("filled", float(price))
        assert datetime.fromisoformat(order["filled_at"]) == falls_at
    finally:
        server.stop()


def seconds_until_back(server: Server, account: str) -> float:
    """From when Valkey was emptied until an order fills at once."""
    empty_valkey(server)
    began = time.monotonic()
    wait_until(lambda: fills(server, account), "a fill")
    return time.monotonic() - began


def empty_valkey(server: Server) -> None:
    urls = json.loads((server.folder / "servers.json").read_text())
    redis.Redis.from_url(urls["REDIS_URL"]).flushall()


def buy(server: Server, account: str, **fields: str) -> dict[str, str]:
    order = {"symbol": "IBM", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day", **fields}
    return server.call("POST", f"/paper/accounts/{account}/orders/", order)


def fills(server: Server, account: str) -> bool:
    """Whether an order fills at once; without quotes the server asks to try again."""
    try:
        return buy(server, account)["status"] == "filled"
    except urllib.error.HTTPError as error:
        assert error.code == 503, error.read()
        return False


def now(server: Server) -> datetime:
    return datetime.fromisoformat(server.call("GET", "/market/clock/")["timestamp"])


def next_fall(after: datetime) -> tuple[datetime, Decimal]:
    """When the ask is next lower than at any quote since, and what it is then; at least two quotes away."""
    stamped = START + EVERY * ((after - START) // EVERY)
    passed = [ask("IBM", stamped), ask("IBM", stamped + EVERY)]
    stamped += 2 * EVERY
    while ask("IBM", stamped) >= min(passed):
        passed.append(ask("IBM", stamped))
        stamped += EVERY
    return stamped, ask("IBM", stamped)
