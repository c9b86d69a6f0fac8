"""A client's connection with a deadline in every state, so that nobody holds one, or a thread, by being slow.

uvicorn speaks HTTP and WebSocket; what it leaves open is added here: an end to what trickles in or never comes, to readers who
do not read, to heads and messages without bound, and a place for the next client where all are taken (`papertrade.web.places`).
"""

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from papertrade.web import limits
from papertrade.web.places import Places, State, Watch, Watched

HEAD_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-type: text/plain\r\n"
    b"content-length: 23\r\n\r\nThe head is too large.\n"
)
NO_PLACE_LEFT = "no_place_left"
# What a stream sends once it knows who is at the other end of a WebSocket.
IDENTIFIED = {"type": "papertrade.identified"}


class Connection(Watched, HttpToolsProtocol):
    """One connection over HTTP/1.1."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.since = 0.0  # when it began to wait for its client, in whichever state
        self.is_in_head = True  # of this request or the next: what comes now belongs to no body
        self.head_bytes = 0

    def places(self) -> Places:
        return Watch.of(self.loop).requests

    def waits_for_client(self) -> tuple[State, float]:
        # Of several requests that came at once `cycle` is the last; the ones before it are answered first.
        if self.cycle is None or (self.cycle.response_complete and not self.pipeline):
            if self.transport.get_write_buffer_size():
                return State.UNREAD, self.since
            return (State.IDLE if self.cycle is not None and not self.head_bytes else State.HEAD), self.since
        return (State.BODY if self.cycle.more_body and not self.pipeline else State.ANSWER), self.since

    # --- what happens to it ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.since = self.loop.time()
        # asyncio does this for sockets that it made itself; headers and body are two writes, and Nagle would part them.
        plain = transport.get_extra_info("socket")
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, limits.SEND_BUFFER_BYTES)
        if self.places().make_room(self.most):
            self.places().taken.add(self)
        else:
            self.cut_off(NO_PLACE_LEFT)

    def data_received(self, data: bytes) -> None:
        if self.is_in_head:
            if not self.head_bytes:
                self.since = self.loop.time()
            self.head_bytes += len(data)
        super().data_received(data)
        if self.is_in_head and self.head_bytes > limits.MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(HEAD_TOO_LARGE)
            self.cut_off("head_too_large")

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self.since, self.is_in_head, self.head_bytes = self.loop.time(), False, 0

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self.is_in_head = True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.since = self.loop.time()

    def handle_websocket_upgrade(self) -> None:
        """Another protocol takes over, with places of its own."""
        self.places().taken.discard(self)
        if Watch.of(self.loop).sockets.make_room(self.most):
            super().handle_websocket_upgrade()
        else:
            self.cut_off(NO_PLACE_LEFT)


class SocketConnection(Watched, WebSocketsSansIOProtocol):
    """One connection over WebSocket; a stranger's until the stream that it speaks to knows better."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.since = self.loop.time()
        self.is_identified = False

    def places(self) -> Places:
        return Watch.of(self.loop).sockets

    def waits_for_client(self) -> tuple[State, float]:
        return (State.STREAM if self.is_identified else State.STRANGER), self.since

    # --- what happens to it ---------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.places().taken.add(self)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if len(self.frames) > limits.MAX_FRAGMENTS:
            self.cut_off("too_many_fragments")
        elif self.transport.get_write_buffer_size() > limits.MAX_UNREAD_BYTES:
            self.cut_off(State.UNREAD)

    async def send(self, message: Any) -> None:
        """What a stream sends; that its client is known is for this server."""
        if message == IDENTIFIED:
            self.is_identified = True
        else:
            await super().send(message)
