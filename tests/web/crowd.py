"""A crowd of hostile clients in a process of its own: `python -m tests.web.crowd KIND COUNT PORT PATH`, until it is killed.

Each connection is opened again when the server has ended it. Prints `full` when all are there for the first time. PATH is a
large file, for those who do not read it.
"""

import asyncio
import contextlib
import resource
import socket
import sys
from collections.abc import Awaitable, Callable

PAUSE_SECONDS = 0.5  # between two pieces of a trickle, and before a connection is opened again
TCP_REPAIR = 19  # from linux/tcp.h
SMALL_BUFFER = 4_096  # of one who does not read

Way = Callable[[asyncio.StreamReader, asyncio.StreamWriter, str], Awaitable[None]]


def post(path: str, *headers: str) -> bytes:
    """The head of a POST."""
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *headers, "", ""]).encode()


JSON = "Content-Type: application/json"
FORM = "Content-Type: application/x-www-form-urlencoded"
MULTIPART = "Content-Type: multipart/form-data; boundary=part"


async def trickle(writer: asyncio.StreamWriter, piece: bytes, pause: float = PAUSE_SECONDS) -> None:
    """The piece, again and again."""
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(pause)


async def silent_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    writer.write(post("/login/", FORM, "Content-Length: 1000") + b"user")
    await reader.read()


async def trickled_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    writer.write(post("/v1/paper/accounts/", JSON, "Content-Length: 60000"))
    await trickle(writer, b" ")


async def trickled_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    writer.write(b"GET / HTTP/1.1\r\n")
    await trickle(writer, b"X-More: 1\r\n")


async def idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    await reader.read(1)
    await reader.read()


async def who_does_not_read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    writer.transport.pause_reading()
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    await asyncio.sleep(3600)


async def huge_multipart(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    writer.write(post("/login/", MULTIPART, "Transfer-Encoding: chunked"))
    first = b'--part\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
    writer.write(b"%x\r\n%b\r\n" % (len(first), first))
    await trickle(writer, b"4000\r\n" + b"x" * 0x4000 + b"\r\n")


async def chunked_forever(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
    writer.write(post("/v1/paper/accounts/", JSON, "Transfer-Encoding: chunked"))
    await trickle(writer, b"1\r\n \r\n")


async def half_open(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> None:
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
        huge_multipart,
        chunked_forever,
        half_open,
    )
}


async def one(way: Way, port: int, path: str, arrived: Callable[[], None]) -> None:
    """One client, who comes back whenever he is thrown out."""
    while True:
        with contextlib.suppress(OSError):
            plain = socket.socket()
            plain.setblocking(False)
            if way is who_does_not_read:
                plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
            await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", port))
            reader, writer = await asyncio.open_connection(sock=plain)
            arrived()
            try:
                await way(reader, writer, path)
            finally:
                writer.transport.abort()
        await asyncio.sleep(PAUSE_SECONDS)


async def crowd(kind: str, count: int, port: int, path: str) -> None:
    """All of them."""
    there = 0

    def arrived() -> None:
        nonlocal there
        there += 1
        if there == count:
            print("full", flush=True)

    await asyncio.gather(*(one(KINDS[kind], port, path, arrived) for _ in range(count)))


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    asyncio.run(crowd(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
