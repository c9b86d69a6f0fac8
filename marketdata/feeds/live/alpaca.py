"""Alpaca's market data: stocks from IEX, the SIP or late, options from OPRA or indicative.

Wire facts: https://docs.alpaca.markets/docs/streaming-market-data and its neighbours. The server speaks first; every frame is
an array; options are MessagePack only. A price of 0 means that nobody quotes that side.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgpack

from marketdata.feeds.live import reading
from marketdata.feeds.live.dialect import (
    HTTP,
    WEBSOCKET,
    ChainPage,
    Control,
    Frame,
    Heard,
    Latest,
    Market,
    Request,
    Said,
    checked_url,
)
from marketdata.feeds.live.lines import LiveProvider
from marketdata.feeds.live.pace import Pace
from marketdata.feeds.live.protocol import BadOptions, Contract, Grade, Listener, Provider, ProviderOptions, RawQuote
from marketdata.feeds.live.reading import Unreadable

NAME = "alpaca"
URL = "https://data.alpaca.markets"
STREAM_URL = "wss://stream.data.alpaca.markets"
CALLS_A_MINUTE = 200  # of the free plan; the paid one allows 10,000, and needs no more than this either
SYMBOLS_A_CALL = 100
CONTRACTS_A_PAGE = 1_000
CANARY = "SPY"
TEST_SYMBOL = "FAKEPACA"


class Feed(NamedTuple):
    """One of Alpaca's feeds. `symbol_limit` is that of the plan which has it."""

    path: str
    grade: Grade
    is_options: bool
    symbol_limit: int | None


FEEDS = {
    "iex": Feed("v2/iex", Grade.SINGLE_VENUE, False, 30),
    "sip": Feed("v2/sip", Grade.NBBO, False, None),
    "delayed_sip": Feed("v2/delayed_sip", Grade.DELAYED, False, 30),
    "test": Feed("v2/test", Grade.TEST, False, None),
    "indicative": Feed("v1beta1/indicative", Grade.INDICATIVE, True, 200),
    "opra": Feed("v1beta1/opra", Grade.NBBO, True, 1_000),
}
DEFAULT_FEEDS = ("iex",)
LATE = {"delayed_sip"}

ERRORS = {
    400: Said.BAD_SYMBOL,  # invalid syntax, which a malformed symbol is too
    401: Said.REFUSED,  # not authenticated
    402: Said.REFUSED,  # auth failed
    403: Said.NOTE,  # already authenticated
    404: Said.OVER,  # auth timeout
    405: Said.LIMIT,
    406: Said.SEAT_TAKEN,
    407: Said.SLOW,
    409: Said.REFUSED,  # insufficient subscription
    410: Said.REFUSED,  # invalid subscribe action for this feed
    412: Said.REFUSED,  # MessagePack is demanded
    413: Said.REFUSED,
    500: Said.OVER,  # internal error
}
# Trades, bars, status and the like, should the server ever send them unasked.
OTHER_DATA = frozenset("tbdusxcloni")


def check(options: ProviderOptions) -> None:
    """Raises BadOptions where these settings cannot be used together."""
    markets(options)


def provider(options: ProviderOptions, listener: Listener, *, pace: Pace | None = None) -> Provider:
    """The provider that these settings ask for. Raises BadOptions."""
    return LiveProvider(markets(options), listener, pace=pace)


