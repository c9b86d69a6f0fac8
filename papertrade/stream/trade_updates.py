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
from papertrade.api.alpaca.authentication import HOW, Credentials, PairAuthentication
from papertrade.api.alpaca.errors import AlpacaError, bad_input, refusal_of_error
from papertrade.api.alpaca.parameters import Query
from papertrade.lib.errors import PapertradeError
from papertrade.stream.alpaca_orders import EVENT_ID_LENGTH, trade_updates
from papertrade.stream.following import NoLongerAllowed, Permit, follow, read
from papertrade.stream.identity import ASKER, Asker, Seat, TooManyStreams
from papertrade.stream.moves import ask, ask_patiently, last_events
from papertrade.stream.sockets import Gone, Malformed, Socket, TooSlow, Unidentified, Why
from papertrade.stream.sse import Message, send_messages
from papertrade.web.bridge import Receive, Scope, Send, environ_of
from portfolio.models import AccountEvent

SOCKET_PATHS = ("/stream", "/stream/")
EVENTS_PATH = "/v2/events/trades"
TRADE_UPDATES = "trade_updates"
AUTHENTICATE = ("authenticate", "auth")
MAX_NUMBER = 2**63 - 1
REFUSALS = {
    Why.UNKNOWN: "unauthorized",
    Why.FORBIDDEN: "unauthorized",
    Why.CROWDED: "too many requests without a valid key from this address",
}


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
            credentials = await connection.identified(_pair, _not_yet)
            await connection.write(_authorization("authorized", "authenticate"))
            with Seat(credentials.key.user, connection.asker):
                await _Listener(connection, credentials).run()
        except Unidentified as refusal:
            if refusal.why is Why.LATE:
                await _end(connection, "auth timeout")
            else:
                await connection.end(_authorization("unauthorized", "authenticate"), REFUSALS[refusal.why])
        except Malformed:
            await _end(connection, "invalid syntax")
        except TooSlow:
            await _end(connection, "slow client")
        except NoLongerAllowed:
            await _end(connection, "the key was revoked")
        except TooManyStreams as refusal:
            await _end(connection, refusal.message)


def _pair(message: dict[str, Any]) -> tuple[str, str] | None:
    """Key id and secret, in either of the two spellings; an OAuth token has no key id."""
    if message.get("action") not in AUTHENTICATE:
        return None
    data = message.get("data")
    given = data if isinstance(data, dict) else message
    if given.get("oauth_token"):
        return "", str(given["oauth_token"])
    return str(given.get("key_id") or given.get("key") or "?"), str(
        given.get("secret_key") or given.get("secret") or "?"
    )


def _not_yet(message: dict[str, Any]) -> dict[str, Any]:
    return _authorization("unauthorized", str(message.get("action", "")))


def _authorization(status: str, action: str) -> dict[str, Any]:
    return {"stream": "authorization", "data": {"status": status, "action": action or "listen"}}


def _error(message: str) -> dict[str, Any]:
    return {"action": "error", "data": {"error_message": message}}


async def _end(connection: Socket, message: str) -> None:
    await connection.end(_error(message), message)


class _Listener:
    """What an identified client does: it says which streams it wants, and gets their updates meanwhile."""

    def __init__(self, connection: Socket, credentials: Credentials) -> None:
        self.connection, self.account = connection, credentials.account
        self._permit = _permit(credentials)
        self._sending: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until the client goes, or may stay no longer."""
        reading = asyncio.ensure_future(self.connection.read())
        try:
            while True:
                waiting = {reading, *([self._sending] if self._sending else [])}
                await asyncio.wait(
                    waiting, timeout=self._permit.seconds_left + 0.01, return_when=asyncio.FIRST_COMPLETED
                )
                if self._sending is not None and self._sending.done():
                    self._sending.result()
                    return
                if reading.done():
                    await self._obey(reading.result())
                    reading = asyncio.ensure_future(self.connection.read())
                await self._permit.check_if_due()
        finally:
            reading.cancel()
            self._stop()

    async def _obey(self, message: dict[str, Any]) -> None:
        if message.get("action") in AUTHENTICATE:
            await self.connection.write(_authorization("authorized", "authenticate"))
            return
        data = message.get("data")
        named = data.get("streams") if isinstance(data, dict) else None
        if message.get("action") != "listen" or not isinstance(named, list):
            await self.connection.write(_error("invalid action"))
            return
        wanted = [name for name in (TRADE_UPDATES,) if name in named]
        # From here on: what happens after this answer is sent, once, however often `listen` is said.
        if wanted and self._sending is None:
            await self._permit.check()
            after = (await ask(last_events, [self.account.pk])).get(self.account.pk, 0)
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
        async for update in _updates(self.account, after, self._permit):
            if update is not None:
                await self.connection.write({"stream": TRADE_UPDATES, "data": update})


def _permit(credentials: Credentials) -> Permit:
    return Permit(lambda: check_key(credentials.key))


def _updates(account: PaperAccount, after: int, permit: Permit) -> AsyncIterator[dict[str, Any] | None]:
    return follow(account, after=after, show=trade_updates, permit=permit)


async def event_stream(scope: Scope, receive: Receive, send: Send) -> None:
    """Trade updates as server-sent events: from `since_id` or `since` on, else from now; up to `until_id` or `until`, else
    without an end.
    """
    asker: Asker = scope[ASKER]
    try:
        credentials, span = await asker.look_up(_begin, scope)
        with Seat(credentials.key.user, asker):
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
    account = credentials.account
    updates = _past(account, span) if span.is_over else _updates(account, span.after, _permit(credentials))
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


async def _past(account: PaperAccount, span: _Span) -> AsyncIterator[dict[str, Any] | None]:
    """The updates of a span that is over."""
    after = span.after
    while after < (span.last or 0):
        shown, after, more = await ask_patiently(read, account, after, trade_updates, whose=account.pk.bytes)
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
