"""Every way to be slow, and what it costs: a connection until its deadline, and never a thread."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable

import pytest

from papertrade.lib import metrics
from papertrade.web import limits
from papertrade.web.connections import REFUSALS
from papertrade.web.places import RULES, Places, State, Watch, Watched
from tests.web.conftest import LARGE, THREADS, Front

POST = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def ask(front: Front, path: str = "/", method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    """A well-behaved request."""
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=60)
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
    deadline = time.monotonic() + 90
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
    assert ask(front)[0] == 200, "while all of them hold what they were given"
    monkeypatch.setattr(limits, "WRITE_SECONDS", 0.2)
    until(lambda: not Watch._running.requests.taken)
    for reader in readers:
        assert len(read_to_end(reader)) < LARGE
        reader.close()
    assert list(front.spool_folder.iterdir()) == []


@pytest.mark.parametrize("path", ["/large", "/composed"])
def test_who_reads_gets_all_of_it(front: Front, path: str) -> None:
    status, body = ask(front, path)
    assert (status, len(body)) == (200, LARGE)


def test_an_idle_connection_is_kept_for_a_while(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "IDLE_SECONDS", 60.0)
    connection = http.client.HTTPConnection("127.0.0.1", front.port, timeout=60)
    for _ in range(2):
        connection.request("GET", "/")
        assert connection.getresponse().read()
        time.sleep(0.6)  # longer than a head may take
    monkeypatch.setattr(limits, "IDLE_SECONDS", 0.1)
    assert connection.sock.recv(1) == b"", "the server closed it"


def test_a_client_who_works_is_not_cut_off(front: Front) -> None:
    answers: list[tuple[int, bytes]] = []
    waiting = threading.Thread(target=lambda: answers.append(ask(front, "/wait")))
    waiting.start()
    time.sleep(1.5)  # longer than every deadline
    front.release.set()
    waiting.join()
    assert answers[0][0] == 200


HANDSHAKE = (
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
TEXT, CONTINUED, CLOSE, FINAL = 1, 0, 8, 0x80


def frame(content: bytes, kind: int = TEXT, final: int = FINAL) -> bytes:
    """A frame of a WebSocket's client, masked with zeros."""
    length = len(content)
    size = bytes([0x80 | length]) if length < 126 else b"\xff" + length.to_bytes(8)
    return bytes([final | kind]) + size + bytes(4) + content


def websocket(front: Front, *said: bytes) -> socket.socket:
    """A client of a WebSocket who has said something."""
    connection = front.connect(HANDSHAKE)
    head = connection.recv(1000)
    assert head.startswith(b"HTTP/1.1 101") and b"deflate" not in head
    connection.sendall(b"".join(said))
    return connection


