"""A crowd of hostile clients in a process of its own: `python -m tests.web.crowd COUNT PORT TARGET KIND...`, until it is killed.

COUNT of each kind; each connection is opened again when the server has ended it. Prints `full` when all are there for the
first time. TARGET is a JSON object: what of the server they turn to.
"""

import asyncio
import contextlib
import json
import resource
import socket
import sys
from collections.abc import Awaitable, Callable
from typing import NamedTuple

PAUSE_SECONDS = 0.5  # between two pieces of a trickle, and before a connection is opened again
TCP_REPAIR = 19  # from linux/tcp.h
SMALL_BUFFER = 4_096  # of one who does not read


class Target(NamedTuple):
    """A large file, an account with many orders, a key of its owner, and a cookie with his session."""

    file: str
    account: str
    key: str
    cookie: str


Way = Callable[[asyncio.StreamReader, asyncio.StreamWriter, Target], Awaitable[None]]


def post(path: str, *headers: str) -> bytes:
    """The head of a POST."""
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()


def get(path: str, *headers: str) -> bytes:
    """A GET."""
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()


def events(target: Target) -> str:
    """The account's stream."""
    return f"/v1/paper/accounts/{target.account}/events/"


async def shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin a WebSocket to the market's data."""
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    writer.write(get("/v2/iex", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", DEFLATE, key))
    await reader.readuntil(b"\r\n\r\n")


def frame(message: object) -> bytes:
    """A message of a WebSocket's client, masked with zeros."""
    content = json.dumps(message).encode()
    return b"\x81\xff" + len(content).to_bytes(8) + bytes(4) + content


EVENTS = "Accept: text/event-stream"
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate"
JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
MULTIPART = "Content-Type: multipart/form-data; boundary=part"


async def trickle(writer: asyncio.StreamWriter, piece: bytes, pause: float = PAUSE_SECONDS) -> None:
    """The piece, again and again."""
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(pause)


async def trickle_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, piece: bytes) -> None:
    """The piece, again and again, and whatever is answered."""
    sending = asyncio.ensure_future(trickle(writer, piece))
    try:
        while await reader.read(65_536):
            pass
    finally:
        sending.cancel()


async def silent_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    writer.write(post("/login/", FORM, "Content-Length: 1000") + b"user")
    await reader.read()


async def trickled_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    writer.write(post("/v1/paper/accounts/", JSON, "Content-Length: 60000"))
    await trickle(writer, b" ")


async def trickled_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    writer.write(b"GET / HTTP/1.1\r\n")
    await trickle(writer, b"X-More: 1\r\n")


async def idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await reader.read(1)
    await reader.read()


async def who_does_not_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    writer.transport.pause_reading()
    writer.write(get(target.file))
    await asyncio.sleep(3600)


async def unread_csv(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    writer.transport.pause_reading()
    writer.write(get(f"/accounts/{target.account}/orders.csv", f"Cookie: {target.cookie}"))
    await asyncio.sleep(3600)


async def unread_events(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    writer.transport.pause_reading()
    writer.write(get(f"{events(target)}?after_seq=0", EVENTS, f"Authorization: Bearer {target.key}"))
    await asyncio.sleep(3600)


async def reports(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    path = f"/v1/paper/accounts/{target.account}/performance/"
    await trickle_read(reader, writer, get(path, f"Authorization: Bearer {target.key}"))


async def readiness(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    await trickle_read(reader, writer, get("/readyz"))


async def guessed_events(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    await trickle_read(reader, writer, get(events(target), EVENTS, "Authorization: Bearer cm_wrong"))


async def guessed_requests(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    await trickle_read(reader, writer, get("/v1/paper/accounts/", "Authorization: Bearer cm_wrong"))


async def silent_socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    await shake_hands(reader, writer)
    await reader.read()


async def talking_socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    await shake_hands(reader, writer)
    await trickle(writer, frame({"action": "listen"}))


async def guessing_socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    await shake_hands(reader, writer)
    writer.write(frame({"action": "auth", "key": target.account, "secret": "cm_wrong"}))
    while await reader.read(65_536):
        pass


async def huge_messages(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    await shake_hands(reader, writer)
    writer.write(frame({"action": "auth", "key": "x" * 4_000_000}))
    while await reader.read(65_536):
        pass


async def deaf_socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    """It says again and again what it has subscribed to, and reads no answer."""
    await shake_hands(reader, writer)
    writer.write(frame({"action": "auth", "key": target.account, "secret": target.key}))
    writer.write(frame({"action": "subscribe", "quotes": [f"S{number}" for number in range(900)]}))
    writer.transport.pause_reading()
    await trickle(writer, frame({"action": "subscribe"}))


async def pinging_socket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    """Pings, of which it reads no pong."""
    await shake_hands(reader, writer)
    writer.transport.pause_reading()
    await trickle(writer, (b"\x89\xfd" + bytes(4) + b"x" * 125) * 10)


async def huge_multipart(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    writer.write(post("/login/", MULTIPART, "Transfer-Encoding: chunked"))
    first = b'--part\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    writer.write(b"%x\r\n%b\r\n" % (len(first), first))
    await trickle(writer, b"4000\r\n" + b"x" * 0x4000 + b"\r\n")


async def chunked_forever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    writer.write(post("/v1/paper/accounts/", JSON, "Transfer-Encoding: chunked"))
    await trickle(writer, b"1\r\n \r\n")


async def half_open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target) -> None:
    """Gone without a word: in repair mode a socket is closed and tells nobody. Where that is not allowed, silent."""
    writer.write(post("/login/", FORM, "Content-Length: 1000"))
    await writer.drain()
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
        writer.transport.abort()
        await asyncio.sleep(10)
    await reader.read()


KINDS: dict[str, Way] = {
    way.__name__: way
    for way in (
        silent_body,
        trickled_body,
        trickled_head,
        idle,
        who_does_not_read,
        unread_events,
        reports,
        readiness,
        guessed_events,
        guessed_requests,
        silent_socket,
        talking_socket,
        guessing_socket,
        huge_messages,
        deaf_socket,
        pinging_socket,
        huge_multipart,
        chunked_forever,
        half_open,
        unread_csv,  # the last: what is being exported goes on for a while after its readers have gone
    )
}

DO_NOT_READ = {who_does_not_read, unread_csv, unread_events, deaf_socket, pinging_socket}


async def one(way: Way, port: int, target: Target, arrived: Callable[[], None]) -> None:
    """One client, who comes back whenever he is thrown out."""
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            plain = socket.socket()
            plain.setblocking(False)
            if way in DO_NOT_READ:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", port))
            reader, writer = await asyncio.open_connection(sock=plain)
            arrived()
            try:
                await way(reader, writer, target)
            finally:
                writer.transport.abort()
        await asyncio.sleep(PAUSE_SECONDS)


async def crowd(count: int, port: int, target: Target, kinds: list[str]) -> None:
    """All of them."""
    there = 0

    def arrived() -> None:
        nonlocal there
        there += 1
        if there == count * len(kinds):
            print("full", flush=True)

    await asyncio.gather(*(one(KINDS[kind], port, target, arrived) for kind in kinds for _ in range(count)))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    asyncio.run(crowd(int(sys.argv[1]), int(sys.argv[2]), Target(**json.loads(sys.argv[3])), sys.argv[4:]))
