"""Pushed quotes on their way from the web processes to the feed leader: a Valkey stream, the oldest first.

It may be lost at any moment, and with it at most the quotes that no step has taken yet.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import redis

from marketdata.feeds.live.protocol import RawQuote
from papertrade.lib.errors import Unavailable
from papertrade.lib.valkey import client

STREAM = "papertrade:pushed"
READ_TO = "papertrade:pushed:read"  # the id of the last entry that a leader has read
MOST_WAITING = 100_000
FIRST = "0-0"
CHUNK = 5_000


class PushesUnavailable(Unavailable):
    """Pushed quotes cannot be passed on at the moment."""


def put(quotes: Iterable[RawQuote]) -> None:
    """Pass quotes on to the feed leader. Raises PushesUnavailable."""
    try:
        pipe = client().pipeline(transaction=False)
        for quote in quotes:
            pipe.xadd(STREAM, {"q": json.dumps(_to_json(quote))}, maxlen=MOST_WAITING, approximate=True)
        pipe.execute()
    except redis.RedisError as error:
        raise PushesUnavailable("Quotes cannot be taken at the moment; push them again.") from error


def read(after: str, *, wait_ms: int) -> tuple[str, list[RawQuote]]:
    """The quotes after an id, and the id of the last of them; waits for the first at most so long. Raises PushesUnavailable."""
    try:
        found: Any = client().xread({STREAM: after}, count=CHUNK, block=wait_ms)
        entries = found[0][1] if found else []
        if entries:
            after = entries[-1][0].decode()
            client().set(READ_TO, after)
    except redis.RedisError as error:
        raise PushesUnavailable("Pushed quotes cannot be read.") from error
    return after, [_from_json(json.loads(fields[b"q"])) for _, fields in entries]


def read_to() -> str:
    """The id up to which a leader has read; of the beginning where none has. Raises PushesUnavailable."""
    try:
        found: Any = client().get(READ_TO)
    except redis.RedisError as error:
        raise PushesUnavailable("Pushed quotes cannot be read.") from error
    return FIRST if found is None else str(found.decode())


def waiting_seconds() -> float:
    """For how long the oldest quote that no leader has read has waited. Raises PushesUnavailable."""
    try:
        oldest: Any = client().xrange(STREAM, min=f"({read_to()}", count=1)
        seconds, microseconds = client().time()
    except redis.RedisError as error:
        raise PushesUnavailable("Quotes cannot be taken at the moment; push them again.") from error
    if not oldest:
        return 0.0
    return seconds + microseconds / 1e6 - int(oldest[0][0].split(b"-")[0]) / 1e3


def clear() -> None:
    """Forget what waits (tests)."""
    client().delete(STREAM, READ_TO)


def _to_json(quote: RawQuote) -> list[Any]:
    prices = (None if value is None else str(value) for value in (quote.bid, quote.ask, quote.bid_size, quote.ask_size))
    return [quote.symbol, *prices, quote.quoted_at.isoformat(), quote.feed]


def _from_json(stored: Sequence[Any]) -> RawQuote:
    symbol, *numbers, quoted_at, feed = stored
    bid, ask, bid_size, ask_size = (None if text is None else Decimal(text) for text in numbers)
    return RawQuote(symbol, bid, ask, bid_size, ask_size, datetime.fromisoformat(quoted_at), feed)
