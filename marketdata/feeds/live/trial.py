"""Try a provider with the operator's settings: does it let us in, does it stream, how late, with which sizes. In words.

Uses the same lines as the market, so that what works here works there. One connection is opened and closed again; a server that
runs with the same key has its seat, and is found out as such.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

from marketdata.feed_state import judge_lag
from marketdata.feeds.live.dialect import Market
from marketdata.feeds.live.lines import LiveProvider
from marketdata.feeds.live.pace import Pace
from marketdata.feeds.live.protocol import Chain, Contract, Count, Coverage, Grade, Line, Rank, RawQuote, State, Want

CONNECT_SECONDS = 20.0
CHAIN_SECONDS = 30.0
ENOUGH_QUOTES = 10
UNDERLYING = "SPY"
MEANING = {
    Grade.NBBO: "the national best bid and offer",
    Grade.SINGLE_VENUE: "one exchange's quotes, often wider than the market's: not the national best bid and offer",
    Grade.INDICATIVE: "changed by the provider: nobody quoted exactly this",
    Grade.DELAYED: "the national best bid and offer, minutes late",
    Grade.PUSHED: "whatever is pushed",
    Grade.TEST: "invented by the provider to try the wiring; nothing can be traded on it",
}
# (a part of what a provider says, in small letters; what to do)
ADVICE = (
    ("seat", "Another program is connected with this key, perhaps this server itself: stop it and try again."),
    ("connection", "Another program is connected with this key, perhaps this server itself: stop it and try again."),
    ("insufficient", "The plan does not include this feed: name another in PAPERTRADE_PROVIDER_FEEDS, or change the plan."),
    ("not authorized", "The plan does not include this feed: name another in PAPERTRADE_PROVIDER_FEEDS, or change the plan."),
    ("plan", "The plan does not include quotes: change it at the provider."),
    ("auth", "The key is wrong, or one of another environment: look at PAPERTRADE_PROVIDER_KEY and _SECRET."),
    ("401", "The key is wrong, or one of another environment: look at PAPERTRADE_PROVIDER_KEY and _SECRET."),
    ("403", "The plan does not include this: change it at the provider, or name another feed in PAPERTRADE_PROVIDER_FEEDS."),
)  # fmt: skip
NO_CONNECTION = (
    "Look at this machine's way to the internet, and at PAPERTRADE_PROVIDER_URL and _STREAM_URL if they are set."
)


@dataclass
class Finding:
    """What was seen of one line. `problem` is empty where all is well."""

    line: str
    said: list[str] = field(default_factory=list)
    problem: str = ""


class Trial:
    """A listener of one line that is being tried."""

    def __init__(self, *, in_session: bool) -> None:
        self.in_session = in_session
        self.line: Line | None = None
        self.quotes: list[RawQuote] = []
        self.lags: list[timedelta] = []
        self.chain: Chain | None = None
        self.changed = asyncio.Event()

    def give_way(self) -> None:
        """Nobody makes a step."""

    def hear(self, quotes: Sequence[RawQuote]) -> None:
        now = datetime.now(UTC)
        self.quotes.extend(quotes)
        self.lags.extend(now - quote.quoted_at for quote in quotes)
        self.changed.set()

    def hear_chain(self, chain: Chain) -> None:
        self.chain = chain
        self.changed.set()

    def report(self, line: Line) -> None:
        self.line = line
        self.changed.set()

    def refuse_symbol(self, symbol: str) -> None:
        """Nothing: the symbols that are tried exist."""

    def cover(self, line: str, coverage: Coverage) -> None:
        """Nothing: there is room for the symbols that are tried."""

    def count(self, what: Count, amount: float = 1, *, reason: str = "") -> None:
        """Nothing."""

    async def until(self, reached: Callable[[], object], seconds: float) -> bool:
        """Whether it came about in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not reached():
                    self.changed.clear()
                    await self.changed.wait()
        return bool(reached())


async def try_all(
    markets: Sequence[Market], *, seconds: float, in_session: bool, delay: timedelta, pace: Pace | None = None
) -> list[Finding]:
    """One finding for each line, tried one after another, as some providers allow one connection at a time."""
    return [await _try(market, seconds, in_session, delay, pace or Pace()) for market in markets]


async def _try(market: Market, seconds: float, in_session: bool, delay: timedelta, pace: Pace) -> Finding:
    trial = Trial(in_session=in_session)
    provider = LiveProvider([market], trial, pace=pace)
    finding = Finding(market.name, [f"{market.feed}: {MEANING[market.grade]}{_limit(market)}"])
    provider.want([Want(market.test, Rank.ORDER)] if market.test else [])
    return await _while_running(provider.run(), _look(provider, market, trial, finding, seconds, delay))


