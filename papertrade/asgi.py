"""The ASGI application of a web worker: streams to those who speak them, everything else to Django's threads.

A *stream* is an answer without an end (server-sent events, WebSocket). Each is an ASGI application in `STREAMS` beside the
test that picks its requests; docs/architecture.md, "Streams", says what it has to keep.
"""

import asyncio
import os
from collections.abc import Callable
from importlib import import_module
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "papertrade.settings")

from django.conf import settings

from papertrade.web.bridge import Bridge, Receive, Scope, Send
from papertrade.web.refusals import NO_STREAM, answer_to
from papertrade.wsgi import application as django

# After Django is set up, since they read its models.
Beacon = import_module("papertrade.operations.presence").Beacon
not_ready: Callable[[], list[str]] = import_module("papertrade.operations.health").not_ready
enter: Callable[..., Any] = import_module("papertrade.stream.entry").enter
# Beside each whether it takes a request; the first that does gets it.
STREAMS: list[tuple[Callable[[Scope], bool], Any]] = import_module("papertrade.stream").STREAMS

bridge = Bridge(
    django, threads=settings.PAPERTRADE_WEB_THREADS, spool_folder=settings.PAPERTRADE_VAR, not_ready=not_ready
)


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """One request, or one WebSocket."""
    if scope["type"] == "lifespan":
        await live(receive, send)
        return
    chosen = next((stream for takes, stream in STREAMS if takes(scope)), None)
    if chosen is not None:
        await enter(chosen, scope, receive, send)
    elif scope["type"] == "websocket":
        await refuse_websocket(scope, receive, send)
    else:
        await bridge(scope, receive, send)


async def live(receive: Receive, send: Send) -> None:
    """The worker's beginning and end."""
    beacon = None
    while True:
        message: dict[str, Any] = await receive()
        if message["type"] == "lifespan.startup":
            beacon = Beacon("web").start()
        elif message["type"] == "lifespan.shutdown":
            bridge.close()
            if beacon is not None:
                await asyncio.to_thread(beacon.stop)  # before the answer, after which the loop ends
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """404 instead of a handshake."""
    await receive()
    headers, body = answer_to(scope, NO_STREAM)
    await send({"type": "websocket.http.response.start", "status": NO_STREAM.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": body})
