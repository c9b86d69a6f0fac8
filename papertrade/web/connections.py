"""A client's connection with a deadline in every state, so that nobody holds one, or a thread, by being slow.

uvicorn speaks HTTP; what it leaves open is added here: an end to headers that trickle in or never come, to readers who do
not read, to heads without bound, and a place for the next client where all are taken.
"""

import asyncio
import socket
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from papertrade.lib import metrics
from papertrade.web import limits

HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: text/plain\r\n"
    b"content-length: 23\r\n\r\nThe head is too large.\n"
)


class Connection(HttpToolsProtocol):
    """One connection over HTTP/1.1.

    It is *waiting* from its beginning, and from the end of each answer, until the head of a request is whole. While it
    waits it can be closed without loss.
    """

    most: ClassVar[int] = 1_000
    _watch: ClassVar["Watch | None"] = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.waiting_since: float | None = None
        self.head_bytes = 0
        self.stalled_since: float | None = None

    # --- what happens to it ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.waiting_since = self.loop.time()
        # asyncio does this for sockets that it made itself; headers and body are two writes, and Nagle would part them.
        plain = transport.get_extra_info("socket")
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.SEND_BUFFER_BYTES)
        Watch.of(self.loop).admit(self)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        Watch.of(self.loop).connections.discard(self)

    def data_received(self, data: bytes) -> None:
        if self.waiting_since is not None:
            if not self.head_bytes:
                self.waiting_since = self.loop.time()
            self.head_bytes += len(data)
        super().data_received(data)
        if (
            self.waiting_since is not None
            and self.head_bytes > limits.MAX_HEAD_BYTES
            and not self.transport.is_closing()
        ):
            self.transport.write(HEAD_TOO_LARGE)
            self.cut_off("head_too_large")

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self.waiting_since, self.head_bytes = None, 0

    def on_response_complete(self) -> None:
        self.waiting_since = self.loop.time()
        super().on_response_complete()
        if self.pipeline:
            self.waiting_since = None

    def handle_websocket_upgrade(self) -> None:
        """Another protocol takes over, with deadlines of its own; its connections have places of their own."""
        watch = Watch.of(self.loop)
        watch.connections.discard(self)
        if len(watch.sockets) >= self.most:
            self.cut_off("no_place_left")
            return
        watch.sockets.add(self.transport)
        super().handle_websocket_upgrade()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.stalled_since = self.loop.time()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.stalled_since = None

    # --- what is done about it ------------------------------------------------------------------------------------------

    def overdue(self, now: float) -> str:
        """Why it has had its time; empty while it has not."""
        if self.stalled_since is not None and now - self.stalled_since > limits.WRITE_SECONDS:
            return "reader_too_slow"
        if self.waiting_since is not None:
            answered = self.cycle is not None and not self.head_bytes
            patience = limits.IDLE_SECONDS if answered else limits.HEAD_SECONDS
            if self.transport.is_closing() or self.transport.get_write_buffer_size():
                patience = limits.WRITE_SECONDS  # what is left of an answer is still on its way
            if now - self.waiting_since > patience:
                return "idle" if answered else "head_too_slow"
        return ""

    def cut_off(self, why: str) -> None:
        """End it at once, whatever is still to be sent."""
        metrics.CUT_OFF.labels(why).inc()
        self.transport.abort()


class Watch:
    """Looks after the connections of a process."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.connections: set[Connection] = set()
        self.sockets: set[asyncio.Transport] = set()  # that have become WebSockets
        loop.call_later(limits.LOOK_SECONDS, self._look)

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> "Watch":
        """The watch of this process's loop."""
        if Connection._watch is None or Connection._watch.loop is not loop:
            Connection._watch = cls(loop)
        return Connection._watch

    def admit(self, connection: Connection) -> None:
        """Take it in. Where all places are taken the one that has waited longest makes room: a client who works never does."""
        self.connections.add(connection)
        if len(self.connections) > connection.most:
            waiting = [one for one in self.connections if one.waiting_since is not None]
            min(waiting, key=lambda one: one.waiting_since or 0.0).cut_off("no_place_left")

    def _look(self) -> None:
        now = self.loop.time()
        for connection in tuple(self.connections):
            if why := connection.overdue(now):
                connection.cut_off(why)
        self.sockets = {one for one in self.sockets if not one.is_closing()}
        self.loop.call_later(limits.LOOK_SECONDS, self._look)
