"""Alpaca's trade updates: the WebSocket at `/stream`, and server-sent events at `/v2/events/trades` for its Go client.

A client of the socket gets what happens from its `listen` on; one of the events may go on after an id that it knows.
"""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

from django.core.handlers.wsgi import WSGIRequest
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from accounts.services import check_key
from papertrade.api.alpaca.authentication import HOW, Credentials, PairAuthentication, identify
from papertrade.api.alpaca.errors import refusal_of_error
from papertrade.lib.errors import PapertradeError
from papertrade.stream.alpaca_orders import event_id, trade_updates
from papertrade.stream.following import NoLongerAllowed, follow
from papertrade.stream.identity import Seat
from papertrade.stream.moves import ask, last_events
from papertrade.stream.sockets import POLICY, Gone, Malformed, Socket, TooSlow
from papertrade.stream.sse import Message, send_messages
from papertrade.web.bridge import Receive, Scope, Send, environ_of

SOCKET_PATHS = ("/stream", "/stream/")
EVENTS_PATH = "/v2/events/trades"
TRADE_UPDATES = "trade_updates"
AUTHENTICATION_SECONDS = 10.0


def takes_socket(scope: Scope) -> bool:
    """Whether it is the trading WebSocket."""
    return scope["type"] == "websocket" and scope["path"] in SOCKET_PATHS


def takes_events(scope: Scope) -> bool:
    """Whether it is the stream of events of trades."""
    return scope["type"] == "http" and scope["method"] == "GET" and scope["path"].rstrip("/") == EVENTS_PATH


async def socket(scope: Scope, receive: Receive, send: Send) -> None:
    """One connection. The first message of the server is the answer to the client's first."""
    connection = Socket(scope, receive, send)
    await connection.accept()
    with contextlib.suppress(Gone):
        try:
            credentials = await _authenticated(connection)
            if credentials is None:
                return
            with Seat(credentials.key.user):
                await _Listener(connection, credentials).run()
        except Malformed:
            await _fail(connection, "invalid syntax")
        except TooSlow:
            await connection.close(POLICY, "slow client")
        except NoLongerAllowed:
            await _fail(connection, "the key was revoked")
        except PapertradeError as refusal:
            await _fail(connection, refusal.message)


async def _authenticated(connection: Socket) -> Credentials | None:
    """Who it is, once it has said so."""
    while True:
        try:
            async with asyncio.timeout(AUTHENTICATION_SECONDS):
                message = await connection.read()
        except TimeoutError:
            await _fail(connection, "auth timeout")
            return None
        action = str(message.get("action", ""))
        if action not in ("authenticate", "auth"):
            await connection.write(_authorization("unauthorized", action))
            continue
        try:
            credentials = await ask(_identified, *_pair(message))
        except (APIException, PapertradeError):
            await connection.write(_authorization("unauthorized", "authenticate"))
            await connection.close(POLICY, "unauthorized")
            return None
        await connection.write(_authorization("authorized", "authenticate"))
        return credentials


def _pair(message: dict[str, Any]) -> tuple[str, str]:
    """Key id and secret, in either of the two spellings; an OAuth token has no key id."""
    data = message.get("data")
    given = data if isinstance(data, dict) else message
    if given.get("oauth_token"):
        return "", str(given["oauth_token"])
    return str(given.get("key_id") or given.get("key") or "?"), str(
        given.get("secret_key") or given.get("secret") or "?"
    )


def _identified(account_id: str, token: str) -> Credentials:
    credentials = identify(account_id, token)
    assert credentials.key.user  # read here, where the database may be asked
    return credentials


def _authorization(status: str, action: str) -> dict[str, Any]:
    return {"stream": "authorization", "data": {"status": status, "action": action or "listen"}}


async def _fail(connection: Socket, message: str) -> None:
    await connection.write({"action": "error", "data": {"error_message": message}})
    await connection.close(POLICY, message)


class _Listener:
    """What an identified client does: it says which streams it wants, and gets their updates meanwhile."""

    def __init__(self, connection: Socket, credentials: Credentials) -> None:
        self.connection, self.credentials = connection, credentials
        self._sending: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until the client goes, or may stay no longer."""
        try:
            while True:
                reading = asyncio.ensure_future(self.connection.read())
                waiting = {reading, *([self._sending] if self._sending else [])}
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                if self._sending is not None and self._sending.done():
                    reading.cancel()
                    self._sending.result()
                    return
                await self._obey(await reading)
        finally:
            self._stop()

    async def _obey(self, message: dict[str, Any]) -> None:
        if message.get("action") in ("authenticate", "auth"):
            await self.connection.write(_authorization("authorized", "authenticate"))
            return
        data = message.get("data")
        named = data.get("streams") if isinstance(data, dict) else None
        if message.get("action") != "listen" or not isinstance(named, list):
            await self.connection.write({"action": "error", "data": {"error_message": "invalid action"}})
            return
        wanted = [name for name in (TRADE_UPDATES,) if name in named]
        account = self.credentials.account
        # From here on: what happens after this answer is sent, once, however often `listen` is said.
        if wanted and self._sending is None:
            after = (await ask(last_events, [account.pk])).get(account.pk, 0)
            await self.connection.write({"stream": "listening", "data": {"streams": wanted}})
            self._sending = asyncio.ensure_future(self._send_updates(after))
            return
        if not wanted:
            self._stop()
        await self.connection.write({"stream": "listening", "data": {"streams": wanted}})

    def _stop(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None

    async def _send_updates(self, after: int) -> None:
        async for update in _updates(self.credentials, after):
            if update is not None:
                await self.connection.write({"stream": TRADE_UPDATES, "data": update})


def _updates(credentials: Credentials, after: int) -> AsyncIterator[dict[str, Any] | None]:
    key, account = credentials

    return follow(account, after=after, show=trade_updates, still_allowed=lambda: check_key(key))


async def event_stream(scope: Scope, receive: Receive, send: Send) -> None:
    """Trade updates as server-sent events, from `since_id` on, else from now."""
    try:
        credentials, after = await ask(_begin, scope)
        with Seat(credentials.key.user):
            await send_messages(_messages(credentials, after), "trade updates", receive, send)
    except (APIException, PapertradeError) as refusal:
        await _refuse(refusal, send)


def _begin(scope: Scope) -> tuple[Credentials, int]:
    request = Request(WSGIRequest(environ_of(scope, io.BytesIO())))
    found = PairAuthentication().authenticate(request)
    if found is None:
        raise PapertradeError(HOW, code="unauthorized")
    credentials = found[1]
    since = parse_qs(scope["query_string"].decode("latin-1")).get("since_id", [""])[-1]
    if since.isascii() and since.isdigit() and len(since) <= len(event_id(0)):
        return credentials, int(since)
    return credentials, last_events([credentials.account.pk]).get(credentials.account.pk, 0)


async def _messages(credentials: Credentials, after: int) -> AsyncIterator[Message]:
    try:
        async for update in _updates(credentials, after):
            yield Message() if update is None else Message(update["event_id"], "", update)
    except NoLongerAllowed:
        return


async def _refuse(refusal: APIException | PapertradeError, send: Send) -> None:
    told = refusal_of_error(refusal)
    body = json.dumps(told.body()).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": told.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
