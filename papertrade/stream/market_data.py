"""Alpaca's market data streams, made of quotes: `/v2/{iex,sip,delayed_sip,test}` and `/v1beta1/{indicative,opra}`.

Each is the same market, whatever its name. A quote is sent when it changes; a trade is the middle of a quote with size 0
and a condition of its own; a bar is a minute of such middles with volume 0. Option streams speak MessagePack, others too
where the handshake asks for it. A client who is slow gets the newest quote when it reads again.
"""

import asyncio
import contextlib
import re
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, NamedTuple

from accounts.services import check_key
from marketdata.bars import Bar
from marketdata.feeds.past import PastTrade, standing
from marketdata.quotes import Quote
from papertrade.api.alpaca.authentication import Credentials
from papertrade.api.alpaca.data import shapes
from papertrade.api.alpaca.wire import symbol_text
from papertrade.stream.following import NoLongerAllowed, Permit
from papertrade.stream.identity import Seat, TooManyStreams
from papertrade.stream.quote_look import QuoteLook, Wish, look
from papertrade.stream.sockets import Gone, Malformed, Socket, TooSlow, Unidentified, Why
from papertrade.stream.subscriptions import (
    EVERYTHING,
    INVALID,
    SYMBOL_LIMIT,
    SYNTAX,
    Refused,
    Subscription,
    is_option,
)
from papertrade.web.bridge import Receive, Scope, Send

STOCKS = re.compile(r"/v2/(iex|sip|delayed_sip|test)/?")
OPTIONS = re.compile(r"/v1beta1/(indicative|opra)/?")
MAX_IN_A_FRAME = 500

NOT_AUTHENTICATED, FAILED, ALREADY, LATE = 401, 402, 403, 404
CONNECTION_LIMIT, SLOW, SCOPE = 406, 407, 411
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
CODES = {Why.LATE: LATE, Why.UNKNOWN: FAILED, Why.FORBIDDEN: SCOPE, Why.CROWDED: CONNECTION_LIMIT}


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
            credentials = await connection.identified(_pair, lambda message: _error(NOT_AUTHENTICATED))
            await connection.write([{"T": "success", "msg": "authenticated"}])
            with Seat(credentials.key.user, connection.asker), look.wish() as wish:
                await _Client(connection, credentials, wish, options=options).run()
        except Unidentified as refusal:
            await _end(connection, CODES[refusal.why])
        except Malformed:
            await _end(connection, SYNTAX)
        except TooSlow:
            await _end(connection, SLOW)
        except TooManyStreams:
            await _end(connection, CONNECTION_LIMIT)
        except NoLongerAllowed:
            await _end(connection, FAILED)


def _pair(message: dict[str, Any]) -> tuple[str, str] | None:
    """Key id and secret. Some clients send a token as the secret, with `oauth` for a key."""
    if message.get("action") != "auth":
        return None
    key, secret = str(message.get("key") or "?"), str(message.get("secret") or "?")
    return "" if key == "oauth" else key, secret


def _error(code: int) -> list[dict[str, Any]]:
    return [{"T": "error", "code": code, "msg": TEXTS[code]}]


async def _end(connection: Socket, code: int) -> None:
    await connection.end(_error(code), TEXTS[code])


class _Client:
    """What one identified client subscribes to, and what it has been sent."""

    def __init__(self, connection: Socket, credentials: Credentials, wish: Wish, *, options: bool) -> None:
        self.connection, self.options = connection, options
        self.subscription = Subscription.none(options=options)
        self.sent: dict[tuple[str, str], Hashable] = {}  # the version of what was sent last, by channel and symbol
        self._wish = wish
        self._permit = Permit(lambda: check_key(credentials.key))

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

    async def _obey(self, message: dict[str, Any]) -> None:
        if message.get("action") == "auth":
            await self.connection.write(_error(ALREADY))
            return
        known = set(self._symbols_of("bars", look.finished))
        try:
            self.subscription = self.subscription.after(message)
        except Refused as refusal:
            await self.connection.write(_error(refusal.code))
            return
        for symbol in set(self._symbols_of("bars", look.finished)) - known:
            if (bar := look.finished.get(symbol)) is not None:  # a minute that was over before anybody asked for it
                self.sent["bars", symbol] = CHANNELS["bars"].version(bar)
        wanted = self.subscription.wanted
        self._wish.become(wanted)
        if EVERYTHING not in wanted:
            self.sent = {key: version for key, version in self.sent.items() if key[1] in wanted}
        await self.connection.write([{"T": "subscription", **self.subscription.texts}])

    async def _send_what_is_new(self) -> None:
        with look.listen() as looked:
            while True:
                await looked.wait()
                looked.clear()
                self._forget()
                news = [item for name in CHANNELS for item in self._news(name)]
                for place in range(0, len(news), MAX_IN_A_FRAME):
                    await self.connection.write(news[place : place + MAX_IN_A_FRAME])
                await self._permit.check_if_due()

    def _forget(self) -> None:
        """What the look has forgotten, which under `*` may be anything that others wanted."""
        if EVERYTHING in self.subscription.wanted:
            self.sent = {
                (name, symbol): version
                for (name, symbol), version in self.sent.items()
                if symbol in CHANNELS[name].things(look)
            }

    def _news(self, name: str) -> Iterable[dict[str, Any]]:
        channel = CHANNELS[name]
        things = channel.things(look)
        for symbol in self._symbols_of(name, things):
            thing = things.get(symbol)
            if thing is None or self.sent.get((name, symbol)) == channel.version(thing):
                continue
            self.sent[name, symbol] = channel.version(thing)
            yield channel.message(symbol, thing)

    def _symbols_of(self, name: str, things: Iterable[str]) -> Iterable[str]:
        symbols = self.subscription.symbols.get(name, ())
        return [symbol for symbol in things if is_option(symbol) == self.options] if EVERYTHING in symbols else symbols


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
    """What a channel sends: which thing of each symbol is in the look, what makes it another one, and its message."""

    things: Callable[[QuoteLook], Mapping[str, Any]]
    version: Callable[[Any], Hashable]
    message: Callable[[str, Any], dict[str, Any]]


def quote_version(quote: Quote) -> Hashable:
    """What a quote says and when: a provider may stamp several with one time, and a market take the same one again."""
    return quote.quoted_at, quote.bid, quote.ask, quote.bid_size, quote.ask_size


CHANNELS = {
    "quotes": Channel(lambda look: look.quotes, quote_version, quote_message),
    "trades": Channel(lambda look: look.trades, lambda trade: trade, trade_message),
    "bars": Channel(lambda look: look.finished, lambda bar: bar.begins, bar_message),
}