async def _while_running(running: Coroutine[Any, Any, None], looking: Coroutine[Any, Any, Finding]) -> Finding:
    task = asyncio.ensure_future(running)
    try:
        return await looking
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _look(
    provider: LiveProvider, market: Market, trial: Trial, finding: Finding, seconds: float, delay: timedelta
) -> Finding:
    started = asyncio.get_running_loop().time()
    await trial.until(
        lambda: _state(trial) in (State.STREAMING, State.REFUSED) or _polls_alone(market, trial), CONNECT_SECONDS
    )
    took = asyncio.get_running_loop().time() - started
    if (
        trial.line is None
        or trial.line.state not in (State.STREAMING, State.POLLING)
        or _lacks_its_stream(market, trial)
    ):
        said = trial.line.reason if trial.line is not None else ""
        finding.problem = f"{said or 'No answer.'} {advice(said)}"
        return finding
    finding.said.append(f"{'let in, the stream is open' if market.stream else 'let in'} after {took:.1f} s")
    if market.chains is not None and not market.test and not await _choose_contract(provider, trial, finding):
        return finding
    await trial.until(lambda: len(trial.quotes) >= ENOUGH_QUOTES, seconds)
    _judge_quotes(market, trial, finding, delay)
    return finding


def _state(trial: Trial) -> State | None:
    return None if trial.line is None else trial.line.state


def _polls_alone(market: Market, trial: Trial) -> bool:
    """A line without a stream answers by polling; one with a stream polls where its seat is taken."""
    return _state(trial) is State.POLLING


def _lacks_its_stream(market: Market, trial: Trial) -> bool:
    return market.stream is not None and _state(trial) is State.POLLING


async def _choose_contract(provider: LiveProvider, trial: Trial, finding: Finding) -> bool:
    """An option that is quoted, out of a chain; whether there is one."""
    provider.want_chain(UNDERLYING)
    await trial.until(lambda: trial.chain is not None, CHAIN_SECONDS)
    chain = trial.chain
    if chain is None or not chain.contracts:
        finding.problem = f"No chain of {UNDERLYING}: {chain.problem if chain and chain.problem else 'no answer.'}"
        return False
    quoted = [contract for contract in chain.contracts if contract.quote is not None]
    finding.said.append(f"the chain of {UNDERLYING} has {len(chain.contracts)} contracts, {len(quoted)} of them quoted")
    if not quoted:
        finding.problem = "None of them is quoted: the plan may not include quotes of options."
        return False
    chosen = max(quoted, key=_latest)
    provider.want([Want(chosen.symbol, Rank.ORDER)])
    return True


def _latest(contract: Contract) -> datetime:
    return datetime.min.replace(tzinfo=UTC) if contract.quote is None else contract.quote.quoted_at


def _judge_quotes(market: Market, trial: Trial, finding: Finding, delay: timedelta) -> None:
    if not trial.quotes:
        closed = "" if trial.in_session else " The exchange is closed, so that may be all: try again while it is open"
        by_test = ", or with PAPERTRADE_PROVIDER_FEEDS=test." if market.feed.startswith("alpaca:") else "."
        finding.problem = f"No quote came.{closed + by_test if closed else ''}"
        return
    last = trial.quotes[-1]
    finding.said.append(
        f"{len(trial.quotes)} quotes of {last.symbol}; the last {_price(last.bid)} x {_price(last.ask)}, "
        f"{_size(last.bid_size)} x {_size(last.ask_size)}, quoted at {last.quoted_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    if not trial.in_session:
        finding.said.append("the exchange is closed, so how late quotes are cannot be seen")
        return
    lag = timedelta(seconds=median(value.total_seconds() for value in trial.lags)) - delay
    finding.said.append(
        f"they are {lag.total_seconds():.1f} s {'later than the delay' if delay else 'late'} in the middle"
    )
    finding.problem = judge_lag(lag)


def advice(said: str) -> str:
    """What to do about what a provider said."""
    lower = said.lower()
    if lower.startswith("no connection"):
        return NO_CONNECTION
    return next((what for part, what in ADVICE if part in lower), NO_CONNECTION)


def _limit(market: Market) -> str:
    return f"; {market.symbol_limit} symbols streamed at once" if market.symbol_limit else ""


def _price(price: Decimal | None) -> str:
    return "none" if price is None else f"{price:f}"


def _size(size: Decimal | None) -> str:
    return "?" if size is None else f"{size:f}"
