"""A client's connection with a deadline in every state, so that nobody holds one, or a thread, by being slow.

uvicorn speaks HTTP and WebSocket; what it leaves open is added here: an end to what trickles in or never comes, to readers who
do not read, to heads and messages without bound, and a place for the next client where all are taken (`papertrade.web.places`).
"""

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from papertrade.lib import metrics
from papertrade.web import limits
from papertrade.web.places import Places, State, Watch, Watched
from papertrade.web.refusals import REFUSED


def _refusal(status: str, words: str) -> bytes:
    """An answer of this server's own; nothing comes after it."""
    head = f"HTTP/1.1 {status}\r\nconnection: close\r\ncontent-type: text/plain\r\ncontent-length: {len(words)}\r\n\r\n"
    return (head + words).encode()


REFUSALS = {
    "head_too_large": _refusal("431 Request Header Fields Too Large", "The head is too large.\n"),
    # httptools does not read that body; what comes would pass for the next request, behind a proxy for another client's.
    "upgrade_with_body": _refusal(
        "400 Bad Request", "A request with a body cannot ask for another protocol (Upgrade).\n"
    ),
}
BAD_HANDSHAKE = _refusal("400 Bad Request", "The handshake cannot be read.\n")
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
        self.dropped_bytes = 0
        self.is_refused = False  # what is worked on is no request any more, but its refusal

    def places(self) -> Places:
        return Watch.of(self.loop).requests

    def waits_for_client(self) -> tuple[State, float]:
        if self.is_refused:
            return State.REFUSED, self.since
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
        if self.ending_since is not None:
            self.drop(len(data))
            return
        if self.is_in_head:
            if not self.head_bytes:
                self.since = self.loop.time()
            self.head_bytes += len(data)
        super().data_received(data)
        is_over = self.ending_since is not None or self.transport.is_closing()
        if self.is_in_head and self.head_bytes > limits.MAX_HEAD_BYTES and not is_over:
            self.refuse("head_too_large")

    def refuse(self, why: str) -> None:
        """Answer, and stay a while: a client, or a proxy, that is still sending would not see the answer otherwise.

        A proxy takes a host that ends a connection without an answer for a dead one.
        """
        self.ending_since = self.loop.time()
        if self.cycle is not None and not self.cycle.response_complete:  # an earlier request has no answer yet
            self.cut_off(why)
            return
        metrics.CUT_OFF.labels(why).inc()
        self.transport.write(REFUSALS[why])
        self.transport.write_eof()
        self.loop.call_later(limits.LINGER_SECONDS, self.transport.abort)

    def drop(self, count: int) -> None:
        """What still comes after a refusal; what is more than a little is not read from the socket either."""
        self.dropped_bytes += count
        if self.dropped_bytes > limits.LINGER_BYTES:
            self.transport.pause_reading()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[REFUSED] = self.be_refused  # type: ignore[literal-required]

    def be_refused(self) -> None:
        """The request that is worked on has been turned down, and will be told so in its time."""
        self.since, self.is_refused = self.loop.time(), True

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade() and self.has_body():
            self.refuse("upgrade_with_body")
            return
        super().on_headers_complete()
        self.since, self.is_in_head, self.head_bytes = self.loop.time(), False, 0

    def has_body(self) -> bool:
        """Whether the head says so that was read last."""
        return any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in self.headers
        )

    def on_message_complete(self) -> None:
        if self.ending_since is not None:
            return
        super().on_message_complete()
        self.is_in_head = True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self.since, self.is_refused = self.loop.time(), False

    def handle_websocket_upgrade(self) -> None:
        """Another protocol takes over, with places of its own."""
        if self.ending_since is not None:
            return
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
        if self.conn.handshake_exc is not None and not self.transport.is_closing():
            # What websockets answers to a head that it does not read, if it does, uvicorn does not send.
            self.transport.write(b"".join(self.conn.data_to_send()) or BAD_HANDSHAKE)
            self.transport.close()
        elif len(self.frames) > limits.MAX_FRAGMENTS:
            self.cut_off("too_many_fragments")
        elif self.transport.get_write_buffer_size() > limits.MAX_UNREAD_BYTES:
            self.cut_off(State.UNREAD)

    async def send(self, message: Any) -> None:
        """What a stream sends; that its client is known is for this server. After its last word the client is nobody's."""
        if message == IDENTIFIED:
            self.is_identified = True
            return
        await super().send(message)
        if message["type"] == "websocket.close":  # uvicorn waits 10 s for the client's own
            self.ending_since = self.loop.time()
