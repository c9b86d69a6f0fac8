"""Hostile crowds of every kind against a whole server, while eight good clients trade on it. A short form: all kinds at once.

The long form, with figures: `python -m tests.web.test_crowd 500 10 [KIND...]` prints them beside those of the quiet server, and
ends with status 1 where a crowd is felt more than it may be.
"""

import http.client
import json
import logging
import os
import select
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.services_plugin import SHARED_FOLDER
from tests.stack.prepared import prepared
from tests.stack.server import MANUAL, PROJECT, Server, whole_server
from tests.web.crowd import KINDS, Target

EACH, SECONDS = 12, 4.0  # twelve of one kind once stopped everything
CLIENTS = 8
HEALTH_SECONDS = 1.0  # the longest that `/healthz` may take
MOST_TIMES_QUIET = 2.0  # p95 of an order, of that on the quiet server just before
LOOKS = 3  # for who waits in a transaction: a machine that stood still for a moment makes everybody do so once
ROWS, MANY_ROWS = 2_000, 40_000  # of the CSV that nobody reads: about 300 bytes each
LARGE_FILE = "drf_spectacular_sidecar/swagger-ui-dist/swagger-ui-bundle.js"
IDLE = "SELECT count(*) FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND now() - state_change > interval '3 s'"


COPIES = """
    INSERT INTO orders_order SELECT (jsonb_populate_record(o, jsonb_build_object(
        'id', gen_random_uuid(), 'number', o.number + n, 'client_order_id', 'copy-' || n))).*
    FROM orders_order o, generate_series(1, %s) n WHERE o.id = %s
"""


@contextmanager
def crowd(kinds: Sequence[str], count: int, server: Server, target: Target) -> Iterator[None]:
    """The crowd is there."""
    coming = subprocess.Popen(
        [sys.executable, "-m", "tests.web.crowd", str(count), str(server.port), json.dumps(target._asdict()), *kinds],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
    )
    try:
        assert select.select([coming.stdout], [], [], 60)[0], f"{kinds}: not all of them got a connection"
        yield
    finally:
        coming.kill()
        coming.wait()


def _idle_in_transaction(database: psycopg.Connection) -> int:
    time.sleep(0.3)
    return database.execute(IDLE).fetchone()[0]


class Figures:
    """What eight good clients and a health check see for a while."""

    def __init__(self, server: Server, accounts: list[str], seconds: float) -> None:
        self.server = server
        self.until = time.monotonic() + seconds
        self.orders: list[float] = []
        self.health: list[float] = []
        self.failed: list[object] = []
        key = json.loads((server.folder / "credentials.json").read_text())["market_key"]
        self.headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        checking = threading.Thread(target=self._check)
        checking.start()
        with ThreadPoolExecutor(CLIENTS) as clients:
            list(clients.map(self._trade, accounts))
        checking.join()
        urls = json.loads((server.folder / "servers.json").read_text())
        with psycopg.connect(urls["DATABASE_URL"], autocommit=True) as database:
            self.idle_in_transaction = min(_idle_in_transaction(database) for _ in range(LOOKS))

    def _trade(self, account: str) -> None:
        order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=90)
        while time.monotonic() < self.until:
            began = time.monotonic()
            connection.request("POST", f"/v1/paper/accounts/{account}/orders/", json.dumps(order), self.headers)
            answer = connection.getresponse()
            answer.read()
            self.orders.append(time.monotonic() - began)
            if answer.status != 201:
                self.failed.append(answer.status)
            time.sleep(0.05)

    def _check(self) -> None:
        while time.monotonic() < self.until:
            began = time.monotonic()
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=90)
            connection.request("GET", "/healthz")
            if connection.getresponse().status != 200:
                self.failed.append("health")
            connection.close()
            self.health.append(time.monotonic() - began)
            time.sleep(0.1)

    def p95(self) -> float:
        """Of the orders."""
        return sorted(self.orders)[int(len(self.orders) * 0.95)]


@contextmanager
def trading_server() -> Iterator[tuple[Server, list[str]]]:
    """A server whose market stands, and accounts on it."""
    with tempfile.TemporaryDirectory(prefix="papertrade-crowd-") as folder:
        server = Server(
            prepared(Path(folder) / "var"),
            **MANUAL,
            PAPERTRADE_STOCK_QUOTE_MAX_AGE_SECONDS="3600",
            PAPERTRADE_STRANGER_LIMIT_MINUTE="600",  # the default, which tests are without
        )
        try:
            server.wait_for("credentials")
            server.call("POST", "/market/clock/advance/", {"seconds": 60})
            yield server, [server.call("POST", "/paper/accounts/", {})["account"]["id"] for _ in range(CLIENTS)]
        finally:
            server.stop()


def target_of(server: Server, rows: int) -> Target:
    """What there is to turn to: an account with so many orders is made."""
    from django.templatetags.static import static

    account = server.call("POST", "/paper/accounts/", {})["account"]["id"]
    order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "limit", "limit_price": "1", "time_in_force": "day"}
    order_id = server.call("POST", f"/paper/accounts/{account}/orders/", order)["id"]
    server.call("DELETE", f"/paper/accounts/{account}/orders/{order_id}/")
    urls = json.loads((server.folder / "servers.json").read_text())
    with psycopg.connect(urls["DATABASE_URL"]) as database:
        database.execute(COPIES, [rows, order_id])
    known = json.loads((server.folder / "credentials.json").read_text())
    return Target(static(LARGE_FILE), account, known["market_key"], signed_in(server, known))


