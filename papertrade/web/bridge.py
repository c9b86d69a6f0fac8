"""From an event loop to Django's threads and back: whole requests in, whole answers out.

A thread is taken when the body has arrived, and given back when the answer is there; how long a client needs for either
costs a connection and no more. Answers that are composed while they are read (CSV) are spooled on a thread of their own.
"""

import asyncio
import contextlib
import dataclasses
import io
import json
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, quote, unquote_to_bytes

import structlog
from django.conf import settings
from django.http import FileResponse

from papertrade.lib import metrics
from papertrade.lib.access import LONGEST_PATH, SINCE
from papertrade.lib.addresses import network_of
from papertrade.lib.lines import say
from papertrade.lib.strangers import Counts, credentials_of, door, seconds_left
from papertrade.web import limits, probes
from papertrade.web.lanes import Courtesy, GivenUp, Lane
from papertrade.web.probes import Readiness
from papertrade.web.refusals import (
    BROKEN,
    NO_FILES,
    STRANGER,
    TOO_LARGE,
    TOO_SLOW,
    Refusal,
    answer_to,
    hold,
    keep_waiting,
    request_id_of,
)

log = structlog.get_logger(__name__)

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Said to this server and not to the application. What Django reads is whole, so it has a length and no encoding.
HOP_BY_HOP = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"expect"}
)
BODILESS = (204, 304)


class ClientGone(Exception):
    """Nobody is there to answer."""


@dataclass
class Answer:
    """An answer of Django: its content as bytes or a file at its beginning, or still to be composed."""

    status: int
    headers: list[tuple[str, str]]
    content: bytes | IO[bytes] = b""
    composed: Any = None

    def length(self) -> int | None:
        """Its length where it is known without reading it."""
        if isinstance(self.content, bytes):
            return len(self.content)
        given = next((value for name, value in self.headers if name.lower() == "content-length"), None)
        return None if given is None else int(given)


