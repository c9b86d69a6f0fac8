"""What the proxies of docs/proxy hand on, and how often: web hosts here are few lines that keep what they were sent."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.operations.proxies import PROXIES, Nginx, Proxy

LOST = "/lost"  # the first request of each method for it is taken, and never answered


class Hosts:
    """Web hosts: what was begun to be sent to any of them, and what arrived whole."""

    def __init__(self, count: int) -> None:
        self.begun: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []
        hosts = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                if self.path != "/healthz":
                    hosts.begun.append((self.command, self.path))
                    hosts.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                if self.path == LOST and hosts.begun.count((self.command, LOST)) == 1:
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST = do_PATCH = do_DELETE = answer

            def log_message(self, *_: object) -> None:
                pass

        self.servers = [ThreadingHTTPServer(("127.0.0.1", 0), Handler) for _ in range(count)]
        for server in self.servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        self.ports = [server.server_port for server in self.servers]

    def stop(self) -> None:
        for server in self.servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    running = Hosts(2)  # one request that is lost costs neither
    yield running
    running.stop()


@pytest.fixture(params=PROXIES, ids=lambda kind: kind.program)
def proxy(request: pytest.FixtureRequest, tmp_path: Path, hosts: Hosts) -> Iterator[Proxy]:
    if not request.param.is_here():
        pytest.skip(f"{request.param.program} is not installed (Debian has it as a package of that name)")
    running = request.param(tmp_path, hosts.ports)
    yield running
    running.stop()


def test_what_a_host_was_sent_is_sent_again_only_where_it_does_nothing(proxy: Proxy, hosts: Hosts) -> None:
    """An order, half of a position: the host may have done it before it went."""
    with proxy.client() as client:
        answers = [client.request(method, LOST).status_code for method in ("DELETE", "POST", "PATCH", "GET")]
    assert answers == [502, 502, 502, 200]
    assert [hosts.begun.count((method, LOST)) for method in ("DELETE", "POST", "PATCH", "GET")] == [1, 1, 1, 2]


def test_a_delete_comes_whole(proxy: Proxy, hosts: Hosts) -> None:
    """It goes another way through nginx."""
    with proxy.client() as client:
        answer = client.request("DELETE", "/v1/positions/AAPL/?qty=1", content=json.dumps({"qty": "1"}))
    assert answer.status_code == 200
    assert hosts.begun == [("DELETE", "/v1/positions/AAPL/?qty=1")]
    assert hosts.bodies == [b'{"qty": "1"}']


@pytest.mark.parametrize("proxy", [Nginx], indirect=True, ids=lambda kind: kind.program)
def test_a_request_that_is_not_whole_reaches_no_host(proxy: Proxy, hosts: Hosts) -> None:
    """Of a host behind Caddy it takes a connection, and no thread either (tests/web)."""
    head = f"POST /order HTTP/1.1\r\nHost: {proxy.host}\r\nContent-Length: 10\r\nConnection: close\r\n\r\n"
    with (
        socket.create_connection(("127.0.0.1", proxy.port), timeout=60) as plain,
        proxy.trusting.wrap_socket(plain, server_hostname="localhost") as slow,
        proxy.client() as other,
    ):
        slow.sendall(head.encode() + b"01234")
        assert other.get("/meanwhile").status_code == 200
        assert hosts.begun == [("GET", "/meanwhile")]
        slow.sendall(b"56789")
        assert slow.recv(1000).startswith(b"HTTP/1.1 200")
    assert hosts.bodies[-1] == b"0123456789"
