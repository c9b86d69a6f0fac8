"""The messages of Massive (once Polygon.io), which CuteMarkets forwards without change: one parser for both. Pure.

Times are milliseconds on the stream and nanoseconds in REST. Stock sizes are shares since 2025-11-03, option sizes contracts.
The sequence number orders quotes of one millisecond; it skips numbers, so a hole in it is no loss.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from marketdata.feeds.live import reading
from marketdata.feeds.live.dialect import ChainPage, Control, Frame, Heard, Latest, Said
from marketdata.feeds.live.protocol import Contract, RawQuote
from marketdata.feeds.live.reading import Unreadable

STATUS = {
    "connected": Said.HELLO,
    "auth_success": Said.READY,
    "auth_failed": Said.REFUSED,
    "auth_timeout": Said.OVER,
    "success": Said.SUBSCRIBED,
    "max_connections": Said.SEAT_TAKEN,
    "slow_consumer": Said.SLOW,
    "force_disconnect": Said.OVER,
}
QUOTE_CHANNEL = "Q."
LIMIT_WORDS = ("limit", "maximum", "too many", "exceed")
NO_KEYS = frozenset(
    {"apikey", "api_key", "key", "token"}
)  # of an address given to us: keys go in a header, never there

# The names of a quote's parts by where it stands: on the stream, as the last NBBO, in a snapshot.
STREAMED = ("bp", "ap", "bs", "as", "t", "q")
LAST = ("p", "P", "s", "S", "t", "q")
SPELLED_OUT = ("bid_price", "ask_price", "bid_size", "ask_size", "sip_timestamp", "sequence_number")
SNAPSHOT = ("bid", "ask", "bid_size", "ask_size", "last_updated", "")


def quote(message: Mapping[str, Any], names: Sequence[str], symbol: str, feed: str) -> RawQuote:
    """A quote whose parts have these names. Raises Unreadable."""
    bid, ask, bid_size, ask_size, at, number = (message.get(name) for name in names)
    bid, ask = reading.price(bid), reading.price(ask)
    when = reading.from_milliseconds(at) if names is STREAMED else reading.from_nanoseconds(at)
    sequence = number if isinstance(number, int) and not isinstance(number, bool) else 0
    return RawQuote(
        symbol, bid, ask, reading.side_size(bid, bid_size), reading.side_size(ask, ask_size), when, feed, sequence
    )


class QuoteStream:
    """The stream of one market. With a key it logs in by a message, without one the handshake's headers are all."""

    def __init__(self, url: str, feed: str, *, key: str = "", headers: Mapping[str, str] | None = None) -> None:
        self.url, self.feed, self.headers = url, feed, headers or {}
        self.asks_login = bool(key)
        self._login = json.dumps({"action": "auth", "params": key})

    def login(self) -> Frame:
        return self._login

    def subscribe(self, symbols: Sequence[str]) -> Frame:
        return self._ask("subscribe", symbols)

    def unsubscribe(self, symbols: Sequence[str]) -> Frame:
        return self._ask("unsubscribe", symbols)

    def _ask(self, action: str, symbols: Sequence[str]) -> Frame:
        return json.dumps({"action": action, "params": ",".join(QUOTE_CHANNEL + symbol for symbol in symbols)})

    def read(self, frame: Frame) -> Iterator[Heard]:
        for message in reading.objects(reading.from_json(frame)):
            kind = message.get("ev")
            if kind == "Q":
                try:
                    yield quote(message, STREAMED, reading.same_symbol(message.get("sym")), self.feed)
                except Unreadable as fault:
                    yield fault
            elif kind == "status":
                yield status(message)
            elif "error" in message:
                yield Control(Said.REFUSED, reading.sentence_in(message))
            else:
                yield Unreadable("kind", "a message of an unknown kind")


def status(message: Mapping[str, Any]) -> Control:
    """What a status message says about the connection."""
    word, sentence = reading.text(message.get("status")), reading.text(message.get("message"))
    if word == "error":
        limited = any(part in sentence.lower() for part in LIMIT_WORDS)
        return Control(Said.LIMIT if limited else Said.REFUSED, sentence)
    said = STATUS.get(word, Said.NOTE)
    return Control(said, sentence, symbols=_subscribed(sentence) if said is Said.SUBSCRIBED else ())


def _subscribed(sentence: str) -> tuple[str, ...]:
    """`subscribed to: Q.AAPL` names what was subscribed; what it does not name is not confirmed by it."""
    found = sentence.partition(QUOTE_CHANNEL)[2].strip()
    try:
        return (reading.same_symbol(found),)
    except Unreadable:
        return ()


def results(answer: Any) -> Any:
    """What an answer holds. Raises Unreadable."""
    if not isinstance(answer, dict) or "results" not in answer:
        raise Unreadable("shape", "the answer has no results")
    return answer["results"]


def read_last(answer: Any, symbol: str, feed: str) -> RawQuote:
    """The last NBBO of one symbol, in either spelling. Raises Unreadable."""
    message = results(answer)
    if isinstance(message, list):
        message = message[0] if message else None
    if not isinstance(message, dict):
        raise Unreadable("shape", "the last quote is no object")
    return quote(message, SPELLED_OUT if "sip_timestamp" in message else LAST, symbol, feed)


def read_snapshots(answer: Any, feed: str) -> Latest:
    """The quotes of a snapshot of several symbols; what the provider does not know it names with an error."""
    quotes, bad, unknown = [], [], []
    for item in reading.objects(results(answer)):
        try:
            symbol = reading.same_symbol(item.get("ticker"))
            if item.get("error") == "NOT_FOUND":
                unknown.append(symbol)
            elif item.get("error") is None:
                quotes.append(_snapshot_quote(item, symbol, feed))
            else:
                raise Unreadable("shape", "the snapshot is an error")
        except Unreadable as fault:
            bad.append(fault)
    return Latest(quotes, bad, unknown)


def _snapshot_quote(item: Mapping[str, Any], symbol: str, feed: str) -> RawQuote:
    last = item.get("last_quote")
    if not isinstance(last, dict):
        raise Unreadable("shape", "the snapshot has no quote: the plan may not include any")
    return quote(last, SNAPSHOT, symbol, feed)


def read_chain(answer: Any, feed: str) -> ChainPage:
    """A page of a chain. Raises Unreadable."""
    contracts = []
    for item in reading.objects(results(answer)):
        details = item.get("details")
        try:
            symbol = reading.same_symbol(details.get("ticker") if isinstance(details, dict) else None)
        except Unreadable:
            continue  # an adjusted or unheard-of contract: not one that can be traded here
        try:
            contracts.append(Contract(symbol, _snapshot_quote(item, symbol, feed)))
        except Unreadable:
            contracts.append(Contract(symbol, None))
    return ChainPage(contracts, reading.page_token(answer.get("next_url")))


def page_parameters(address: str) -> dict[str, str]:
    """What to ask for the next page, of the address that the provider gives: its parameters, never its host or path."""
    return {name: value for name, value in parse_qsl(urlsplit(address).query) if name.lower() not in NO_KEYS}
