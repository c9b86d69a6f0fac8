"""Server-sent events: the head, a message, the heartbeat, and the end of a client who has gone.

The format is WHATWG's: `id`, `event` and `data` lines, a blank line after each message, a colon before a comment.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from papertrade.web.bridge import Receive, Scope, Send

HEARTBEAT_SECONDS = 15.0
RETRY_MS = 1_000
KIND = b"text/event-stream"
HEADERS = [(b"content-type", KIND), (b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]


class Message(NamedTuple):
    """One message; without data it is a heartbeat."""

    id: str = ""
    event: str = ""
    data: Any = None

    def encode(self) -> bytes:
        """As it stands on the wire."""
        if self.data is None:
            return b": still here\n\n"
        lines = [f"id: {self.id}"] if self.id else []
        lines += [f"event: {self.event}"] if self.event else []
        lines.append(f"data: {json.dumps(self.data, separators=(',', ':'), ensure_ascii=False)}")
        return ("\n".join(lines) + "\n\n").encode(errors="backslashreplace")


def wants_events(scope: Scope) -> bool:
    """Whether the request asks for a stream of events."""
    return scope["type"] == "http" and scope["method"] == "GET" and KIND in header(scope, b"accept").lower()


def header(scope: Scope, name: bytes) -> bytes:
    """A header of the request; empty where it has none."""
    return next((value for key, value in scope["headers"] if key == name), b"")


async def send_messages(messages: AsyncIterator[Message], first: str, receive: Receive, send: Send) -> None:
    """Send them as they come, from a first comment on, until they end or the client goes."""
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    begin = f": {first}\nretry: {RETRY_MS}\n\n".encode()
    await send({"type": "http.response.body", "body": begin, "more_body": True})
    gone = asyncio.ensure_future(_until_gone(receive))
    sending = asyncio.ensure_future(_send_all(messages, send))
    try:
        await asyncio.wait({gone, sending}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
            await send({"type": "http.response.body", "body": b""})
    finally:
        for task in (gone, sending):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


async def _send_all(messages: AsyncIterator[Message], send: Send) -> None:
    async for message in messages:
        await send({"type": "http.response.body", "body": message.encode(), "more_body": True})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
