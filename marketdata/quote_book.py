"""The quote book: the latest quote of each symbol, shared by all processes through Valkey.

It may be lost at any moment: a book without its marker is not an empty market but an unusable one, says so
(BookUnavailable), and is filled anew by the feed.
"""

import json
from collections.abc import Collection, Iterable

import redis

from marketdata import leases
from marketdata.quotes import Quote, quote_from_json, quote_text
from papertrade.lib.errors import Unavailable
from papertrade.lib.valkey import client

KEY = "papertrade:quotes"
MOVED_BY = "papertrade:mover"  # the number of the lease by which the book was last filled
MARKER = "#filled"  # no symbol has such a name


class BookUnavailable(Unavailable):
    """The quote book cannot be read at the moment."""


def publish(quotes: Iterable[Quote], *, through: str) -> None:
    """Store the latest quotes and mark the book filled up to `through`. Raises BookUnavailable, LeaseLost.

    Of two processes that move the market, one of which was stopped for a while, only the later one writes.
    """
    # One argument is packed sooner than many.
    lines = "".join(f"{quote.symbol}\n{quote_text(quote)}\n" for quote in quotes)
    mine = leases.holding_of(leases.MOVER)
    arguments: list[int | str] = [mine.number, MARKER, through, lines]
    try:
        write = client().register_script(_PUBLISH)
        if not write(keys=[KEY, MOVED_BY], args=arguments):
            # Later than this one, or of another database that this Valkey served before.
            if not mine.is_latest():
                raise leases.LeaseLost(mine.name)
            client().delete(MOVED_BY)
            write(keys=[KEY, MOVED_BY], args=arguments)
    except redis.RedisError as error:
        raise BookUnavailable("The quote book cannot be written.") from error


# Fields in batches, as Lua unpacks some thousands of values at once.
_PUBLISH = r"""
    if tonumber(redis.call('GET', KEYS[2]) or '0') > tonumber(ARGV[1]) then return 0 end
    redis.call('SET', KEYS[2], ARGV[1])
    local fields, count = {ARGV[2], ARGV[3]}, 2
    for symbol, quote in string.gmatch(ARGV[4], '([^\n]+)\n([^\n]+)\n') do
        if count == 1000 then
            redis.call('HSET', KEYS[1], unpack(fields, 1, count))
            count = 0
        end
        fields[count + 1], fields[count + 2] = symbol, quote
        count = count + 2
    end
    redis.call('HSET', KEYS[1], unpack(fields, 1, count))
    return 1
"""


def latest(symbols: Collection[str], *, filled_to: str | None = None) -> dict[str, Quote]:
    """The latest quote of each of the symbols that has one.

    Raises BookUnavailable, also where `filled_to` is given and the book is not filled up to just there.
    """
    try:
        marker, *stored = client().hmget(KEY, [MARKER, *symbols])
    except redis.RedisError as error:
        raise BookUnavailable("The quote book cannot be read; try again in a moment.") from error
    if marker is None or filled_to not in {None, _text(marker)}:
        raise BookUnavailable("The quote book is being filled; try again in a moment.")
    return {
        symbol: quote_from_json(json.loads(row)) for symbol, row in zip(symbols, stored, strict=True) if row is not None
    }


def symbols() -> list[str]:
    """Every symbol that has a quote, sorted. Raises BookUnavailable."""
    try:
        known = client().hkeys(KEY)
    except redis.RedisError as error:
        raise BookUnavailable("The quote book cannot be read; try again in a moment.") from error
    return sorted(name for name in map(_text, known) if name != MARKER)


def marker() -> str | None:
    """Up to when the book is filled; None where it is lost. Raises BookUnavailable."""
    try:
        value = client().hget(KEY, MARKER)
    except redis.RedisError as error:
        raise BookUnavailable("The quote book cannot be read; try again in a moment.") from error
    return None if value is None else _text(value)


def everything() -> tuple[str | None, dict[str, Quote]]:
    """The marker, None where the book is lost, and every quote by symbol. Raises BookUnavailable."""
    try:
        stored = {_text(name): row for name, row in client().hgetall(KEY).items()}
    except redis.RedisError as error:
        raise BookUnavailable("The quote book cannot be read; try again in a moment.") from error
    filled_to = stored.pop(MARKER, None)
    quotes = {symbol: quote_from_json(json.loads(row)) for symbol, row in stored.items()}
    return None if filled_to is None else _text(filled_to), quotes


def clear() -> None:
    """Forget everything, when another market or recording begins. Raises BookUnavailable."""
    try:
        client().delete(KEY)
    except redis.RedisError as error:
        raise BookUnavailable("The quote book cannot be written.") from error


def ping() -> bool:
    """Whether Valkey answers. Raises BookUnavailable."""
    try:
        return bool(client().ping())
    except redis.RedisError as error:
        raise BookUnavailable("Valkey does not answer.") from error


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
