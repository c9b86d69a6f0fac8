"""What the web processes ask of the feed leader of a live market, and what it answers: watched symbols, chains, refusals.

All of it is in Valkey and may be lost at any moment. No web process ever speaks to a provider.
"""

import json
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import redis

from marketdata import clock
from marketdata.feeds.live.protocol import Chain, RawQuote
from marketdata.quotes import Quote, quote_from_json, quote_to_json, succeed
from papertrade.lib.errors import Unavailable
from papertrade.lib.valkey import client

WATCHED, WANTED_CHAINS, REFUSED = "papertrade:watched", "papertrade:wanted_chains", "papertrade:refused"
CHAIN = "papertrade:chain:{}"
FETCHED = "#fetched"  # fields of a chain that are no symbols
PROBLEM = "#problem"
NEVER = "#never"
WATCHED_FOR = timedelta(minutes=5)
MOST_WATCHED = 500
REFUSED_FOR = timedelta(days=1)
CHAIN_IS_FRESH_FOR = timedelta(minutes=1)
CHAIN_IS_KEPT_FOR = timedelta(minutes=15)
PROBLEM_IS_KEPT_FOR = timedelta(seconds=15)


class LeaderUnavailable(Unavailable):
    """What was asked of the feed leader is not there at the moment."""


def watch(symbols: Collection[str]) -> None:
    """Somebody looks at these symbols. Without Valkey nobody notices, and there are no quotes to look at either."""
    now = _seconds()
    with _valkey():
        client().zadd(WATCHED, dict.fromkeys(symbols, now))


def watched() -> list[str]:
    """The symbols that somebody has looked at of late, the latest first. Raises LeaderUnavailable."""
    since = _seconds() - WATCHED_FOR.total_seconds()
    with _valkey():
        client().zremrangebyscore(WATCHED, 0, since)
        client().zremrangebyrank(WATCHED, 0, -MOST_WATCHED - 1)
        return _texts(client().zrevrange(WATCHED, 0, MOST_WATCHED - 1))


def refuse(symbols: Iterable[str]) -> None:
    """The provider knows no such symbols. Raises LeaderUnavailable."""
    with _valkey():
        client().zadd(REFUSED, dict.fromkeys(symbols, _seconds() + REFUSED_FOR.total_seconds()))
        client().zremrangebyscore(REFUSED, 0, _seconds())


def is_refused(symbol: str) -> bool:
    """Whether the provider knows no such symbol. Raises LeaderUnavailable."""
    with _valkey():
        until: Any = client().zscore(REFUSED, symbol)
    return until is not None and float(until) > _seconds()


def chain_symbols(underlying: str) -> list[str] | None:
    """The listed options of a stock as they were fetched a while ago; where that is long ago they are asked for anew.

    None where the provider lists no options at all. Raises LeaderUnavailable where there are none yet: ask again in a second.
    """
    key = CHAIN.format(underlying)
    with _valkey():
        fetched, problem, never = (_text(value) for value in client().hmget(key, [FETCHED, PROBLEM, NEVER]))
        if fetched is None or _seconds() - float(fetched) > CHAIN_IS_FRESH_FOR.total_seconds():
            client().zadd(WANTED_CHAINS, {underlying: _seconds()}, nx=True)
        found = _texts(client().hkeys(key))
    if problem:
        raise LeaderUnavailable(problem)
    if fetched is None:
        raise LeaderUnavailable(f"The options of {underlying} are being fetched; ask again in a second.")
    return None if never else sorted(name for name in found if not name.startswith("#"))


def chain_quotes(symbols: Collection[str], underlying: str) -> dict[str, Quote]:
    """The quotes of options as their chain had them. Raises LeaderUnavailable."""
    if not symbols:
        return {}
    with _valkey():
        rows: list[Any] = client().hmget(CHAIN.format(underlying), list(symbols))  # type: ignore[assignment]
    return {symbol: quote_from_json(json.loads(row)) for symbol, row in zip(symbols, rows, strict=True) if row}


def take_wanted_chains() -> list[str]:
    """The stocks whose options somebody asked for since the last call. Raises LeaderUnavailable."""
    with _valkey():
        found: Any = client().zpopmin(WANTED_CHAINS, MOST_WATCHED)
    return _texts(name for name, _ in found)


def keep_chain(chain: Chain) -> None:
    """Let everybody see a chain. Raises LeaderUnavailable."""
    key = CHAIN.format(chain.underlying)
    with _valkey():
        pipe = client().pipeline()
        pipe.delete(key)
        if chain.problem and not chain.never:
            pipe.hset(key, mapping={FETCHED: str(_seconds()), PROBLEM: chain.problem})
        else:
            fields: dict[Any, Any] = {FETCHED: str(_seconds())} | ({NEVER: "1"} if chain.never else {})
            fields |= {item.symbol: _row(item.quote) for item in chain.contracts}
            pipe.hset(key, mapping=fields)
        pipe.expire(key, PROBLEM_IS_KEPT_FOR if chain.problem and not chain.never else CHAIN_IS_KEPT_FOR)
        pipe.execute()


def _row(raw: RawQuote | None) -> str:
    if raw is None:
        return ""
    quote = succeed(
        None,
        symbol=raw.symbol,
        bid=raw.bid,
        ask=raw.ask,
        bid_size=raw.bid_size,
        ask_size=raw.ask_size,
        quoted_at=raw.quoted_at,
        feed=raw.feed,
        taken_at=clock.real_now(),
    )
    return json.dumps(quote_to_json(quote))


@contextmanager
def _valkey() -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        raise LeaderUnavailable("Valkey does not answer; try again in a moment.") from error


def _seconds() -> float:
    return clock.wall_now().timestamp()


def _texts(values: Any) -> list[str]:
    return [value.decode() if isinstance(value, bytes) else value for value in values]


def _text(value: Any) -> str | None:
    return value.decode() if isinstance(value, bytes) else value
