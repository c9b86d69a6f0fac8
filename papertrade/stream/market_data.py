"""Alpaca's market data streams, made of quotes: `/v2/{iex,sip,delayed_sip,test}` and `/v1beta1/{indicative,opra}`.

Each is the same market, whatever its name. A quote is sent when it changes; a trade is the middle of a quote with size 0
and a condition of its own; a bar is a minute of such middles with volume 0. Option streams speak MessagePack, others too
where the handshake asks for it. A client who is slow gets the newest quote when it reads again.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from rest_framework.exceptions import APIException

from accounts.services import check_key
from marketdata.bars import Bar
from marketdata.feeds.past import PastTrade, standing
from marketdata.instruments import InvalidSymbol
from marketdata.quotes import Quote
from papertrade.api.alpaca.authentication import Credentials, identify
from papertrade.api.alpaca.data import shapes
from papertrade.api.alpaca.wire import instrument_of, symbol_text
from papertrade.lib.errors import PapertradeError
from papertrade.stream.following import CHECK_SECONDS, NoLongerAllowed, check, checked_at_first
from papertrade.stream.identity import Seat, TooManyStreams
from papertrade.stream.moves import ask
from papertrade.stream.quote_look import EVERYTHING, QuoteLook, is_option, look
from papertrade.stream.sockets import POLICY, Gone, Malformed, Socket, TooSlow
from papertrade.web.bridge import Receive, Scope, Send

STOCKS = re.compile(r"/v2/(iex|sip|delayed_sip|test)/?")
OPTIONS = re.compile(r"/v1beta1/(indicative|opra)/?")
AUTHENTICATION_SECONDS = 10.0
MAX_SYMBOLS = 1_000  # of one connection
MAX_IN_A_FRAME = 500
# What there is, and what a client may ask for and will never get, because nothing of it exists here.
SENT = ("trades", "quotes", "bars")
EMPTY = ("statuses", "lulds", "corrections", "cancelErrors", "imbalances", "orderbooks")
REFUSED = ("updatedBars", "dailyBars", "news")
OF_OPTIONS = ("trades", "quotes")

SYNTAX, NOT_AUTHENTICATED, FAILED, ALREADY, LATE = 400, 401, 402, 403, 404
SYMBOL_LIMIT, CONNECTION_LIMIT, SLOW, SCOPE, INVALID = 405, 406, 407, 411, 410
TEXTS = {
    SYNTAX: "invalid syntax",
    NOT_AUTHENTICATED: "not authenticated",
    FAILED: "auth failed",
    ALREADY: "already authenticated",
    LATE: "auth timeout",
    SYMBOL_LIMIT: "symbol limit exceeded",
    CONNECTION_LIMIT: "connection limit exceeded",
    SLOW: "slow client",
    SCOPE: "insufficient scope",
    INVALID: "invalid subscribe action for this feed",
}


def takes(scope: Scope) -> bool:
    """Whether it is one of these streams."""
    return scope["type"] == "websocket" and bool(STOCKS.fullmatch(scope["path"]) or OPTIONS.fullmatch(scope["path"]))


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """One connection."""
    options = OPTIONS.fullmatch(scope["path"]) is not None
    connection = Socket(scope, receive, send, binary=options)
    await connection.accept()
    with contextlib.suppress(Gone):
        try:
            await connection.write([{"T": "success", "msg": "connected"}])
            credentials = await _authenticated(connection)
            if credentials is not None:
                with Seat(credentials.key.user):
                    await _Client(connection, credentials, options=options).run()
        except Malformed:
            await _end(connection, SYNTAX)
        except TooSlow:
            await connection.close(POLICY, TEXTS[SLOW])
        except TooManyStreams:
            await _end(connection, CONNECTION_LIMIT)
        except NoLongerAllowed:
            await _end(connection, FAILED)


async def _authenticated(connection: Socket) -> Credentials | None:
    while True:
        try:
            async with asyncio.timeout(AUTHENTICATION_SECONDS):
                message = await connection.read()
        except TimeoutError:
            await _end(connection, LATE)
            return None
        if message.get("action") != "auth":
            await _say(connection, NOT_AUTHENTICATED)
            continue
        try:
            credentials = await ask(_identified, str(message.get("key") or "?"), str(message.get("secret") or "?"))
        except (APIException, PapertradeError):
            await _end(connection, FAILED)
            return None
        await connection.write([{"T": "success", "msg": "authenticated"}])
        return credentials


def _identified(account_id: str, token: str) -> Credentials:
    """Some clients send a token as the secret, with `oauth` for a key."""
    credentials = identify("" if account_id == "oauth" else account_id, token)
    assert credentials.key.user  # read here, where the database may be asked
    return credentials


async def _say(connection: Socket, code: int) -> None:
    await connection.write([{"T": "error", "code": code, "msg": TEXTS[code]}])


async def _end(connection: Socket, code: int) -> None:
    await _say(connection, code)
    await connection.close(POLICY, TEXTS[code])


class _Client:
    """What one identified client subscribes to, and what it has been sent."""

    def __init__(self, connection: Socket, credentials: Credentials, *, options: bool) -> None:
        self.connection, self.credentials, self.options = connection, credentials, options
        self.channels = OF_OPTIONS if options else SENT
        self.subscribed: dict[str, list[str]] = {
            name: [] for name in (OF_OPTIONS if options else (*SENT, *EMPTY, *REFUSED[:2]))
        }
        self.sent: dict[tuple[str, str], datetime] = {}

    async def run(self) -> None:
        """Until the client goes, or may stay no longer."""
        sending = asyncio.ensure_future(self._send_what_is_new())
        try:
            while True:
                reading = asyncio.ensure_future(self.connection.read())
                await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
                if sending.done():
                    reading.cancel()
                    sending.result()
                    return
                await self._obey(await reading)
        finally:
            sending.cancel()
            look.leave(self._wanted())

    # --- what it wants ------------------------------------------------------------------------------------------------------

    async def _obey(self, message: dict[str, Any]) -> None:
        action = message.get("action")
        if action == "auth":
            await _say(self.connection, ALREADY)
            return
        if action not in ("subscribe", "unsubscribe"):
            await _say(self.connection, SYNTAX)
            return
        if any(message.get(name) for name in REFUSED):
            await _say(self.connection, INVALID)
            return
        before = self._wanted()
        for name in self.subscribed:
            asked = message.get(name) or []
            if not isinstance(asked, list) or not all(isinstance(text, str) for text in asked):
                await _say(self.connection, SYNTAX)
                return
            self._change(name, asked, add=action == "subscribe")
        if len(self._wanted()) > MAX_SYMBOLS:
            self._change_back(message)
            await _say(self.connection, SYMBOL_LIMIT)
            return
        now = self._wanted()
        look.want(now - before)
        look.leave(before - now)
        await self.connection.write([{"T": "subscription", **self.subscribed}])

    def _change(self, name: str, asked: Iterable[str], *, add: bool) -> None:
        kept = self.subscribed[name]
        for text in asked:
            spelled = text.strip().upper()
            if add and spelled not in kept:
                kept.append(spelled)
            elif not add and spelled in kept:
                kept.remove(spelled)

    def _change_back(self, message: dict[str, Any]) -> None:
        for name in self.subscribed:
            self._change(name, message.get(name) or [], add=message.get("action") != "subscribe")

    def _wanted(self) -> set[str]:
        """Our symbols of what it subscribes to, `*` among them. What cannot be a symbol will never have a quote."""
        found = set()
        for text in (text for name in self.channels for text in self.subscribed[name]):
            with contextlib.suppress(InvalidSymbol):
                found.add(text if text == EVERYTHING else instrument_of(text).symbol)
        return found

    # --- what it gets -------------------------------------------------------------------------------------------------------

    async def _send_what_is_new(self) -> None:
        checked = checked_at_first()
        with look.listen() as looked:
            while True:
                await looked.wait()
                looked.clear()
                news = [item for name in CHANNELS if name in self.channels for item in self._news(name)]
                for place in range(0, len(news), MAX_IN_A_FRAME):
                    await self.connection.write(news[place : place + MAX_IN_A_FRAME])
                now = asyncio.get_running_loop().time()
                if now - checked > CHECK_SECONDS:
                    await check(lambda: check_key(self.credentials.key))
                    checked = now

    def _news(self, name: str) -> Iterable[dict[str, Any]]:
        channel = CHANNELS[name]
        things = dict(channel.things(look))
        for symbol in self._symbols_of(name, things):
            thing = things.get(symbol)
            if thing is None or self.sent.get((name, symbol)) == channel.at(thing):
                continue
            self.sent[name, symbol] = channel.at(thing)
            yield channel.message(symbol, thing)

    def _symbols_of(self, channel: str, source: dict[str, Any]) -> Iterable[str]:
        texts = self.subscribed[channel]
        if EVERYTHING in texts:
            return [symbol for symbol in source if is_option(symbol) == self.options]
        found = []
        for text in texts:
            with contextlib.suppress(InvalidSymbol):
                found.append(instrument_of(text).symbol)
        return [symbol for symbol in found if is_option(symbol) == self.options]


def quote_message(symbol: str, quote: Quote) -> dict[str, Any]:
    """A quote as the requests show it, its time as a time: each format of the wire has its own."""
    shown = shapes.quote(standing(quote), option=is_option(symbol))
    return {"T": "q", "S": symbol_text(symbol), **shown, "t": quote.quoted_at}


def trade_message(symbol: str, trade: PastTrade) -> dict[str, Any]:
    """A trade, or the middle of a quote as one of nothing, as the requests show it."""
    return {"T": "t", "S": symbol_text(symbol), **shapes.trade(trade, option=is_option(symbol)), "t": trade.at}


def bar_message(symbol: str, bar: Bar) -> dict[str, Any]:
    """A minute, as the requests show it."""
    return {"T": "b", "S": symbol_text(symbol), **shapes.bar(bar), "t": bar.begins}


class Channel(NamedTuple):
    """What a channel sends: which thing of each symbol is new in the look, when it is of, and its message."""

    things: Callable[[QuoteLook], Mapping[str, Any]]
    at: Callable[[Any], datetime]
    message: Callable[[str, Any], dict[str, Any]]


CHANNELS = {
    "quotes": Channel(lambda look: look.quotes, lambda quote: quote.quoted_at, quote_message),
    "trades": Channel(lambda look: look.trades, lambda trade: trade.at, trade_message),
    "bars": Channel(lambda look: look.finished, lambda bar: bar.begins, bar_message),
}