def signed_in(server: Server, known: dict[str, str]) -> str:
    """A cookie with a session of the trader."""
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=60) as browser:
        token = browser.get("/login/").cookies["csrftoken"]
        form = {
            "username": known["dashboard_user"],
            "password": known["dashboard_password"],
            "csrfmiddlewaretoken": token,
        }
        assert browser.post("/login/", data=form).status_code == 302
        cookie = f"sessionid={browser.cookies['sessionid']}"
    for _ in range(20):  # each worker gets to know it, and is not asked by a stranger afterwards
        for headers in ({"Cookie": cookie}, {"Authorization": f"Bearer {known['market_key']}"}):
            path = "/keys/" if "Cookie" in headers else "/v1/paper/accounts/"
            url = f"http://127.0.0.1:{server.port}{path}"
            assert httpx.get(url, headers=headers, timeout=60).status_code == 200
    return cookie


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Server, list[str]]]:
    """One server for all: starting one takes longer than a crowd."""
    with trading_server() as server_and_accounts:
        yield server_and_accounts


@pytest.mark.slow
@whole_server
def test_a_chunked_body_is_obeyed(served: tuple[Server, list[str]]) -> None:
    """A close of one share of three, whose body has no length, sold all three once."""
    server, accounts = served
    order = {"symbol": "MSFT", "qty": "3", "side": "buy", "type": "market", "time_in_force": "day"}
    assert server.call("POST", f"/paper/accounts/{accounts[0]}/orders/", order)["status"] == "filled"
    key = json.loads((server.folder / "credentials.json").read_text())["market_key"]
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=90)
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    path = f"/v1/paper/accounts/{accounts[0]}/positions/MSFT/"
    connection.request("DELETE", path, iter([b'{"qty":', b'"1"}']), headers, encode_chunked=True)
    assert connection.getresponse().status in (200, 201)
    assert server.call("GET", path.removeprefix("/v1"))["qty"] == "2.000000"


@pytest.mark.slow
@whole_server
def test_no_crowd_stops_the_server(served: tuple[Server, list[str]]) -> None:
    server, accounts = served
    target = target_of(server, ROWS)
    with crowd(list(KINDS), EACH, server, target):
        figures = Figures(server, accounts, SECONDS)
    assert figures.failed == []
    assert len(figures.orders) >= CLIENTS
    assert sorted(figures.health)[len(figures.health) // 2] < HEALTH_SECONDS
    assert figures.idle_in_transaction == 0


@pytest.mark.torture
def test_no_crowd_is_felt() -> None:
    """The long form, 500 of each kind in turn: about six minutes, on a machine that does nothing else."""
    done = subprocess.run([sys.executable, "-m", "tests.web.test_crowd", "500", "8"], cwd=PROJECT)
    assert done.returncode == 0


def main(count: int, seconds: float, kinds: Sequence[str]) -> int:
    """The figures of these kinds, by default of every one, beside those of the quiet server just before; the exit status."""
    with tempfile.TemporaryDirectory(prefix="papertrade-crowd-") as shared:
        Path(shared).chmod(0o755)  # PostgreSQL under root is another
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "papertrade.settings",
            "PAPERTRADE_SECRET_KEY": "of-this-process-alone-" + "x" * 40,
            "DATABASE_URL": "postgresql://nobody@127.0.0.1/none",  # it asks no database: the server has one of its own
            "REDIS_URL": "redis://127.0.0.1/0",
            SHARED_FOLDER: shared,
        }
        import django

        django.setup()
        logging.getLogger("httpx").setLevel(logging.WARNING)
        felt = _compare(count, seconds, kinds or list(KINDS))
    if felt:
        print("felt more than it may be:", ", ".join(felt))
    return 1 if felt else 0


def _compare(count: int, seconds: float, kinds: Sequence[str]) -> list[str]:
    """Prints a line for each; those that are felt too much."""
    felt = []
    with trading_server() as (server, accounts):
        target = target_of(server, MANY_ROWS)
        for kind in kinds:
            quiet = Figures(server, accounts, seconds)
            with crowd([kind], count, server, target):
                figures = Figures(server, accounts, seconds)
            times, slowest = figures.p95() / quiet.p95(), max(figures.health)
            too_much = times > MOST_TIMES_QUIET or slowest > HEALTH_SECONDS or figures.failed
            if too_much or figures.idle_in_transaction:
                felt.append(kind)
            print(
                f"{kind:18} p95 {figures.p95() * 1000:6.0f} ms, quiet {quiet.p95() * 1000:6.0f} ms: "
                f"x {times:.2f}; slowest health {slowest * 1000:.0f} ms; "
                f"{len(figures.orders)} orders, {len(figures.failed)} failed; "
                f"{figures.idle_in_transaction} idle in transaction",
                flush=True,
            )
    return felt


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]))