class Bridge:
    """An ASGI application that has Django answer. `not_ready`, asked on a thread, says why this process cannot serve."""

    def __init__(
        self, django: Callable[..., Any], *, threads: int, spool_folder: Path, not_ready: Callable[[], list[str]]
    ) -> None:
        self._django = django
        self._spool_folder = spool_folder
        self._trading = Lane("web", threads, limits.MAX_WAITING, most_of_one=limits.MAX_WAITING_OF_ONE, goes_first=True)
        self._newcomers = Lane(
            "newcomer",
            limits.NEWCOMER_THREADS,
            limits.MAX_WAITING,
            most_of_one=limits.MAX_WAITING_OF_ONE,
            gives_way=True,
        )
        self._strangers_of = Counts()
        self._exports = Lane(
            "export",
            limits.EXPORT_THREADS,
            limits.MAX_EXPORTS_WAITING,
            most_of_one=limits.MAX_EXPORTS_OF_ONE,
            gives_way=True,
        )
        self._reports = Lane(
            "report",
            limits.REPORT_THREADS,
            limits.MAX_REPORTS_WAITING,
            most_of_one=limits.MAX_REPORTS_OF_ONE,
            gives_way=True,
        )
        self._files = Lane("file", limits.FILE_THREADS, limits.MAX_WAITING)
        self._probes = Lane("probe", limits.PROBE_THREADS, 0)
        self._readiness = Readiness(lambda: self._probes.run(not_ready))

    def close(self) -> None:
        """Take no more requests."""
        for lane in (self._trading, self._newcomers, self._exports, self._reports, self._files, self._probes):
            lane.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with contextlib.closing(await self._whole_body(scope, receive)) as body:
                answer = await self._answer(scope, receive, body)
        except Refusal as refusal:
            await refuse(refusal, scope, receive, send)
        except ClientGone:
            return
        else:
            await send_whole(answer, scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, body: IO[bytes]) -> Answer:
        path = scope["path"]
        if path == probes.ALIVE:  # it asks nothing else: a restart mends no database
            return _of_a_probe(scope, 200, {"status": "ok"})
        environ = environ_of(scope, body)
        if path == probes.READY:
            if self._readiness.is_asked_too_often(network_of(environ)):
                await keep_waiting(limits.HOLD_SECONDS, scope, receive)
            reasons = await self._readiness.reasons()
            return _of_a_probe(
                scope, 503 if reasons else 200, {"status": "not ready" if reasons else "ok", "reasons": reasons}
            )
        credentials, network = credentials_of(environ), network_of(environ)
        lane = self._lane_of(path, environ["QUERY_STRING"])
        if lane is not self._files and door.has_turned_away(credentials, network):
            raise dataclasses.replace(STRANGER, retry_after_seconds=seconds_left())
        whose = door.known_as(credentials)
        if lane is self._trading and not whose and self._strangers_of.another(network) > limits.STRANGERS_A_MINUTE:
            lane = self._newcomers
        asking = lane.run(self._export if lane is self._exports else self._ask_django, environ, whose=whose)
        # These only read, so that nothing is lost where one is not made; what else was sent is done, whoever still waits.
        answer = await (unless_gone(asking, receive) if lane in (self._exports, self._reports) else asking)
        if answer.composed is not None:
            try:
                await self._exports.run(self._compose, answer, whose=whose)
            except Refusal:
                if not answer.composed.closed:  # nobody began to read it
                    answer.composed.close()
                raise
        return answer

    def _lane_of(self, path: str, query: str) -> Lane:
        if path.startswith(settings.STATIC_URL):
            return self._files
        if is_export(path):
            return self._exports
        return self._reports if is_report(path, query) else self._trading

    async def _whole_body(self, scope: Scope, receive: Receive) -> IO[bytes]:
        """The body, read to its end. Raises Refusal and ClientGone."""
        headers = dict(scope["headers"])
        if b"content-length" not in headers and b"transfer-encoding" not in headers:
            await receive()
            return io.BytesIO()
        if headers.get(b"content-type", b"").lower().startswith(b"multipart/"):
            raise NO_FILES
        most = limits.LARGE_BODIES.get(scope["path"], limits.MAX_BODY_BYTES)
        if int(headers.get(b"content-length", 0)) > most:
            raise TOO_LARGE
        body = self._spool(limits.BODY_IN_MEMORY_BYTES)
        try:
            async with asyncio.timeout(limits.BODY_SECONDS):
                async for piece in pieces_of(receive):
                    body.write(piece)
                    if body.tell() > most:
                        raise TOO_LARGE
        except BaseException as problem:
            body.close()
            if isinstance(problem, TimeoutError):
                raise TOO_SLOW from None
            raise
        return body

    def _ask_django(self, environ: dict[str, Any]) -> Answer:
        """On a thread: the answer, whole unless it is to be composed."""
        status, headers = "", []

        def start_response(given: str, fields: list[tuple[str, str]], _: Any = None) -> None:
            nonlocal status, headers
            status, headers = given, fields

        response = self._django(environ, start_response)
        answer = Answer(int(status[:3]), headers)
        if isinstance(response, FileResponse) and response.file_to_stream is not None:
            answer.content = response.file_to_stream  # sent from where it is
        elif response.streaming:
            answer.composed = response  # by another thread
        else:
            answer.content = response.content
            response.close()
        return answer

    def _export(self, environ: dict[str, Any]) -> Answer:
        """On a thread: what the request exports, composed."""
        answer = self._ask_django(environ)
        if answer.composed is not None:
            self._compose(answer)
        return answer

    def _compose(self, answer: Answer) -> None:
        """On a thread: read a streamed answer to its end, or as long as somebody waits for it."""
        spool, courtesy = self._spool(limits.ANSWER_IN_MEMORY_BYTES), Courtesy()
        try:
            for piece in answer.composed:
                spool.write(piece)
                courtesy.give_way()
        except GivenUp:
            spool.close()
            raise
        except Exception:
            spool.close()
            log.exception("answer_not_composed")
            raise BROKEN from None
        finally:
            answer.composed.close()
        # What stands there is of a file whose content a middleware replaced.
        answer.headers = [(name, value) for name, value in answer.headers if name.lower() != "content-length"]
        answer.headers.append(("Content-Length", str(spool.tell())))
        spool.seek(0)
        answer.content, answer.composed = spool, None

    def _spool(self, in_memory: int) -> IO[bytes]:
        return tempfile.SpooledTemporaryFile(in_memory, dir=str(self._spool_folder))


def is_export(path: str) -> bool:
    """Whether its answer is composed row by row, however many there are."""
    return limits.EXPORTS.fullmatch(path) is not None and not limits.REPORTS.fullmatch(path)