def markets(options: ProviderOptions) -> list[Market]:
    """The lines that the settings ask for. Raises BadOptions."""
    if not options.key or not options.secret:
        raise BadOptions(
            "Alpaca needs PAPERTRADE_PROVIDER_KEY and PAPERTRADE_PROVIDER_SECRET: the key of a paper account is enough."
        )
    names = options.feeds or DEFAULT_FEEDS
    if unknown := sorted(set(names) - FEEDS.keys()):
        raise BadOptions(
            f"Alpaca has no feed {', '.join(unknown)}; PAPERTRADE_PROVIDER_FEEDS may name {', '.join(FEEDS)}."
        )
    for is_options, kind in ((False, "stocks"), (True, "options")):
        if len(same := [name for name in dict.fromkeys(names) if FEEDS[name].is_options == is_options]) > 1:
            raise BadOptions(f"PAPERTRADE_PROVIDER_FEEDS names {' and '.join(same)}: one feed of {kind} at a time.")
    late = [name for name in names if name in LATE]
    if late and not options.delay:
        raise BadOptions(f"{late[0]} is 15 minutes late: set PAPERTRADE_DELAY_SECONDS=910, or take another feed.")
    if options.delay and set(names) - LATE:
        in_time = ", ".join(sorted(set(names) - LATE))
        raise BadOptions(f"PAPERTRADE_DELAY_SECONDS is for feeds that are late, and {in_time} is not: set it to 0.")
    url = checked_url("PAPERTRADE_PROVIDER_URL", options.url, URL, HTTP)
    stream_url = checked_url("PAPERTRADE_PROVIDER_STREAM_URL", options.stream_url, STREAM_URL, WEBSOCKET)
    return [_market(name, FEEDS[name], options, url, stream_url) for name in dict.fromkeys(names)]


def _market(name: str, feed: Feed, options: ProviderOptions, url: str, stream_url: str) -> Market:
    source = f"{NAME}:{name}"
    stream = (OptionStream if feed.is_options else StockStream)(
        f"{stream_url}/{feed.path}", source, options.key, options.secret
    )
    rest = (OptionRest if feed.is_options else StockRest)(url, source, name, options.key, options.secret)
    return Market(
        name="options" if feed.is_options else "stocks",
        feed=source,
        grade=feed.grade,
        takes=_is_test if feed.grade is Grade.TEST else reading.is_option if feed.is_options else reading.is_stock,
        stream=stream,
        rest=None if name == "test" else rest,
        chains=rest if isinstance(rest, OptionRest) else None,
        symbol_limit=options.symbol_limit or feed.symbol_limit,
        secrets=(options.key, options.secret),
        canary="" if feed.is_options else TEST_SYMBOL if name == "test" else CANARY,
        test=TEST_SYMBOL if name == "test" else "" if feed.is_options else CANARY,
    )


def _is_test(symbol: str) -> bool:
    return symbol == TEST_SYMBOL


def _stock(name: Any) -> str:
    return TEST_SYMBOL if name == TEST_SYMBOL else reading.same_symbol(name)


def read_quote(message: Mapping[str, Any], symbol: str, feed: str) -> RawQuote:
    """A quote of the stream or of REST: they have the same keys. Raises Unreadable."""
    bid, ask = reading.price(message.get("bp")), reading.price(message.get("ap"))
    return RawQuote(
        symbol,
        bid,
        ask,
        reading.side_size(bid, message.get("bs")),
        reading.side_size(ask, message.get("as")),
        reading.rfc3339(message.get("t")),
        feed,
    )


class StockStream:
    """The stream of one stock feed, in JSON."""

    asks_login = True

    def __init__(self, url: str, feed: str, key: str, secret: str) -> None:
        self.url, self.feed = url, feed
        self.headers: Mapping[str, str] = {}
        self._login = {"action": "auth", "key": key, "secret": secret}

    def login(self) -> Frame:
        return self._encode(self._login)

    def subscribe(self, symbols: Sequence[str]) -> Frame:
        return self._encode({"action": "subscribe", "quotes": [self._theirs(symbol) for symbol in symbols]})

    def unsubscribe(self, symbols: Sequence[str]) -> Frame:
        return self._encode({"action": "unsubscribe", "quotes": [self._theirs(symbol) for symbol in symbols]})

    def read(self, frame: Frame) -> Iterator[Heard]:
        for message in reading.objects(self._decode(frame)):
            kind = message.get("T")
            if kind == "q":
                try:
                    yield read_quote(message, self._ours(message.get("S")), self.feed)
                except Unreadable as fault:
                    yield fault
            elif not isinstance(kind, str) or kind not in OTHER_DATA:
                yield self._control(kind, message)

    def _control(self, kind: Any, message: Mapping[str, Any]) -> Control | Unreadable:
        said = reading.text(message.get("msg"))
        if kind == "error":
            code = message.get("code")
            return (
                Control(ERRORS.get(code, Said.NOTE), f"{said} ({code})")
                if isinstance(code, int)
                else Control(Said.NOTE, said)
            )
        if kind == "success":
            return Control({"connected": Said.HELLO, "authenticated": Said.READY}.get(said, Said.NOTE), said)
        if kind == "subscription":
            return Control(Said.SUBSCRIBED, symbols=tuple(self._known(message.get("quotes"))))
        return Unreadable("kind", "a message of an unknown kind")

    def _known(self, names: Any) -> Iterator[str]:
        for name in names if isinstance(names, list) else ():
            try:
                yield self._ours(name)
            except Unreadable:
                continue

    def _ours(self, name: Any) -> str:
        return _stock(name)

    def _theirs(self, symbol: str) -> str:
        return symbol

    def _encode(self, message: Mapping[str, Any]) -> Frame:
        return json.dumps(message)

    def _decode(self, frame: Frame) -> Any:
        return reading.from_json(frame)


