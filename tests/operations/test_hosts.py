"""Two web hosts on one database and one Valkey, behind PgBouncer and a proxy, each where Debian's package of it is installed.

The processes are the commands of compose.yaml, the proxies have the files of docs/proxy.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from tests.operations.composed import GIVEN, Composed, database_of_its_own
from tests.operations.proxies import PROXIES, Proxy
from tests.stack.server import wait_until, whole_server

pytestmark = [pytest.mark.slow, whole_server]

ORDER = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
WAITING = {**ORDER, "type": "limit", "limit_price": "1.00"}
SECONDS = 60.0  # of a loaded machine
ANOTHER_ADDRESS = "127.0.0.2"  # of this machine, from which a client comes; the proxy comes from 127.0.0.1
ORDERS, DIES_AFTER = 12, 4


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    with database_of_its_own() as database:
        running = Composed(tmp_path_factory.mktemp("composed"), database)
        yield running
        running.stop()


@pytest.fixture(scope="module")
def proxies(composed: Composed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Proxy]]:
    """Those that are installed, in front of both hosts."""
    ports = [host.port for host in composed.hosts]
    running = {kind.program: kind(tmp_path_factory.mktemp(kind.program), ports) for kind in PROXIES if kind.is_here()}
    yield running
    for proxy in running.values():
        proxy.stop()


@pytest.fixture(params=[kind.program for kind in PROXIES])
def proxy(request: pytest.FixtureRequest, proxies: dict[str, Proxy]) -> Proxy:
    if request.param not in proxies:
        pytest.skip(f"{request.param} is not installed (Debian has it as a package of that name)")
    return proxies[request.param]


def test_the_commands_run_and_trade(composed: Composed) -> None:
    first, second = composed.hosts
    assert composed.known["base_url"] == f"https://{GIVEN['DOMAIN']}/v1"
    account = composed.open_account()
    sent = first.ask("POST", f"/v1/paper/accounts/{account}/orders/", ORDER, composed.key)
    path = f"/v1/paper/accounts/{account}/orders/{sent['id']}/"
    wait_until(lambda: second.ask("GET", path, token=composed.key)["status"] == "filled", "the order is filled")
    counted = 'papertrade_orders_total{reason="",status="filled"} 1.0'
    assert any(
        counted in host.ask("GET", "/metrics", token=GIVEN["PAPERTRADE_METRICS_TOKEN"]) for host in composed.hosts
    )
    assert not any("Warning" in host.log.read_text() for host in composed.hosts), "a host of its own lacks nothing"
    running = [process for process in composed.processes if "prepare" not in process.args]
    assert len(running) == 6 and all(process.poll() is None for process in running)


def test_who_asks_and_what_for(composed: Composed, proxy: Proxy) -> None:
    """A sign-in needs all of it: the scheme, the name with its port, cookies for TLS alone. The address is in the log."""
    failed = {"username": "trader", "password": "a wrong one"}
    with proxy.client(local_address=ANOTHER_ADDRESS) as client:
        client.headers["X-Forwarded-For"] = "203.0.113.9"  # anybody may write that
        page = client.get("/login/")
        assert page.status_code == 200 and "; Secure" in page.headers["Set-Cookie"]
        token = {"X-CSRFToken": client.cookies["csrftoken"], "Referer": f"{proxy.url}/login/"}
        assert client.post("/login/", data=failed, headers=token).status_code == 200
        assert client.get("/healthz").json() == {"status": "ok"}
    came_from = [line["address"] for host in composed.hosts for line in host.lines("sign_in_failed")]
    assert came_from and set(came_from) == {ANOTHER_ADDRESS}


def test_what_a_host_refuses_is_read_in_its_own_words(composed: Composed, proxy: Proxy) -> None:
    with proxy.client() as client:
        refused = client.post(f"/v1/paper/accounts/{composed.open_account()}/orders/", content=b" " * 200_000)
    assert (refused.status_code, refused.json()["error"]["code"]) == (413, "payload_too_large")


def heard(socket: ClientConnection) -> Any:
    return json.loads(socket.recv(SECONDS))


def test_streams_come_through_as_they_happen(composed: Composed, proxy: Proxy) -> None:
    account = composed.open_account()
    path = f"/v1/paper/accounts/{account}/"
    bearer = {"Authorization": f"Bearer {composed.key}"}
    with (
        proxy.client() as client,
        connect(f"wss://{proxy.host}/stream", ssl=proxy.trusting) as updates,
        connect(f"wss://{proxy.host}/v2/iex", ssl=proxy.trusting) as quotes,
        client.stream("GET", f"{path}events/", headers={**bearer, "Accept": "text/event-stream"}) as events,
    ):
        lines = events.iter_lines()
        assert next(lines).startswith(": from ")
        for said in (
            {"action": "authenticate", "data": {"key_id": account, "secret_key": composed.key}},
            {"action": "listen", "data": {"streams": ["trade_updates"]}},
        ):
            updates.send(json.dumps(said))
            heard(updates)
        sent = client.post(f"{path}orders/", json=WAITING, headers=bearer)
        assert sent.status_code == 201, sent.text
        order = sent.json()["id"]
        assert order in next(line for line in lines if line.startswith("data: "))
        update = heard(updates)["data"]
        assert (update["event"], update["order"]["id"]) == ("new", order)

        assert heard(quotes) == [{"T": "success", "msg": "connected"}]
        quotes.send(json.dumps({"action": "auth", "key": account, "secret": composed.key}))
        heard(quotes)
        quotes.send(json.dumps({"action": "subscribe", "quotes": ["*"]}))
        told = [heard(quotes)[0]["T"] for _ in range(3)]
        assert told == ["subscription", "q", "q"], "those that stand, and later ones as they come"


class Follower:
    """Reads the events of an account through a proxy, and comes back where it is cut off."""

    def __init__(self, proxy: Proxy, account: str, key: str) -> None:
        self.proxy, self.path = proxy, f"/v1/paper/accounts/{account}/events/"
        self.headers = {"Authorization": f"Bearer {key}", "Accept": "text/event-stream", "Last-Event-ID": "0"}
        self.events: list[dict[str, Any]] = []
        self.came = 0
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()
        wait_until(lambda: self.events, "the account's first event is read")

    def read(self) -> list[dict[str, Any]]:
        """Everything, once the account has another name."""
        self._thread.join(SECONDS)
        assert not self._thread.is_alive(), f"{len(self.events)} events, came {self.came} times"
        return self.events

    def _follow(self) -> None:
        with self.proxy.client() as client:
            while not self.events or self.events[-1]["type"] != "account_renamed":
                self.came += 1
                with suppress(httpx.HTTPError), client.stream("GET", self.path, headers=self.headers) as answer:
                    for line in answer.raise_for_status().iter_lines():
                        name, _, value = line.partition(": ")
                        if name == "data":
                            self.events.append(json.loads(value))
                            self.headers["Last-Event-ID"] = str(self.events[-1]["seq"])
                            if self.events[-1]["type"] == "account_renamed":
                                break


class Bot:
    """Sends orders through a proxy, again where an answer was lost, and follows its account twice."""

    def __init__(self, composed: Composed, proxy: Proxy) -> None:
        self.account = composed.open_account()
        self.client = proxy.client()
        self.client.headers["Authorization"] = f"Bearer {composed.key}"
        self.path = f"/v1/paper/accounts/{self.account}/"
        self.followers = [Follower(proxy, self.account, composed.key) for _ in range(2)]

    def send(self, method: str, path: str, body: dict[str, str]) -> None:
        """Until a host has answered."""

        def answered() -> bool:
            with suppress(httpx.TransportError):
                answer = self.client.request(method, self.path + path, json=body)
                assert answer.status_code in (200, 201, 502, 503, 504), answer.text
                return answer.status_code < 300
            return False

        wait_until(answered, f"{method} {path} is answered")

    def ask(self, path: str) -> Any:
        answer = self.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()


def test_a_host_dies_and_everybody_goes_on(composed: Composed, proxies: dict[str, Proxy]) -> None:
    """The last of these tests: nobody comes back from that."""
    if not proxies:
        pytest.skip("neither nginx nor Caddy is installed")
    bots = {name: Bot(composed, proxy) for name, proxy in proxies.items()}
    for number in range(ORDERS):
        if number == DIES_AFTER:
            composed.hosts[1].die()
        for bot in bots.values():
            bot.send("POST", "orders/", {**WAITING, "client_order_id": f"order-{number}"})
            assert bot.ask("/healthz") == {"status": "ok"}
    for name, bot in bots.items():
        bot.send("PATCH", "", {"name": f"through {name}"})
        orders = bot.ask(f"{bot.path}orders/?direction=asc")["results"]
        assert [order["client_order_id"] for order in orders] == [f"order-{number}" for number in range(ORDERS)]
        listed = bot.ask(f"{bot.path}events/")["results"]
        read = [follower.read() for follower in bot.followers]
        assert all(events == listed for events in read), "everything, once, in order"
        assert sum(follower.came for follower in bot.followers) > len(read), "one was on the host that died"
        bot.client.close()
