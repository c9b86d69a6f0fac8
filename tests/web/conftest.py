"""The web server's own part in a thread: real connections, an application of the test's instead of Django."""

import asyncio
import io
import itertools
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse

from papertrade.web import limits, worker
from papertrade.web.bridge import Bridge, Receive, Send
from papertrade.web.connections import IDENTIFIED
from papertrade.web.refusals import REFUSED

THREADS = 2
LARGE = 8_000_000  # more than the buffers of two sockets hold


class Front:
    """A server on a port of its own, and what reached its application."""

    def __init__(self, spool_folder: Path) -> None:
        self.seen: list[dict[str, Any]] = []
        self.release = threading.Event()  # what waits in the application goes on
        self.spool_folder = spool_folder
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.not_ready: Callable[[], list[str]] = list
        self.bridge = Bridge(
            self._django, threads=THREADS, spool_folder=spool_folder, not_ready=lambda: self.not_ready()
        )
        config = worker.config(self._application, lifespan="off", timeout_graceful_shutdown=0)
        self.server = uvicorn.Server(config)
        self.loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    async def _application(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            if scope["path"] == "/never":  # an application that does not mind what comes
                await asyncio.Future()
            if scope["path"] == "/turned-down":  # and never told so
                scope[REFUSED]()
                await asyncio.Future()
            await self.bridge(scope, receive, send)
            return
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            match message.get("text"):
                case "it is me":
                    await send(IDENTIFIED)
                case "let me go":
                    await send({"type": "websocket.close", "code": 1008})
                case "tell me":
                    while True:
                        await send({"type": "websocket.send", "text": "x" * 10_000})
                        await asyncio.sleep(0)

    def _serve(self) -> None:
        self.server.run([self.listening])

    def _django(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> HttpResponse:
        """Answers as Django's handler would."""
        body = environ["wsgi.input"].read()
        self.seen.append({**environ, "body": body})
        response = self._view(environ, body)
        start_response(f"{response.status_code} OK", list(response.items()))
        return response

    def _view(self, environ: dict[str, Any], body: bytes) -> HttpResponse:
        match environ["PATH_INFO"]:
            case "/wait" | "/compare/" | "/accounts/1/waits.csv":
                self.release.wait(60)
            case "/large":
                return HttpResponse(b"x" * LARGE)
            case "/composed":
                return StreamingHttpResponse(b"x" * 10_000 for _ in range(LARGE // 10_000))
            case "/accounts/1/endless.csv":
                return StreamingHttpResponse(itertools.repeat(b"x,y\n"))
            case "/broken":
                return StreamingHttpResponse(self._broken())
            case "/file":
                return FileResponse(Path(__file__).open("rb"))
            case "/file-in-capitals":
                shouted = FileResponse(io.BytesIO(b"a file"))
                shouted.streaming_content = (piece.upper() for piece in [b"x" * 70_000, b" and the end"])
                return shouted
            case "/not-modified":
                return HttpResponse(status=304)
        return JsonResponse({"method": environ["REQUEST_METHOD"], "body": body.decode("latin-1")})

    @staticmethod
    def _broken() -> Iterator[bytes]:
        yield b"the first line\n"
        raise ValueError("the database went away")

    def connect(self, text: bytes = b"") -> socket.socket:
        """A connection that has sent the text."""
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.sendall(text)
        return connection

    def stop(self) -> None:
        """End it and what it still answers."""
        self.release.set()
        self.server.should_exit = True
        self._thread.join(60)
        self.bridge.close()


@pytest.fixture
def front(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:
    """A server whose patience is short."""
    for name, seconds in (
        ("HEAD_SECONDS", 0.4),
        ("BODY_SECONDS", 0.4),
        ("WRITE_SECONDS", 0.4),
        ("IDLE_SECONDS", 0.8),
        ("LINGER_SECONDS", 0.2),
        ("HOLD_SECONDS", 0.2),
        ("IDENTIFY_SECONDS", 0.4),
        ("LOOK_SECONDS", 0.05),
    ):
        monkeypatch.setattr(limits, name, seconds)
    running = Front(tmp_path)
    yield running
    running.stop()


@pytest.fixture(autouse=True)
def _with_a_loop_of_its_own(outside_of_any_loop: None) -> None:
    """These run loops."""
