"""A WebSocket as Alpaca's clients speak it: JSON or MessagePack, whichever the handshake asked for, in text or binary."""

import asyncio
import json
from collections.abc import Callable
from datetime import datetime
from enum import Enum, auto
from typing import Any

import msgpack
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied

from papertrade.api.alpaca.authentication import Credentials, identify
from papertrade.lib.strangers import digest_of, door
from papertrade.stream.identity import ASKER, Asker
from papertrade.stream.pace import pace
from papertrade.stream.sse import header
from papertrade.web import limits
from papertrade.web.bridge import Receive, Scope, Send
from papertrade.web.connections import IDENTIFIED

# A client who does not take a message in so long is too slow. The server waits a while longer (`limits.WRITE_SECONDS`), in
# which he is told if he reads after all.
SLOW_SECONDS = 20.0
PAUSE_SECONDS = 0.5  # a stranger whose message was no key is not heard for so long; after the next for twice as long
POLICY = 1008


class Gone(Exception):
    """The client has closed the connection."""


class TooSlow(Exception):
    """The client does not read."""


class Malformed(Exception):
    """A message that is no object of the format."""


class Why(Enum):
    """Why somebody stayed a stranger."""

    LATE = auto()
    UNKNOWN = auto()
    FORBIDDEN = auto()  # a key that is good for something else
    CROWDED = auto()  # too many strangers come from that address


class Unidentified(Exception):
    """Nobody who may be told anything."""

    def __init__(self, why: Why) -> None:
        super().__init__(why)
        self.why = why


class Socket:
    """One connection after its handshake."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, binary: bool = False) -> None:
        self.packed = binary or b"msgpack" in header(scope, b"content-type")
        self.asker: Asker = scope[ASKER]  # whose credentials come in a message
        self._user_id: int | None = None  # once it is known
        self._receive, self._send = receive, send

    async def accept(self) -> None:
        """Answer the handshake."""
        await self._receive()
        await self._send({"type": "websocket.accept"})

    async def read(self) -> dict[str, Any]:
        """The next message, as soon as its user may be obeyed again. Raises Gone and Malformed."""
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Gone
        if self._user_id is not None:
            await asyncio.sleep(pace.seconds_to_wait(self._user_id, asyncio.get_running_loop().time()))
        raw = message.get("bytes") or (message.get("text") or "").encode()
        try:
            found = msgpack.unpackb(raw) if self.packed and message.get("bytes") else json.loads(raw)
        except (ValueError, RecursionError, msgpack.exceptions.UnpackException):
            raise Malformed from None
        if not isinstance(found, dict):
            raise Malformed
        return found

    async def identified(
        self, pair_of: Callable[[dict[str, Any]], tuple[str, str] | None], not_yet: Callable[[dict[str, Any]], Any]
    ) -> Credentials:
        """Who it is, by the first message that has a pair in it; others are answered by `not_yet`, each later than the one
        before. One deadline for all of it.

        Raises Unidentified, TooManyStreams, Gone, Malformed and TooSlow.
        """
        pause = PAUSE_SECONDS
        try:
            async with asyncio.timeout(limits.IDENTIFY_SECONDS):
                while (pair := pair_of(message := await self.read())) is None:
                    await self.write(not_yet(message))
                    await asyncio.sleep(pause)
                    pause *= 2
                credentials = await self._looked_up(*pair)
        except TimeoutError:
            raise Unidentified(Why.LATE) from None
        await self._send(IDENTIFIED)
        self._user_id = credentials.key.user.pk
        return credentials

    async def _looked_up(self, account_id: str, token: str) -> Credentials:
        digest = digest_of(key_id=account_id, secret=token)
        self.asker = self.asker._replace(credentials=digest)
        if door.turns_away(*self.asker):
            await asyncio.sleep(limits.HOLD_SECONDS)
            raise Unidentified(Why.CROWDED)
        try:
            credentials = await self.asker.look_up(_identify, account_id, token)
        except (AuthenticationFailed, PermissionDenied) as refusal:
            door.remember(digest, good=False)
            unknown = isinstance(refusal, AuthenticationFailed)
            raise Unidentified(Why.UNKNOWN if unknown else Why.FORBIDDEN) from None
        door.remember(digest, good=True)
        return credentials

    async def write(self, content: Any) -> None:
        """Send one message; times are RFC 3339 in JSON and timestamps in MessagePack. Raises TooSlow."""
        try:
            async with asyncio.timeout(SLOW_SECONDS):
                await self._send(self._message(content))
        except TimeoutError:
            raise TooSlow from None

    async def end(self, content: Any, reason: str) -> None:
        """Say a last word and close, as soon as the client reads; one who never does is ended by the server."""
        await self._send(self._message(content))
        await self._send({"type": "websocket.close", "code": POLICY, "reason": reason})

    def _message(self, content: Any) -> dict[str, Any]:
        if self.packed:
            # What a client said and is told again may be no text that can be written.
            packed = msgpack.packb(content, datetime=True, unicode_errors="backslashreplace")
            return {"type": "websocket.send", "bytes": packed}
        return {"type": "websocket.send", "text": json.dumps(content, default=_spelled, separators=(",", ":"))}


def _identify(account_id: str, token: str) -> Credentials:
    credentials = identify(account_id, token)
    assert credentials.key.user  # read here, where the database may be asked
    return credentials


def _spelled(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    raise TypeError(f"{type(value).__name__} is not JSON")
