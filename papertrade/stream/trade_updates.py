"""Alpaca's trade updates: the WebSocket at `/stream`, and server-sent events at `/v2/events/trades` for its Go client.

A client of the socket gets what happens from its `listen` on; one of the events may go on after an id that it knows.
"""

import asyncio
import contextlib
import io
import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any, NamedTuple

from django.core.handlers.wsgi import WSGIRequest
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from accounts.models import PaperAccount
from accounts.services import check_key
from marketdata import clock
from papertrade.api.alpaca.authentication import HOW, Credentials, PairAuthentication, identify
from papertrade.api.alpaca.errors import AlpacaError, bad_input, refusal_of_error
from papertrade.api.alpaca.parameters import Query
from papertrade.lib.errors import PapertradeError
from papertrade.stream.alpaca_orders import EVENT_ID_LENGTH, trade_updates
from papertrade.stream.following import NoLongerAllowed, follow, read
from papertrade.stream.identity import Seat
from papertrade.stream.moves import ask, last_events
from papertrade.stream.sockets import POLICY, Gone, Malformed, Socket, TooSlow
from papertrade.stream.sse import Message, send_messages
from papertrade.web.bridge import Receive, Scope, Send, environ_of
from portfolio.models import AccountEvent

SOCKET_PATHS = ("/stream", "/stream/")
EVENTS_PATH = "/v2/events/trades"
TRADE_UPDATES = "trade_updates"
AUTHENTICATION_SECONDS = 10.0
MAX_NUMBER = 2**63 - 1


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
    """Trade updates as server-sent events: from `since_id` or `since` on, else from now; up to `until_id` or `until`, else
    without an end.
    """
    try:
        credentials, span = await ask(_begin, scope)
        with Seat(credentials.key.user):
            await send_messages(_messages(credentials, span), "trade updates", receive, send)
    except (AlpacaError, APIException, PapertradeError) as refusal:
        await _refuse(refusal, send)


class _Span(NamedTuple):
    """Which updates are asked for: after one number, up to another, or up to a time that is still to come."""

    after: int
    last: int | None
    until: datetime | None
    is_over: bool  # nothing can come any more that is in it


def _begin(scope: Scope) -> tuple[Credentials, _Span]:
    request = Request(WSGIRequest(environ_of(scope, io.BytesIO())))
    found = PairAuthentication().authenticate(request)
    if found is None:
        raise PapertradeError(HOW, code="unauthorized")
    return found[1], _span(Query(request), found[1].account, clock.read().now)


def _span(query: Query, account: PaperAccount, now: datetime) -> _Span:
    """Raises AlpacaError for a bound that cannot be read, and for two of one end."""
    newest = last_events([account.pk]).get(account.pk, 0)
    for pair in (("since_id", "since"), ("until_id", "until")):
        if all(name in query for name in pair):
            raise bad_input(f"only one of {' and '.join(pair)} is accepted")
    since, until = query.instant("since"), query.instant("until", end_of_day=True)
    after, last = _number(query, "since_id"), _number(query, "until_id")
    if since is not None:
        after = _last_number(account, at__lt=since)
    if until is not None and until <= now:
        last = _last_number(account, at__lte=until)
    is_over = last is not None and last <= newest
    return _Span(newest if after is None else after, last, until if last is None else None, is_over)


def _number(query: Query, name: str) -> int | None:
    """The number of an event, by the id that it was sent with."""
    text = query.text(name)
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > EVENT_ID_LENGTH or int(text) > MAX_NUMBER:
        raise bad_input(f"{name} must be the event_id of an event of this server")
    return int(text)


def _last_number(account: PaperAccount, **bound: datetime) -> int:
    """The number of the last event in the bound; 0 where there is none."""
    numbers = AccountEvent.objects.filter(account=account, **bound).order_by("-seq").values_list("seq", flat=True)
    return numbers.first() or 0


async def _messages(credentials: Credentials, span: _Span) -> AsyncIterator[Message]:
    updates = _past(credentials, span) if span.is_over else _updates(credentials, span.after)
    try:
        async for update in updates:
            if update is None:
                yield Message()
                continue
            number = int(update["event_id"])
            if span.last is not None and number > span.last:
                return
            if span.until is not None and datetime.fromisoformat(update["at"]) > span.until:
                return
            yield Message(update["event_id"], "", update)
            if number == span.last:
                return
    except NoLongerAllowed:
        return


async def _past(credentials: Credentials, span: _Span) -> AsyncIterator[dict[str, Any] | None]:
    """The updates of a span that is over."""
    after = span.after
    while after < (span.last or 0):
        shown, after, more = await ask(read, credentials.account, after, trade_updates)
        for update in shown:
            yield update
        if not more:
            return


async def _refuse(refusal: AlpacaError | APIException | PapertradeError, send: Send) -> None:
    told = refusal_of_error(refusal)
    body = json.dumps(told.body()).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": told.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
