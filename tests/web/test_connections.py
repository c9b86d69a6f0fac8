"""Every way to be slow, and what it costs: a connection until its deadline, and never a thread."""

import http.client
import socket
import threading
import time
from collections.abc import Callable

import pytest

from papertrade.lib import metrics
from papertrade.web import limits
from papertrade.web.connections import Connection
from tests.web.conftest import LARGE, THREADS, Front

POST = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def ask(front: Front, path: str = "/", method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    """A well-behaved request."""
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=10)
    connection.request(method, path, body)
    answer = connection.getresponse()
    read = answer.read()
    connection.close()
    return answer.status, read


def read_to_end(connection: socket.socket) -> bytes:
    """What the server sends until it closes."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


def until(true: Callable[[], object]) -> None:
    """Wait for it to come true."""
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def trickle(connection: socket.socket, piece: bytes) -> None:
    """Send the piece again and again, until the other side has had enough."""
    try:
        for _ in range(200):
            connection.sendall(piece)
            time.sleep(0.02)
    except OSError:
        return


# What a slow client has sent, what it goes on sending, and the status that it is told (0: it is cut off).
SLOW: dict[str, tuple[bytes, bytes, int]] = {
    "says nothing": (b"", b"", 0),
    "half a head": (b"GET / HTTP/1.1\r\nHost: x\r\n", b"", 0),
    "a head that trickles": (b"GET / HTTP/1.1\r\n", b"X-A: b\r\n", 0),
    "no body": (POST + b"Content-Length: 1000\r\n\r\n", b"", 408),
    "a body that trickles": (POST + b"Content-Length: 1000\r\n\r\n", b"x", 408),
    "chunks without end": (POST + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n", 408),
    "a multipart file that trickles": (
        b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 900000\r\n\r\n"
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n',
        b"x" * 100,
        415,
    ),
}


@pytest.mark.parametrize("kind", SLOW)
def test_a_slow_request_takes_no_thread_and_ends(front: Front, kind: str) -> None:
    sent, more, status = SLOW[kind]
    slow = [front.connect(sent) for _ in range(4 * THREADS)]
    for connection in slow:
        if more:
            threading.Thread(target=trickle, args=(connection, more), daemon=True).start()
    assert ask(front, "/echo", "POST", b"{}")[0] == 200
    for connection in slow:
        told = read_to_end(connection)
        assert told.startswith(b"HTTP/1.1 %d" % status) if status else told == b""
        connection.close()
    assert [request["PATH_INFO"] for request in front.seen] == ["/echo"], "none of them reached the application"


@pytest.mark.parametrize("path", ["/large", "/composed"])
def test_who_does_not_read_holds_no_thread_and_is_cut_off(
    front: Front, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(limits, "WRITE_SECONDS", 60)
    readers = [front.connect(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode()) for _ in range(4 * THREADS)]
    until(lambda: len(front.seen) == len(readers))
    assert ask(front)[0] == 200, "within its ten seconds, while all of them hold what they were given"
    monkeypatch.setattr(limits, "WRITE_SECONDS", 0.2)
    until(lambda: not Connection._watch.connections)
    for reader in readers:
        assert len(read_to_end(reader)) < LARGE
        reader.close()
    assert list(front.spool_folder.iterdir()) == []


@pytest.mark.parametrize("path", ["/large", "/composed"])
def test_who_reads_gets_all_of_it(front: Front, path: str) -> None:
    status, body = ask(front, path)
    assert (status, len(body)) == (200, LARGE)


def test_an_idle_connection_is_kept_for_a_while(front: Front) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=10)
    for _ in range(2):
        connection.request("GET", "/")
        assert connection.getresponse().read()
        time.sleep(0.6)  # longer than a head may take
    time.sleep(0.7)
    connection.sock.settimeout(2)
    assert connection.sock.recv(1) == b"", "the server closed it"


def test_a_client_who_works_is_not_cut_off(front: Front) -> None:
    answers: list[tuple[int, bytes]] = []
    waiting = threading.Thread(target=lambda: answers.append(ask(front, "/wait")))
    waiting.start()
    time.sleep(1.5)  # longer than every deadline
    front.release.set()
    waiting.join()
    assert answers[0][0] == 200


def test_where_all_places_are_taken_the_longest_waiting_goes(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HEAD_SECONDS", 60)
    monkeypatch.setattr(Connection, "most", 8)
    idle = [front.connect() for _ in range(8)]
    assert ask(front)[0] == 200
    idle[0].settimeout(2)
    assert idle[0].recv(1) == b""
    idle[-1].settimeout(0.1)
    with pytest.raises(TimeoutError):
        idle[-1].recv(1)
    for connection in idle:
        connection.close()


def test_websockets_have_places_of_their_own(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "most", 2)
    handshake = (
        b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    open_ones = [front.connect(handshake) for _ in range(2)]
    assert all(one.recv(100).startswith(b"HTTP/1.1 101") for one in open_ones)
    assert read_to_end(front.connect(handshake)) == b""
    assert ask(front)[0] == 200
    open_ones.pop().close()
    time.sleep(4 * limits.LOOK_SECONDS)
    open_ones.append(front.connect(handshake))
    assert open_ones[-1].recv(100).startswith(b"HTTP/1.1 101")
    for one in open_ones:
        one.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 2 * limits.MAX_HEAD_BYTES,
        b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 2 * limits.MAX_HEAD_BYTES,
        b"GET / HTTP/1.1\r\n" + b"X-Many: a\r\n" * (limits.MAX_HEAD_BYTES // 4),
    ],
    ids=["a long address", "a long header", "many headers"],
)
def test_a_head_has_a_bound(front: Front, head: bytes) -> None:
    connection = front.connect(head)
    assert b"431" in read_to_end(connection)[:20] or front.seen == []
    connection.close()


def test_cuts_are_counted(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    real: Callable[..., object] = metrics.CUT_OFF.labels
    monkeypatch.setattr(metrics.CUT_OFF, "labels", lambda why: told.append(why) or real(why))
    front.connect(b"GET / HT").recv(1)
    assert told == ["head_too_slow"]
