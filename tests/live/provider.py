"""A provider on this machine: Alpaca, Massive, CuteMarkets and Tradier by their addresses, on one real port, with faults on demand.

That it speaks as they do is shown by their own client libraries (test_client_libraries.py); what it knows of each is in the words of
their documentation. It is asynchronous, and lives on the loop of a test, or with `in_a_thread` beside a whole server.
"""

import asyncio
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgpack
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

KEY, SECRET = "key-of-the-tests", "secret-of-the-tests"
LOOK_SECONDS = 0.25  # for what is waited for and not signalled
Answer = tuple[int, Mapping[str, str], bytes]


@dataclass(frozen=True)
class Quoted:
    """A quote as everybody writes it in his own way. `symbol` is ours; prices are floats, as on the wire."""

    symbol: str
    bid: float | None = 100.0
    ask: float | None = 100.1
    bid_size: int = 200
    ask_size: int = 300
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def nanoseconds(self) -> int:
        return int(self.at.timestamp()) * 10**9 + self.at.microsecond * 1000

    @property
    def occ(self) -> str:
        return self.symbol.removeprefix("O:")

    def alpaca(self, *, packed: bool) -> dict[str, Any]:
        at = (
            msgpack.Timestamp.from_unix_nano(self.nanoseconds) if packed else self.at.isoformat().replace("+00:00", "Z")
        )
        sides = {
            "bx": "V",
            "bp": self.bid or 0,
            "bs": self.bid_size,
            "ax": "V",
            "ap": self.ask or 0,
            "as": self.ask_size,
        }
        rest = {"c": "A"} if self.symbol.startswith("O:") else {"c": ["R"], "z": "C"}
        return {**sides, **rest, "t": at}

    def massive(self, number: int) -> dict[str, Any]:
        sides = {"bx": 4, "bp": self.bid or 0, "bs": self.bid_size, "ax": 7, "ap": self.ask or 0, "as": self.ask_size}
        return {"ev": "Q", "sym": self.symbol, **sides, "t": self.nanoseconds // 10**6, "q": number}

    def snapshot(self) -> dict[str, Any]:
        return {
            "bid": self.bid or 0,
            "ask": self.ask or 0,
            "bid_size": self.bid_size,
            "ask_size": self.ask_size,
            "last_updated": self.nanoseconds,
            "timeframe": "REAL-TIME",
        }

    def tradier(self) -> dict[str, Any]:
        name = self.occ if self.symbol.startswith("O:") else self.symbol.replace(".", "/")
        at = self.nanoseconds // 10**6
        return {
            "symbol": name,
            "bid": self.bid or 0,
            "ask": self.ask or 0,
            "bidsize": self.bid_size,
            "asksize": self.ask_size,
            "bid_date": at,
            "ask_date": at,
        }


class Peer:
    """One connection to the stream, from the provider's side."""

    def __init__(self, fake: "FakeProvider", socket: ServerConnection, path: str) -> None:
        self.fake, self.socket, self.path = fake, socket, path
        self.packed = "msgpack" in socket.request.headers.get("Content-Type", "")
        self.is_alpaca = path.startswith(("/v2/", "/v1beta1/"))
        self.subscribed: list[str] = []
        self.frames: list[Any] = []  # what the client has sent
        self.sent = Counter[str]()

    async def send(self, *messages: Mapping[str, Any]) -> None:
        await self.socket.send(msgpack.packb(list(messages)) if self.packed else json.dumps(messages))

    async def receive(self) -> dict[str, Any]:
        frame = await self.socket.recv()
        message = msgpack.unpackb(frame) if self.packed else json.loads(frame)
        self.frames.append(message)
        return message

    async def quote(self, *quotes: Quoted) -> None:
        """Those of the quotes that the client has subscribed to, in one frame."""
        wanted = [quote for quote in quotes if quote.symbol in self.subscribed]
        if not wanted:
            return
        messages = []
        for quote in wanted:
            self.sent[quote.symbol] += 1
            if self.is_alpaca:
                messages.append({"T": "q", "S": quote.occ, **quote.alpaca(packed=self.packed)})
            else:
                messages.append(quote.massive(sum(self.sent.values())))
        await self.send(*messages)

    def cut(self, left: bytes = b"") -> None:
        """Break the connection, perhaps in the middle of a frame."""
        if left:
            self.socket.transport.write(left)
        self.socket.transport.abort()

    def stop_reading(self) -> None:
        """A peer that is gone without a word: its machine is off, or a firewall forgot the connection."""
        self.socket.transport.pause_reading()


class FakeProvider:
    """Set its fields to make it misbehave; they are read at each connection, frame or request."""

    def __init__(self, *, key: str = KEY, secret: str = SECRET) -> None:
        self.key, self.secret = key, secret
        self.feeds: set[str] | None = None  # of the plan; None = all
        self.symbol_limit: int | None = None
        self.seats = 1  # connections at once: one endpoint at Alpaca, one user elsewhere
        self.foreign_seats = 0  # taken by another process of the user
        self.unknown: set[str] = set()
        self.hello = True  # whether it says anything at all after the handshake
        self.greeting: list[dict[str, Any]] | None = None  # instead of the usual one, and then the end
        self.greet_with: Quoted | None = None  # sent to whoever subscribes to it
        self.latest: dict[str, Quoted] = {}
        self.contracts: list[str] = []
        self.rest: Callable[[str, Mapping[str, str]], Answer | None] = lambda path, params: None
        self.peers: list[Peer] = []
        self.all_peers: list[Peer] = []  # those that are gone, too
        self.most_peers = 0
        self.opened: list[str] = []
        self.refused: list[float] = []
        self.requests: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self._changed = asyncio.Event()
        self._server: Server | None = None

    # --- Life --------------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> "FakeProvider":
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self, port: int = 0) -> None:
        self._server = await serve(
            self._serve, "127.0.0.1", port, process_request=self._answer, ping_interval=None, compression=None
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close(close_connections=True)
            for peer in self.all_peers:
                peer.socket.transport.abort()
            await self._server.wait_closed()

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    # --- What a test does ----------------------------------------------------------------------------------------------------

    async def quote(self, *quotes: Quoted) -> None:
        """New quotes: to whoever has subscribed, and for REST from now on."""
        self.latest.update({quote.symbol: quote for quote in quotes})
        for peer in list(self.peers):
            try:
                await peer.quote(*quotes)
            except ConnectionClosed:
                continue

    async def peer(self, number: int = 0) -> Peer:
        """The connection, once there is one that has logged in and subscribed to something."""
        await self.until(lambda: len(self.peers) > number and bool(self.peers[number].subscribed))
        return self.peers[number]

    async def until(self, reached: Callable[[], bool], seconds: float = 300.0) -> None:
        """Wait until something has come about at the provider's side; in seconds of its loop."""
        async with asyncio.timeout(seconds):
            while not reached():
                self._changed.clear()
                try:
                    await asyncio.wait_for(self._changed.wait(), LOOK_SECONDS)
                except TimeoutError:
                    continue

    # --- The stream ----------------------------------------------------------------------------------------------------------

    async def _serve(self, socket: ServerConnection) -> None:
        path = urlsplit(socket.request.path).path
        self.opened.append(path)
        peer = Peer(self, socket, path)
        try:
            if self._seats_taken(path) >= self.seats:
                await self._refuse_seat(peer)
                return
            self.peers.append(peer)
            self.all_peers.append(peer)
            self.most_peers = max(self.most_peers, len(self.peers))
            await (self._alpaca(peer) if peer.is_alpaca else self._massive(peer))
        except ConnectionClosed:
            return
        finally:
            if peer in self.peers:
                self.peers.remove(peer)
            self._changed.set()

    def _seats_taken(self, path: str) -> int:
        same = [peer for peer in self.peers if not peer.is_alpaca or peer.path == path]
        return self.foreign_seats + len(same)

    async def _refuse_seat(self, peer: Peer) -> None:
        if peer.is_alpaca:
            await peer.send({"T": "error", "code": 406, "msg": "connection limit exceeded"})
        elif peer.path.startswith("/v1/ws/"):
            await peer.socket.close(4409, "connection already open")
        else:
            await peer.send(
                {
                    "ev": "status",
                    "status": "max_connections",
                    "message": "Maximum number of websocket connections exceeded.",
                }
            )

    async def _alpaca(self, peer: Peer) -> None:
        feed = peer.path.rsplit("/", 1)[-1]
        if not self.hello:
            await peer.socket.wait_closed()
        if self.greeting is not None:
            await peer.send(*self.greeting)
            return
        await peer.send({"T": "success", "msg": "connected"})
        login = await peer.receive()
        if (login.get("key"), login.get("secret")) != (self.key, self.secret):
            await self._end(peer, 402, "auth failed")
        elif self.feeds is not None and feed not in self.feeds:
            await self._end(peer, 409, "insufficient subscription")
        elif feed in ("opra", "indicative") and not peer.packed:
            await self._end(peer, 412, "option messages are only available in MsgPack format")
        else:
            await peer.send({"T": "success", "msg": "authenticated"})
            while True:
                await self._alpaca_order(peer, await peer.receive())

    async def _end(self, peer: Peer, code: int, words: str) -> None:
        self.refused.append(asyncio.get_running_loop().time())
        await peer.send({"T": "error", "code": code, "msg": words})

    async def _alpaca_order(self, peer: Peer, message: Mapping[str, Any]) -> None:
        prefix = "O:" if peer.path.startswith("/v1beta1/") else ""
        names = [prefix + name for name in message.get("quotes", [])]
        if message["action"] == "unsubscribe":
            peer.subscribed = [name for name in peer.subscribed if name not in names]
        else:
            wanted = list(dict.fromkeys([*peer.subscribed, *names]))
            if self.unknown.intersection(names):
                await peer.send({"T": "error", "code": 400, "msg": "invalid syntax"})
                return
            if self.symbol_limit is not None and len(wanted) > self.symbol_limit:
                await peer.send({"T": "error", "code": 405, "msg": "symbol limit exceeded"})
                return
            peer.subscribed = wanted
        self._changed.set()
        quotes = [name.removeprefix("O:") for name in peer.subscribed]
        await peer.send({"T": "subscription", "trades": [], "quotes": quotes, "bars": []})
        if self.greet_with is not None:
            await peer.quote(self.greet_with)

    async def _massive(self, peer: Peer) -> None:
        logs_in = not peer.path.startswith("/v1/ws/")
        if logs_in:
            await peer.send({"ev": "status", "status": "connected", "message": "Connected Successfully"})
            login = await peer.receive()
            if login.get("params") != self.key:
                self.refused.append(asyncio.get_running_loop().time())
                await peer.send({"ev": "status", "status": "auth_failed", "message": "authentication failed"})
                return
            await peer.send({"ev": "status", "status": "auth_success", "message": "authenticated"})
        while True:
            message = await peer.receive()
            channels = message["params"].split(",")
            names = [channel.split(".", 1)[1] for channel in channels]
            if message["action"] == "unsubscribe":
                peer.subscribed = [name for name in peer.subscribed if name not in names]
                continue
            if self.feeds is not None and peer.path.strip("/").split("/")[-1] not in self.feeds:
                await peer.send(*({"ev": "status", "status": "error", "message": "not authorized"} for _ in names))
                continue
            peer.subscribed = list(dict.fromkeys([*peer.subscribed, *names]))
            self._changed.set()
            await peer.send(
                *({"ev": "status", "status": "success", "message": f"subscribed to: {name}"} for name in channels)
            )

    # --- REST ----------------------------------------------------------------------------------------------------------------

    async def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        parts = urlsplit(request.path)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            if parts.path.startswith("/v1/ws/") and not self._is_let_in(request.headers):
                return _response(*_json(401, {"error": {"code": "unauthorized", "message": "invalid API key"}}))
            return None
        params = dict(parse_qsl(parts.query))
        self.requests.append((parts.path, params, dict(request.headers)))
        self._changed.set()
        answer = self.rest(parts.path, params)
        if answer is None and not self._is_let_in(request.headers):
            answer = _json(401, {"message": "unauthorized", "error": "unauthorized"})
        return _response(*(answer or self._latest(parts.path, params)))

    def _is_let_in(self, headers: Headers) -> bool:
        if "APCA-API-KEY-ID" in headers:
            return (headers["APCA-API-KEY-ID"], headers.get("APCA-API-SECRET-KEY")) == (self.key, self.secret)
        return headers.get("Authorization") == f"Bearer {self.key}"

    def _latest(self, path: str, params: Mapping[str, str]) -> Answer:
        pieces = path.strip("/").split("/")
        if path.endswith("/quotes/latest"):
            prefix = "O:" if "options" in path else ""
            return self._alpaca_latest([prefix + name for name in params["symbols"].split(",")])
        if path.startswith("/v1beta1/options/snapshots/"):
            snapshots = {name[2:]: self._alpaca_snapshot(name) for name in self._listed(pieces[-1])}
            return _json(200, {"snapshots": snapshots, "next_page_token": None})
        if path.startswith("/v2/last/nbbo/"):
            return self._last(pieces[-1])
        if path.startswith("/v3/snapshot/options/"):
            return self._chain(path, params)
        if path == "/v3/snapshot":
            return _json(
                200,
                {
                    "status": "OK",
                    "request_id": "r",
                    "results": [self._snapshot(name) for name in params["ticker.any_of"].split(",")],
                },
            )
        if path.startswith("/v1/options/chain/"):
            return self._chain(path, params)
        if path.endswith("/last/"):
            return self._last(pieces[-2])
        if path.endswith("/markets/quotes"):
            return self._tradier(params["symbols"].split(","))
        if path.endswith("/markets/options/expirations"):
            days = sorted({_expiry(name) for name in self._listed(params["symbol"].replace("/", "."))})
            return _json(200, {"expirations": {"date": days} if days else None})
        if path.endswith("/markets/options/chains"):
            listed = [
                name
                for name in self._listed(params["symbol"].replace("/", "."))
                if _expiry(name) == params["expiration"]
            ]
            found = [(self.latest.get(name) or Quoted(name, None, None)).tradier() for name in listed]
            return _json(200, {"options": {"option": found[0] if len(found) == 1 else found} if found else None})
        return _json(404, {"message": "not found"})

    def _alpaca_latest(self, names: list[str]) -> Answer:
        if len(self.unknown.intersection(names)):
            return _json(400, {"message": f"invalid symbol: {sorted(self.unknown.intersection(names))[0]}"})
        quotes = {
            name.removeprefix("O:"): self.latest[name].alpaca(packed=False) for name in names if name in self.latest
        }
        return _json(200, {"quotes": quotes})

    def _alpaca_snapshot(self, name: str) -> dict[str, Any]:
        return {"latestQuote": self.latest[name].alpaca(packed=False)} if name in self.latest else {}

    def _snapshot(self, name: str) -> dict[str, Any]:
        if name in self.unknown:
            return {"ticker": name, "error": "NOT_FOUND", "message": "Ticker not found."}
        quote = self.latest.get(name)
        return {"ticker": name, "type": "stocks"} | ({"last_quote": quote.snapshot()} if quote else {})

    def _last(self, name: str) -> Answer:
        if name in self.unknown or name not in self.latest:
            return _json(404, {"error": {"code": "not_found", "message": "no such ticker"}})
        quote = self.latest[name]
        result = {
            "T": name,
            "p": quote.bid or 0,
            "P": quote.ask or 0,
            "s": quote.bid_size,
            "S": quote.ask_size,
            "t": quote.nanoseconds,
            "q": 1,
        }
        return _json(200, {"status": "OK", "request_id": "r", "results": result})

    def _chain(self, path: str, params: Mapping[str, str]) -> Answer:
        """Pages of two contracts."""
        listed, start = self._listed(path.strip("/").split("/")[-1]), int(params.get("cursor", 0))
        results = [
            {
                "details": {"ticker": name},
                **({"last_quote": self.latest[name].snapshot()} if name in self.latest else {}),
            }
            for name in listed[start : start + 2]
        ]
        more = {"next_url": f"{self.http_url}{path}?cursor={start + 2}"} if start + 2 < len(listed) else {}
        return _json(200, {"status": "OK", "request_id": "r", "results": results, **more})

    def _tradier(self, names: list[str]) -> Answer:
        ours = [f"O:{name}" if len(name) > 8 else name.replace("/", ".") for name in names]
        found = [self.latest[name].tradier() for name in ours if name in self.latest]
        missing = [name for name in ours if name in self.unknown]
        answer: dict[str, Any] = {"quote": found[0] if len(found) == 1 else found} if found else {}
        if missing:
            answer["unmatched_symbols"] = {"symbol": missing[0] if len(missing) == 1 else missing}
        return _json(200, {"quotes": answer or None})

    def _listed(self, underlying: str) -> list[str]:
        return [name for name in self.contracts if name[2:].startswith(underlying)]


def _expiry(contract: str) -> str:
    day = contract[-15:-9]
    return f"20{day[:2]}-{day[2:4]}-{day[4:]}"


def _json(status: int, body: Any, **headers: str) -> Answer:
    return status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode()


def _response(status: int, headers: Mapping[str, str], body: bytes) -> Response:
    fields = Headers(**{"Connection": "close", "Content-Length": str(len(body))})
    for name, value in headers.items():
        fields[name] = value
    return Response(status, HTTPStatus(status).phrase, fields, body)


class ThreadedProvider:
    """The same from outside its loop, for tests of whole processes and of blocking clients."""

    def __init__(self, fake: FakeProvider, loop: asyncio.AbstractEventLoop) -> None:
        self.fake, self._loop = fake, loop

    def do(self, step: Callable[[], Any], seconds: float = 120.0) -> Any:
        """Call a coroutine function on the provider's loop and wait for it."""
        return asyncio.run_coroutine_threadsafe(step(), self._loop).result(seconds)

    def quote(self, *quotes: Quoted) -> None:
        self.do(lambda: self.fake.quote(*quotes))


@contextmanager
def in_a_thread(fake: FakeProvider | None = None, port: int = 0) -> Iterator[ThreadedProvider]:
    """A provider on a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    running = ThreadedProvider(fake or FakeProvider(), loop)
    running.do(lambda: running.fake.open(port))
    try:
        yield running
    finally:
        running.do(running.fake.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
