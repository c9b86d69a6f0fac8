"""A WebSocket as Alpaca's clients speak it: JSON or MessagePack, whichever the handshake asked for, in text or binary."""

import asyncio
import json
from datetime import datetime
from typing import Any

import msgpack

from papertrade.stream.sse import header
from papertrade.web.bridge import Receive, Scope, Send

MAX_MESSAGE_BYTES = 1 << 20
SLOW_SECONDS = 20.0  # a client who does not take a message in so long is too slow
NORMAL, TOO_LARGE, POLICY = 1000, 1009, 1008


class Gone(Exception):
    """The client has closed the connection."""


class TooSlow(Exception):
    """The client does not read."""


class Malformed(Exception):
    """A message that is no object of the format."""


class Socket:
    """One connection after its handshake."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, binary: bool = False) -> None:
        self.packed = binary or b"msgpack" in header(scope, b"content-type")
        self._receive, self._send = receive, send

    async def accept(self) -> None:
        """Answer the handshake."""
        await self._receive()
        await self._send({"type": "websocket.accept"})

    async def read(self) -> dict[str, Any]:
        """The next message. Raises Gone and Malformed."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Gone
        raw = message.get("bytes") or (message.get("text") or "").encode()
        if len(raw) > MAX_MESSAGE_BYTES:
            raise Malformed
        try:
            found = msgpack.unpackb(raw) if self.packed and message.get("bytes") else json.loads(raw)
        except (ValueError, RecursionError, msgpack.exceptions.UnpackException):
            raise Malformed from None
        if not isinstance(found, dict):
            raise Malformed
        return found

    async def write(self, content: Any) -> None:
        """Send one message; times are RFC 3339 in JSON and timestamps in MessagePack. Raises TooSlow."""
        if self.packed:
            message: dict[str, Any] = {"bytes": msgpack.packb(content, datetime=True)}
        else:
            message = {"text": json.dumps(content, default=_spelled, separators=(",", ":"))}
        try:
            async with asyncio.timeout(SLOW_SECONDS):
                await self._send({"type": "websocket.send", **message})
        except TimeoutError:
            raise TooSlow from None

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """End it."""
        await self._send({"type": "websocket.close", "code": code, "reason": reason})


def _spelled(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} is not JSON")