class OptionStream(StockStream):
    """The stream of one option feed, in MessagePack."""

    def __init__(self, url: str, feed: str, key: str, secret: str) -> None:
        super().__init__(url, feed, key, secret)
        self.headers = {"Content-Type": "application/msgpack"}

    def _ours(self, name: Any) -> str:
        return reading.from_plain_occ(name)

    def _theirs(self, symbol: str) -> str:
        return reading.to_plain_occ(symbol)

    def _encode(self, message: Mapping[str, Any]) -> Frame:
        return bytes(msgpack.packb(message))

    def _decode(self, frame: Frame) -> Any:
        return reading.from_msgpack(frame)


class StockRest:
    """Latest quotes of stocks."""

    symbols_a_call = SYMBOLS_A_CALL
    calls_a_minute = CALLS_A_MINUTE
    calls_at_once = 1
    unknown_symbol: Collection[int] = (400,)
    quotes_path = "/v2/stocks/quotes/latest"

    def __init__(self, url: str, feed: str, name: str, key: str, secret: str) -> None:
        self.url, self.feed, self.name = url, feed, name
        self.headers: Mapping[str, str] = {"APCA-API-KEY-ID": key, "APCA-API-SECRET-KEY": secret}

    def latest(self, symbols: Sequence[str]) -> Request:
        names = ",".join(self._theirs(symbol) for symbol in symbols)
        return Request(self.quotes_path, {"symbols": names, "feed": self.name})

    def read_latest(self, answer: Any, symbols: Sequence[str]) -> Latest:
        quotes, bad = [], []
        for name, message in _object(answer, "quotes").items():
            try:
                quotes.append(read_quote(reading.one_object(message), self._ours(name), self.feed))
            except Unreadable as fault:
                bad.append(fault)
        return Latest(quotes, bad)

    def _ours(self, name: Any) -> str:
        return _stock(name)

    def _theirs(self, symbol: str) -> str:
        return symbol


class OptionRest(StockRest):
    """Latest quotes and chains of options."""

    quotes_path = "/v1beta1/options/quotes/latest"

    def chain(self, underlying: str, page: str) -> Request:
        params = {"feed": self.name, "limit": str(CONTRACTS_A_PAGE)}
        return Request(f"/v1beta1/options/snapshots/{underlying}", params | ({"page_token": page} if page else {}))

    def read_chain(self, answer: Any, page: str) -> ChainPage:
        contracts = []
        for name, snapshot in _object(answer, "snapshots").items():
            try:
                symbol = self._ours(name)
            except Unreadable:
                continue  # an adjusted or unheard-of contract: not one that can be traded here
            contracts.append(Contract(symbol, self._quote_of(symbol, snapshot)))
        return ChainPage(contracts, reading.page_token(answer.get("next_page_token")))

    def _quote_of(self, symbol: str, snapshot: Any) -> RawQuote | None:
        message = snapshot.get("latestQuote") if isinstance(snapshot, dict) else None
        try:
            return read_quote(reading.one_object(message), symbol, self.feed)
        except Unreadable:
            return None

    def _ours(self, name: Any) -> str:
        return reading.from_plain_occ(name)

    def _theirs(self, symbol: str) -> str:
        return reading.to_plain_occ(symbol)


def _object(answer: Any, key: str) -> Mapping[str, Any]:
    found = answer.get(key) if isinstance(answer, dict) else None
    if not isinstance(found, dict):
        raise Unreadable("shape", f"the answer has no {key}")
    return found