def idle(front: Front) -> socket.socket:
    connection = front.connect(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert connection.recv(1000)
    return connection


def unread(front: Front, more: bytes = b"", becomes: State = State.UNREAD) -> socket.socket:
    def in_state(state: State) -> int:
        return states(state).count(state)

    before = {state: in_state(state) for state in (State.UNREAD, becomes)}
    patience, limits.WRITE_SECONDS = limits.WRITE_SECONDS, 90  # until it was seen there
    connection = front.connect(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
    until(lambda: in_state(State.UNREAD) > before[State.UNREAD])
    connection.sendall(more)
    until(lambda: in_state(becomes) > before[becomes])
    limits.WRITE_SECONDS = patience
    return connection


# How a client comes into each state. One of WebSockets has places of its own.
INTO: dict[State, Callable[[Front], socket.socket]] = {
    State.HEAD: lambda front: front.connect(b"GET / HT"),
    State.BODY: lambda front: front.connect(POST.replace(b"/echo", b"/never") + b"Content-Length: 9\r\n\r\n"),
    State.IDLE: idle,
    State.UNREAD: unread,
    # Told so behind what he does not read.
    State.ENDING: lambda front: unread(front, b"no request\r\n\r\n", State.ENDING),
    State.REFUSED: lambda front: front.connect(b"GET /turned-down HTTP/1.1\r\nHost: x\r\n\r\n" * 2),
    State.ANSWER: lambda front: front.connect(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n"),
    State.STRANGER: lambda front: websocket(front, frame(b"hello")),
    State.STREAM: lambda front: websocket(front, frame(b"it is me")),
}
OF_SOCKETS = (State.STRANGER, State.STREAM)


def places(state: State) -> Places:
    return Watch._running.sockets if state in OF_SOCKETS else Watch._running.requests


def states(state: State) -> list[State]:
    """Of all connections of its kind."""
    return [one.waits()[0] for one in tuple(places(state).taken)]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why connections were cut off."""
    told: list[str] = []
    real: Callable[..., object] = metrics.CUT_OFF.labels
    monkeypatch.setattr(metrics.CUT_OFF, "labels", lambda why: told.append(str(why)) or real(why))
    return told


@pytest.mark.parametrize("state", State)
def test_every_state_has_an_end(front: Front, told: list[str], state: State) -> None:
    assert ask(front)[0] == 200  # and the watch is there
    connection = INTO[state](front)
    if RULES[state].patience is None:
        time.sleep(0.5)  # longer than any deadline
        assert told == []
    else:
        until(lambda: told)
        assert told == [state] and state not in states(state)
    connection.close()


@pytest.mark.parametrize("state", State)
def test_where_all_places_are_taken_whoever_can_be_spared_makes_room(
    front: Front, monkeypatch: pytest.MonkeyPatch, told: list[str], state: State
) -> None:
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "IDLE_SECONDS", "WRITE_SECONDS", "IDENTIFY_SECONDS", "HOLD_SECONDS"):
        monkeypatch.setattr(limits, name, 60)
    assert ask(front)[0] == 200
    until(lambda: not places(state).taken)
    monkeypatch.setattr(Watched, "most", 3)
    crowd = []
    for number in range(3):
        crowd.append(INTO[state](front))
        until(lambda so_far=number + 1: states(state) == [state] * so_far)
    newcomer = front.connect(HANDSHAKE if state in OF_SOCKETS else b"GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
    until(lambda: told == ["no_place_left"])
    if RULES[state].turn is None:
        assert read_to_end(newcomer) == b"" and states(state) == [state] * 3
    else:
        until(
            lambda: (
                sorted(states(state)) == sorted([state] * 2 + [State.STRANGER if state in OF_SOCKETS else State.ANSWER])
            )
        )
        crowd[0].settimeout(30)
        read_to_end(crowd[0])  # the one that was there first has come to its end
    if state in OF_SOCKETS:
        assert ask(front)[0] == 200, "requests have places of their own"
    front.release.set()
    for connection in (*crowd, newcomer):
        connection.close()


def test_who_can_be_spared_least_goes_last() -> None:
    turns = [RULES[state].turn for state in (State.ENDING, State.HEAD, State.UNREAD)]
    assert RULES[State.REFUSED].turn == turns[0]
    assert turns == sorted(turns) and {RULES[one].turn for one in (State.HEAD, State.BODY, State.IDLE)} == {turns[1]}


def test_of_requests_that_came_at_once_none_passes_for_waiting(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the second is worked on, and a third has no body yet, the client works."""
    monkeypatch.setattr(limits, "BODY_SECONDS", 90)
    connection = front.connect(b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
    until(lambda: len(front.seen) == 2)
    assert states(State.ANSWER) == [State.ANSWER]
    connection.sendall(POST + b"Content-Length: 9\r\n\r\n")
    time.sleep(0.1)
    assert states(State.ANSWER) == [State.ANSWER]
    front.release.set()
    until(lambda: states(State.ANSWER) == [State.BODY])
    connection.close()


def test_a_head_behind_a_request_that_is_worked_on_has_a_bound_too(front: Front, told: list[str]) -> None:
    connection = front.connect(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
    until(lambda: front.seen)
    connection.sendall(b"GET / HTTP/1.1\r\n")
    with contextlib.suppress(OSError):
        for _ in range(1_000):
            connection.sendall(b"X-Many: a\r\n" * 100)
    until(lambda: told == ["head_too_large"])


# Handshakes that cannot be, and the status that they are told. A proxy takes a host that says nothing for a dead one.
UNREADABLE: dict[str, tuple[bytes, int]] = {
    "many headers": (HANDSHAKE[:-2] + b"X-Many: a\r\n" * 128 + b"\r\n", 431),
    "a long header": (HANDSHAKE[:-2] + b"X-Long: " + b"a" * 10_000 + b"\r\n\r\n", 431),
    "a long address": (HANDSHAKE.replace(b"/", b"/" + b"a" * 10_000, 1), 414),
    "a body": (HANDSHAKE[:-2] + b"Content-Length: 1\r\n\r\nx", 400),
    "a body in chunks": (HANDSHAKE[:-2] + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "another version": (HANDSHAKE.replace(b"-Version: 13", b"-Version: 12"), 400),
    "another method": (HANDSHAKE.replace(b"GET", b"PUT"), 405),
    "an address of other letters": (HANDSHAKE.replace(b"/", b"/\xc3\xa9", 1), 400),
    "a sign that is none": (HANDSHAKE[:-2] + b"X-A: \x7f\r\n\r\n", 400),
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_a_handshake_that_cannot_be_is_answered(front: Front, kind: str) -> None:
    head, status = UNREADABLE[kind]
    connection = front.connect(head)
    assert connection.recv(65_536).startswith(b"HTTP/1.1 %d" % status)
    connection.close()


@pytest.mark.parametrize("protocol", [b"websocket", b"h2c"], ids=lambda protocol: protocol.decode())
def test_a_body_never_passes_for_the_next_request(front: Front, told: list[str], protocol: bytes) -> None:
    """Behind a proxy its answer would be another client's."""
    body = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    upgrade = b"Connection: Upgrade\r\nUpgrade: %s\r\nContent-Length: %d\r\n\r\n" % (protocol, len(body))
    connection = front.connect(POST + upgrade)
    answer = connection.recv(65_536)
    connection.sendall(body)
    assert answer + read_to_end(connection) == REFUSALS["upgrade_with_body"]
    assert (front.seen, told) == ([], ["upgrade_with_body"])
    connection.close()


class TestMessages:
    """What a stranger may send over a WebSocket."""

    def test_a_message_has_a_bound(self, front: Front) -> None:
        for sent in (
            frame(b"x" * (limits.MAX_MESSAGE_BYTES + 1)),
            frame(b"x" * 100_000, final=0) + frame(b"x" * 100_000, CONTINUED),
        ):
            connection = websocket(front)
            connection.sendall(sent)
            said = read_to_end(connection)
            assert said[0] == FINAL | CLOSE and int.from_bytes(said[2:4]) == 1009
            connection.close()

    def test_nor_has_it_pieces_without_end(self, front: Front, told: list[str]) -> None:
        connection = websocket(front, frame(b"", final=0))
        with contextlib.suppress(OSError):
            for _ in range(limits.MAX_FRAGMENTS):
                connection.sendall(frame(b"", CONTINUED, final=0) * 10)
        until(lambda: told == ["too_many_fragments"])

    def test_who_was_told_to_go_makes_room_and_does_not_stay(
        self, front: Front, monkeypatch: pytest.MonkeyPatch, told: list[str]
    ) -> None:
        """Known or not: a client may have more connections told so than there are places."""
        monkeypatch.setattr(limits, "WRITE_SECONDS", 60)
        monkeypatch.setattr(Watched, "most", 1)
        for _ in range(2):
            stays = websocket(front, frame(b"it is me"), frame(b"let me go"))
            until(lambda: states(State.STREAM) == [State.ENDING])
        assert told == ["no_place_left"]
        monkeypatch.setattr(limits, "WRITE_SECONDS", 0.2)
        assert read_to_end(stays)[0] == FINAL | CLOSE
        assert told == ["no_place_left", State.ENDING]
        stays.close()

    def test_who_does_not_read_is_cut_off_and_one_who_does_is_not(
        self, front: Front, monkeypatch: pytest.MonkeyPatch, told: list[str]
    ) -> None:
        monkeypatch.setattr(limits, "WRITE_SECONDS", 1.5)  # of a reader on a busy machine
        deaf, reader = (websocket(front, frame(b"it is me"), frame(b"tell me")) for _ in range(2))
        while not told:
            assert reader.recv(65_536)
        assert told == [State.UNREAD]
        deaf.close()
        reader.close()


@pytest.mark.parametrize(
    "head",
    [
        b"GET /" + b"a" * 2 * limits.MAX_HEAD_BYTES,
        b"GET / HTTP/1.1\r\nX-Long: " + b"a" * 2 * limits.MAX_HEAD_BYTES,
        b"GET / HTTP/1.1\r\n" + b"X-Many: a\r\n" * (limits.MAX_HEAD_BYTES // 4),
    ],
    ids=["a long address", "a long header", "many headers"],
)
def test_a_head_has_a_bound(front: Front, told: list[str], head: bytes) -> None:
    connection = front.connect(head)
    assert read_to_end(connection) == REFUSALS["head_too_large"]
    until(lambda: not Watch._running.requests.taken)
    assert told == ["head_too_large"] and front.seen == []
    connection.close()


def test_who_still_sends_a_head_that_is_too_large_can_read_so(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy whose sending fails does not look whether an answer is there."""
    monkeypatch.setattr(limits, "LINGER_SECONDS", 60)
    connection = front.connect(b"GET / HTTP/1.1\r\n" + b"X-Many: a\r\n" * 100_000)
    answer = b"".join(iter(lambda: connection.recv(65_536), b""))  # to its end, and no reset
    assert answer == REFUSALS["head_too_large"]
    connection.close()
