"""A whole server on a provider that is a fake one: an order makes a symbol wanted, its quotes fill it, a new leader goes on.

The exchange need not be open when the tests run: the market is as late as it takes to be in the middle of the last session.
"""

import gzip
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from marketdata.feeds.recorded import RecordedFeed
from marketdata.services import last_session_by_the_rules
from tests.live.provider import KEY, SECRET, Quoted, ThreadedProvider, in_a_thread
from tests.stack.prepared import prepared
from tests.stack.server import PROJECT, Server, wait_until, whole_server, without_servers
from tests.stack.test_stack import kill_database

BEAT_SECONDS = 0.1


def seconds_into_the_last_session() -> int:
    """The delay with which it is noon, or so, of the last whole session."""
    now = datetime.now(UTC)
    opens, closes = last_session_by_the_rules(now)
    return int((now - (opens + (closes - opens) / 2)).total_seconds())


@contextmanager
def quoting(provider: ThreadedProvider, delay: timedelta, *symbols: str) -> Iterator[None]:
    """The provider quotes these, again and again, as late as the market is."""
    over = threading.Event()

    def quote() -> None:
        while not over.wait(BEAT_SECONDS):
            provider.quote(*(Quoted(symbol, at=datetime.now(UTC) - delay) for symbol in symbols))

    thread = threading.Thread(target=quote)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def feed_process(server: Server) -> int:
    """The process that leads."""
    (line,) = [line for line in server.processes() if "run_feed" in line]
    return int(line.split(" ", 1)[0])


