"""The way into every stream: its id, its line in the log, the limit of strangers, and what is said where the server cannot.

An application of `STREAMS` may raise Refusal and let the database's errors pass: before its answer has begun it becomes one in
the shape of its part of the API, afterwards the stream ends.
"""

import asyncio
import contextlib
import dataclasses
import io
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from papertrade.lib import metrics
from papertrade.lib.access import tell_of_stream
from papertrade.lib.addresses import network_of
from papertrade.lib.strangers import credentials_of, door, seconds_left
from papertrade.lib.tracing import Trace, tracing
from papertrade.stream.identity import ASKER, Asker
from papertrade.stream.moves import AWAY
from papertrade.web.bridge import Receive, Scope, Send, environ_of
from papertrade.web.refusals import BUSY, STRANGER, Refusal, answer_to, hold, request_id_of

log = structlog.get_logger(__name__)

Application = Callable[[Scope, Receive, Send], Awaitable[None]]

BEGINNINGS = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})
OK, SWITCHING, UNAUTHORIZED = 200, 101, 401
TRY_AGAIN_LATER = 1013  # of RFC 6455's registry


async def enter(application: Application, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one stream from its beginning to its end."""
    answer = _Answer(scope, send)
    with tracing(Trace(request_id_of(scope))) as trace:
        try:
            if answer.is_strangers():
                raise dataclasses.replace(STRANGER, retry_after_seconds=seconds_left())
            await application(scope, receive, answer.send)
        except Refusal as refusal:
            await answer.refuse(refusal, receive)
        except AWAY as error:
            log.warning("database_unavailable", error=str(error).strip(), path=scope["path"])
            await answer.refuse(BUSY, receive)
        except asyncio.CancelledError:
            await answer.end()  # the worker stops; the client comes back to another one
        finally:
            tell_of_stream(scope["path"], answer.status, trace)


class _Answer:
    """What is sent of a stream: under its id, its status known, and what that says of the credentials it came with.

    Those of a WebSocket come in a message, so it is a stranger's until then (`papertrade.stream.sockets`).
    """

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope, self.status = scope, 0
        self._send = send
        self._is_socket = scope["type"] == "websocket"
        environ = environ_of(scope, io.BytesIO())
        self._asker = scope[ASKER] = Asker(credentials_of(environ), network_of(environ))

    def is_strangers(self) -> bool:
        """Whether it is of one stranger too many; a WebSocket asks when it has something to look up."""
        return not self._is_socket and door.turns_away(*self._asker)

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] in BEGINNINGS:
            self.status = message.get("status", SWITCHING)
            if self.status in (OK, UNAUTHORIZED):
                door.remember(self._asker.credentials, good=self.status == OK)
            others = [(name, value) for name, value in message.get("headers", ()) if name != b"x-request-id"]
            message = {**message, "headers": [*others, (b"x-request-id", request_id_of(self.scope).encode())]}
        await self._send(message)

    async def end(self) -> None:
        """Nothing more comes. A WebSocket was told so by the server; who does not read is not waited for."""
        if self.status and not self._is_socket:
            with contextlib.suppress(TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(0):
                    await self.send({"type": "http.response.body", "body": b""})

    async def refuse(self, refusal: Refusal, receive: Receive) -> None:
        metrics.REFUSED.labels(refusal.code).inc()
        if self._is_socket:
            await self.send({"type": "websocket.close", "code": TRY_AGAIN_LATER, "reason": refusal.message})
        elif not self.status:
            await hold(refusal, self.scope, receive)
            headers, body = answer_to(self.scope, refusal)
            await self.send({"type": "http.response.start", "status": refusal.status, "headers": headers})
            await self.send({"type": "http.response.body", "body": body})