def is_report(path: str, query: str) -> bool:
    """Whether its answer is made of all that a run did, however large that is."""
    return bool(
        limits.REPORTS.fullmatch(path)
        or (limits.VERIFY.fullmatch(path) and "verify" in parse_qs(query, keep_blank_values=True))
    )


def _of_a_probe(scope: Scope, status: int, said: dict[str, Any]) -> Answer:
    headers = [
        ("Content-Type", "application/json"),
        ("Cache-Control", "no-store"),
        ("X-Request-ID", request_id_of(scope)),
    ]
    return Answer(status, headers, json.dumps(said).encode())


def environ_of(scope: Scope, body: IO[bytes]) -> dict[str, Any]:
    """The request as WSGI has it, with a body that is whole. A WebSocket's is that of its handshake."""
    length = body.tell()
    body.seek(0)
    host, port = scope["server"] or ("", 0)
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope.get("method", "GET"),
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "REMOTE_ADDR": scope["client"][0] if scope["client"] else "",
        "CONTENT_LENGTH": str(length),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        SINCE: time.perf_counter(),
    }
    for name, value in scope["headers"]:
        # An underscore would pass for a hyphen: X_Forwarded_For for what only a proxy may say.
        if name in HOP_BY_HOP or name == b"content-length" or b"_" in name:
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key == "CONTENT_TYPE" else f"HTTP_{key}"
        text = value.decode("latin-1")
        if key in environ:
            text = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}"
        environ[key] = text
    environ["HTTP_X_REQUEST_ID"] = request_id_of(scope)
    return environ


async def pieces_of(receive: Receive) -> Any:
    """The body as it arrives. Raises ClientGone."""
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def unless_gone(asking: Coroutine[Any, Any, Answer], receive: Receive) -> Answer:
    """The answer; the body has been read. Raises ClientGone as soon as nobody is there, and what asks is cancelled."""
    asked, gone = asyncio.ensure_future(asking), asyncio.ensure_future(receive())
    try:
        await asyncio.wait({asked, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not asked.done():
            raise ClientGone
        return asked.result()
    finally:
        asked.cancel()
        gone.cancel()


async def refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the refusal, and end the connection: what comes after it on the wire is not read."""
    await hold(refusal, scope, receive)
    metrics.REFUSED.labels(refusal.code).inc()
    path, method = quote(scope["path"])[:LONGEST_PATH], scope["method"]
    say(
        "request_refused",
        method=method,
        path=path,
        status=refusal.status,
        code=refusal.code,
        request_id=request_id_of(scope),
    )
    headers, content = answer_to(scope, refusal)
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": content, "more_body": True})
    with contextlib.suppress(TimeoutError, ClientGone):
        async with asyncio.timeout(limits.LINGER_SECONDS):
            dropped = 0
            async for piece in pieces_of(receive):
                dropped += len(piece)
                if dropped > limits.LINGER_BYTES:
                    await asyncio.sleep(
                        limits.LINGER_SECONDS
                    )  # what nobody asks for is not read from the socket either
    await send({"type": "http.response.body", "body": b""})


async def send_whole(answer: Answer, scope: Scope, receive: Receive, send: Send) -> None:
    """Send it as fast as it is read. `send` waits for the reader, and the connection ends where he does not read."""
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    length = answer.length()
    if (
        length is not None
        and answer.status not in BODILESS
        and not any(n.lower() == b"content-length" for n, _ in headers)
    ):
        headers.append((b"content-length", str(length).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if isinstance(answer.content, bytes) and len(answer.content) <= limits.PIECE_BYTES:
        await send({"type": "http.response.body", "body": answer.content})
        return
    gone = asyncio.ensure_future(receive())  # the body was read, so the next message says that nobody is there any more
    try:
        if scope["method"] != "HEAD":
            for piece in _pieces(answer.content):
                if gone.done():
                    return
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await asyncio.sleep(0)  # others have their turn also where this reader keeps up
        await send({"type": "http.response.body", "body": b""})
    finally:
        gone.cancel()
        if not isinstance(answer.content, bytes):
            answer.content.close()


def _pieces(content: bytes | IO[bytes]) -> Iterator[bytes]:
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    while piece := file.read(limits.PIECE_BYTES):
        yield piece