@contextmanager
def standing_by(environment: dict[str, str]) -> Iterator[None]:
    """Another feed process, as another host may have."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "run_feed"], cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def replay(environment: dict[str, str]) -> None:
    """What was recorded and what was asked for give the same ledgers."""
    command = [sys.executable, "manage.py", "replay"]
    played = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True, check=False)
    assert played.returncode == 0, played.stdout + played.stderr


@pytest.mark.slow
@whole_server
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="the feed process is found in /proc")
@pytest.mark.parametrize(
    "is_long", [False, pytest.param(True, marks=pytest.mark.torture)], ids=["short", "standby_and_replay"]
)
def test_from_an_order_to_its_fill_and_over_the_death_of_the_leader(
    new_folder: Callable[[], Path], is_long: bool
) -> None:
    """The long form has a second feed process that stands by, and plays the session again, to the same ledger heads."""
    delay = timedelta(seconds=seconds_into_the_last_session())
    with in_a_thread() as provider:
        settings = {
            "PAPERTRADE_MARKET": "live",
            "PAPERTRADE_PROVIDER": "alpaca",
            "PAPERTRADE_PROVIDER_KEY": KEY,
            "PAPERTRADE_PROVIDER_SECRET": SECRET,
            "PAPERTRADE_PROVIDER_FEEDS": "delayed_sip",
            "PAPERTRADE_PROVIDER_URL": provider.fake.http_url,
            "PAPERTRADE_PROVIDER_STREAM_URL": provider.fake.ws_url,
            "PAPERTRADE_DELAY_SECONDS": str(int(delay.total_seconds())),
        }
        server = Server(prepared(new_folder()), **settings)
        beside = ExitStack()
        environment = {**without_servers(), "PAPERTRADE_VAR": str(server.folder), **settings}
        try:
            server.wait_for("credentials")
            leader = feed_process(server)
            if is_long:
                beside.enter_context(standing_by(environment))
            account = server.call("POST", "/paper/accounts/", {"name": "live"})["account"]["id"]
            assert server.buy(account, "1") == "new"
            assert _order(server, account, "1")["no_fill_reason"] == "quote_missing"
            wait_until(lambda: _streamed(provider, "AAPL"), "the stream of what was ordered")
            with quoting(provider, delay, "AAPL", "SPY"):
                wait_until(lambda: _order(server, account, "1")["status"] == "filled", "the first fill")
                _says_what_it_is(server, account)
                opened = len(provider.fake.opened)
                os.kill(leader, signal.SIGKILL)
                wait_until(lambda: len(provider.fake.opened) > opened, "a new leader's connection")
                wait_until(lambda: server.buy(account, "2") is not None, "an answer to the second order")
                wait_until(lambda: _order(server, account, "2")["status"] == "filled", "the second fill")
                _recorded(server, account)
                _shows_its_past(server, datetime.now(UTC) - delay)
                opened = len(provider.fake.opened)
                kill_database(server)
                wait_until(lambda: len(provider.fake.opened) > opened, "the socket closed and opened again")
                wait_until(lambda: server.buy(account, "3") is not None, "an answer after the database came back")
                wait_until(lambda: _order(server, account, "3")["status"] == "filled", "the third fill")
            if is_long:
                replay(environment)
            assert provider.fake.most_peers == 1
        finally:
            beside.close()
            server.stop()
    assert KEY not in "".join(server.lines) and SECRET not in "".join(server.lines)


@pytest.mark.slow
@whole_server
def test_settings_that_do_not_go_together_end_the_start_with_a_sentence(new_folder: Callable[[], Path]) -> None:
    """Before the database is so much as asked: there is none."""
    server = Server(
        new_folder(),
        DATABASE_URL="postgresql://nobody:nothing@127.0.0.1:1/none",
        REDIS_URL="redis://127.0.0.1:1/0",
        PAPERTRADE_MARKET="live",
        PAPERTRADE_PROVIDER="alpaca",
        PAPERTRADE_PROVIDER_KEY=KEY,
        PAPERTRADE_PROVIDER_SECRET=SECRET,
        PAPERTRADE_PROVIDER_FEEDS="delayed_sip",
    )
    assert server.process.wait(60) == 1
    wait_until(
        lambda: any("is 15 minutes late: set PAPERTRADE_DELAY_SECONDS=910" in line for line in server.lines), "it"
    )
    assert not any("Traceback" in line or KEY in line for line in server.lines) and not server.processes()


def _order(server: Server, account: str, name: str) -> dict[str, Any]:
    orders = server.call("GET", f"/paper/accounts/{account}/orders/")["results"]
    return next(order for order in orders if order["client_order_id"] == name)


def _streamed(provider: ThreadedProvider, symbol: str) -> bool:
    return any(symbol in peer.subscribed for peer in provider.fake.peers)


def _says_what_it_is(server: Server, account: str) -> None:
    (fill,) = server.call("GET", f"/paper/accounts/{account}/fills/")["results"]
    assert fill["evidence"]["feed"] == "alpaca:delayed_sip" and fill["price"] == "100.10"
    feed = server.call("GET", "/market/clock/")["feed"]
    assert (feed["provider"], feed["grades"], feed["state"]) == ("alpaca", ["delayed"], "streaming")


def _shows_its_past(server: Server, now: datetime) -> None:
    """Bars are of what both leaders took, and go on while the file is written."""
    recording = server.folder / "recordings" / "live"

    def taken() -> int:
        return len(list(RecordedFeed(recording).quotes("AAPL", now - timedelta(days=1), now + timedelta(days=1))))

    wait_until(lambda: taken() > 3, "some quotes")
    before = taken()
    path = f"/stocks/aggs/AAPL/1/minute/{now - timedelta(hours=1):%Y-%m-%d}/{now:%Y-%m-%d}/"
    bars = server.call("GET", path)["results"]
    assert {(bar["o"], bar["h"], bar["l"], bar["c"], bar["v"]) for bar in bars} == {(*[100.05] * 4, 0)}
    assert before <= sum(bar["n"] for bar in bars) <= taken()


def _recorded(server: Server, account: str) -> None:
    """Every quote that filled is in the recordings, also in the one that the killed leader left without an end."""
    lines: set[str] = set()
    for path in (server.folder / "recordings" / "live").glob("*.csv.gz"):
        with gzip.open(path, "rt") as file:
            try:
                lines.update(line.split(",")[0] for line in file)
            except EOFError:
                continue
    fills = server.call("GET", f"/paper/accounts/{account}/fills/")["results"]
    assert len(fills) == 2
    assert {fill["evidence"]["quoted_at"] for fill in fills} <= lines
