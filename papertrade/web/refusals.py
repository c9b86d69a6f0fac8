"""What the web server itself answers: requests that never reach Django. In the shape that their part of the API speaks."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from papertrade.lib.tracing import request_id_from
from papertrade.web import limits

REQUEST_ID = "papertrade.request_id"  # in the ASGI scope
REFUSED = "papertrade.refused"  # there too: to be called where the request is turned down; its connection makes room
TOO_MANY_REQUESTS = 429
Receive = Callable[[], Awaitable[dict[str, Any]]]


@dataclass(frozen=True)
class Refusal(Exception):
    """A request that is not passed on."""

    status: int
    code: str
    message: str
    retry_after_seconds: int | None = None


TOO_LARGE = Refusal(413, "payload_too_large", "The body is larger than anything here takes.")
NO_FILES = Refusal(415, "unsupported_media_type", "Nothing here takes files: send JSON, or a form without any.")
TOO_SLOW = Refusal(408, "request_timeout", "The body did not arrive in time; nothing was done.")
BUSY = Refusal(503, "unavailable", "Busy; nothing was stored. Send the request again.", retry_after_seconds=1)
BROKEN = Refusal(500, "internal_error", "Something went wrong here; nothing was stored.")
TOO_MANY_AT_ONCE = Refusal(
    429,
    "rate_limit_exceeded",
    "Too many requests of yours are still waiting; nothing was stored. Wait for some of them.",
    retry_after_seconds=1,
)
TOO_MANY_STRANGERS = Refusal(
    429,
    "rate_limit_exceeded",
    "Too many requests without a key that was used here lately are still waiting; nothing was stored. Send it again.",
    retry_after_seconds=1,
)
STRANGER = Refusal(
    429,
    "rate_limit_exceeded",
    "Too many requests without a valid key from this address. Wait a minute, then send your key.",
    retry_after_seconds=60,
)
NO_STREAM = Refusal(404, "not_found", "There is no stream at this address.")


def envelope(refusal: Refusal, request_id: str) -> dict[str, object]:
    """As the project's own API words its errors."""
    return {
        "status": "ERROR",
        "request_id": request_id,
        "error": {"code": refusal.code, "message": refusal.message, "details": {}},
    }


def alpaca(refusal: Refusal, request_id: str) -> dict[str, object]:
    """As Alpaca's API words its errors: the status and five digits."""
    return {"code": refusal.status * 100_000 + 10_000, "message": refusal.message}


# Where an address begins like this, errors look like that; elsewhere a person reads them.
SHAPES: tuple[tuple[str, Callable[[Refusal, str], dict[str, object]]], ...] = (
    ("/v2", alpaca),
    ("/v1beta1", alpaca),
    ("/v1", envelope),
)


def request_id_of(scope: dict[str, Any]) -> str:
    """The id of a request or a WebSocket, which it keeps: the one it came with, where that is well-formed."""
    if REQUEST_ID not in scope:
        given = next((value for name, value in scope.get("headers", ()) if name == b"x-request-id"), b"")
        scope[REQUEST_ID] = request_id_from(given.decode("latin-1"))
    return scope[REQUEST_ID]


async def hold(refusal: Refusal, scope: dict[str, Any], receive: Receive) -> None:
    """Whoever asks too often is told so no sooner than he may ask again."""
    await keep_waiting(refusal.retry_after_seconds or 0 if refusal.status == TOO_MANY_REQUESTS else 0, scope, receive)


async def keep_waiting(seconds: float, scope: dict[str, Any], receive: Receive) -> None:
    """Answer no sooner, but within `HOLD_SECONDS`; the place may be lost meanwhile. Ends when the client goes."""
    scope[REFUSED]()
    if not seconds:  # who has asked whether to send his body would be told to by our listening
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(min(seconds, limits.HOLD_SECONDS)):
            while (await receive())["type"] != "http.disconnect":
                pass


def answer_to(scope: dict[str, Any], refusal: Refusal) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of the refusal of a request."""
    path, request_id = scope["path"], request_id_of(scope)
    shape = next((shape for prefix, shape in SHAPES if path.startswith(prefix)), None)
    kind, body = (
        (b"application/json", json.dumps(shape(refusal, request_id)).encode())
        if shape
        else (b"text/plain; charset=utf-8", f"{refusal.message}\n".encode())
    )
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    headers.append((b"x-request-id", request_id.encode()))
    if refusal.retry_after_seconds is not None:
        headers.append((b"retry-after", str(refusal.retry_after_seconds).encode()))
    return headers, body
