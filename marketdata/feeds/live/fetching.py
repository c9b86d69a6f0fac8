"""What is asked by REST: latest quotes to seed new symbols and to poll others, and chains. Within the plan's budget.

One queue, in the order of need: seeds, since a new order waits for its quote; chains, since a page waits; then polling.
A failure pauses everything here for a while and never touches the stream.
"""

import asyncio
import logging
import ssl
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import httpx
import structlog

from marketdata.feeds.live.dialect import Market, Request, is_loopback
from marketdata.feeds.live.pace import Pace
from marketdata.feeds.live.protocol import Chain, Contract, Count, Listener
from marketdata.feeds.live.reading import Unreadable, from_json, hide, sentence_of

log = structlog.get_logger(__name__)
for noisy in ("httpx", "httpcore"):  # an INFO line a request, and headers at DEBUG
    logging.getLogger(noisy).setLevel(logging.WARNING)

TIMEOUT_SECONDS = 5.0
MAX_ANSWER_BYTES = 16 * 1_048_576
POLL_SECONDS = 2.0  # between two rounds of polling, where the budget allows it
LONGEST_POLL_SECONDS = 10.0  # what could not be polled so often is left out
POLL_SHARE = 0.6  # of the budget; the rest is for seeds and chains
BURST_SECONDS = 6.0  # so much of the budget may be spent at once
LIMITED_SECONDS = 60.0  # after a 429 that does not say how long
MOST_LIMITED_SECONDS = 300.0
RECOVER_SECONDS = 300.0  # a rate that was halved is doubled again after so long in peace
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
REFUSED_SECONDS = 60.0
CHAIN_SECONDS = 60.0
CHAIN_AGAIN_SECONDS = 5.0  # after one that failed
MAX_CHAIN_PAGES = 200
MAX_CONTRACTS = 20_000
SEED, POLL, CHAIN = "seed", "poll", "chain"
REFUSED = (401, 402, 403)
BAD_REQUEST = 400
NO_CHAIN = (BAD_REQUEST, 404, 422)
LONGEST_NUMBER = 12  # digits of a header


@cache
def trusted(*, by_environment: bool) -> ssl.SSLContext:
    """Whose certificates are believed, perhaps by `SSL_CERT_FILE` and the like. Read once: they are the same for every line."""
    return httpx.create_ssl_context(trust_env=by_environment)


class Failed(Exception):
    """A request that brought nothing. `kind` is the word it is counted by."""

    def __init__(self, kind: str, sentence: str, *, status: int = 0, said: str = "", wait: float | None = None) -> None:
        super().__init__(sentence)
        self.kind, self.status, self.wait = kind, status, wait
        self.said = said  # by the provider itself; empty where a proxy's page or nothing came


class Budget:
    """So many calls a minute, a few of them at once; halved when the provider says that it was too many."""

    def __init__(self, calls_a_minute: int, pace: Pace) -> None:
        self.pace = pace
        self._most = self._rate = calls_a_minute / 60.0
        self._left = self._full
        self._at = self._calm_since = pace.seconds()
        self._free_at = 0.0

    @property
    def calls_a_second(self) -> float:
        return self._rate

    @property
    def _full(self) -> float:
        return max(1.0, self._rate * BURST_SECONDS)

    def wait(self) -> float:
        """Seconds until a call may be made; 0 = now, and it is taken as made."""
        now = self.pace.seconds()
        if now < self._free_at:
            return self._free_at - now
        if self._rate < self._most and now - self._calm_since >= RECOVER_SECONDS:
            self._rate, self._calm_since = min(2 * self._rate, self._most), now
        self._left = min(self._full, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1.0:
            return (1.0 - self._left) / self._rate
        self._left -= 1.0
        return 0.0

    def limited(self, seconds: float | None) -> None:
        """The provider asks for a pause."""
        now = self.pace.seconds()
        self._rate = max(self._rate / 2, 1 / 60.0)
        self._left, self._at, self._calm_since = 0.0, now, now
        self.pause(min(LIMITED_SECONDS if seconds is None else seconds, MOST_LIMITED_SECONDS))

    def pause(self, seconds: float) -> None:
        """Make no call for so long."""
        self._free_at = max(self._free_at, self.pace.seconds() + seconds)


@dataclass(frozen=True, slots=True)
class Job:
    """One call, or for a chain as many as it has pages."""

    purpose: str
    symbols: tuple[str, ...]


class Fetcher:
    """The REST side of one market. `on_result` is called after each call with the sentence of what failed, empty where it
    went well, and whether the provider refuses us.
    """

    def __init__(
        self, market: Market, listener: Listener, *, pace: Pace, on_result: Callable[[str, bool], None]
    ) -> None:
        if market.rest is None:
            raise ValueError("the market has no REST interface")
        self.market, self.dialect, self.listener, self.pace = market, market.rest, listener, pace
        self.on_result = on_result
        self.budget = Budget(self.dialect.calls_a_minute, pace)
        self._seeds: dict[str, None] = {}  # in order, each once
        self._chains: dict[str, None] = {}
        self._chain_due: dict[str, float] = {}
        self._polled: tuple[str, ...] = ()
        self._round: deque[tuple[str, ...]] = deque()
        self._round_at = 0.0
        self._pause = FIRST_PAUSE_SECONDS
        self._work = asyncio.Event()

    @property
    def poll_limit(self) -> int:
        """As many symbols as can be polled often enough."""
        calls = self.budget.calls_a_second * POLL_SHARE * LONGEST_POLL_SECONDS
        return int(calls) * self.dialect.symbols_a_call

    def seed(self, symbols: Collection[str]) -> None:
        """Fetch the latest quote of each, once, soon."""
        self._seeds.update(dict.fromkeys(symbols))
        self._work.set()

    def poll(self, symbols: Sequence[str]) -> None:
        """Fetch the latest quotes of these again and again, from now on; of those that are new at once."""
        if self._polled != tuple(symbols):
            self.seed([symbol for symbol in symbols if symbol not in set(self._polled)])
            self._polled = tuple(symbols)
            self._round.clear()
            self._work.set()

    def want_chain(self, underlying: str) -> None:
        """Fetch the listed options of a stock, unless that was done a moment ago."""
        now = self.pace.seconds()
        if now >= self._chain_due.get(underlying, 0.0):
            self._chain_due = {name: due for name, due in self._chain_due.items() if due > now}
            self._chain_due[underlying] = now + CHAIN_SECONDS
            self._chains[underlying] = None
            self._work.set()

    async def run(self) -> None:
        """Fetch until cancelled."""
        by_environment = not is_loopback(self.dialect.url)
        async with httpx.AsyncClient(
            headers={"User-Agent": "papertrade", **self.dialect.headers},
            timeout=self.pace.network(TIMEOUT_SECONDS),
            trust_env=by_environment,
            verify=trusted(by_environment=by_environment),
        ) as client:
            workers = [asyncio.ensure_future(self._worker(client)) for _ in range(self.dialect.calls_at_once)]
            try:
                await asyncio.gather(*workers)
            finally:
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)

    async def _worker(self, client: httpx.AsyncClient) -> None:
        while True:
            self._work.clear()
            job = self._next()
            if job is None:
                await self.pace.until(
                    self._work, max(self._round_at - self.pace.seconds(), 0.05) if self._polled else 3600
                )
            elif job.purpose is CHAIN:
                await self._fetch_chain(client, job.symbols[0])
            else:
                await self._fetch_latest(client, job)

    def _next(self) -> Job | None:
        if self._seeds:
            chosen = tuple(self._seeds)[: self.dialect.symbols_a_call]
            for symbol in chosen:
                del self._seeds[symbol]
            return Job(SEED, chosen)
        if self._chains:
            underlying = next(iter(self._chains))
            del self._chains[underlying]
            return Job(CHAIN, (underlying,))
        if not self._round and self._polled and self.pace.seconds() >= self._round_at:
            self._begin_round()
        return Job(POLL, self._round.popleft()) if self._round else None

    def _begin_round(self) -> None:
        most = self.dialect.symbols_a_call
        self._round.extend(self._polled[start : start + most] for start in range(0, len(self._polled), most))
        needed = len(self._round) / (self.budget.calls_a_second * POLL_SHARE)
        self._round_at = self.pace.seconds() + max(POLL_SECONDS, needed)

    async def _fetch_latest(self, client: httpx.AsyncClient, job: Job) -> None:
        try:
            answer = await self._ask(client, self.dialect.latest(job.symbols), job.purpose)
            latest = self.dialect.read_latest(answer, job.symbols)
        except Failed as failed:
            self._retry(job, failed)
            return
        except Unreadable as error:
            self._retry(job, Failed("unreadable", f"The answer cannot be read: {error}."))
            return
        for fault in latest.bad:
            self.listener.count(Count.BAD, reason=fault.word)
        for symbol in latest.unknown:
            self.listener.refuse_symbol(symbol)
        self.listener.count(Count.MESSAGES, len(latest.quotes) + len(latest.bad))
        if latest.quotes:
            self.listener.hear(latest.quotes)
        self._went_well()

    def _retry(self, job: Job, failed: Failed) -> None:
        """A seed is tried again; what is polled comes again by itself."""
        if self._names_a_symbol(failed):
            if len(job.symbols) == 1:
                self.listener.refuse_symbol(job.symbols[0])
            else:  # one of them is unknown, and the answer does not say which
                middle = len(job.symbols) // 2
                self._round.extendleft([job.symbols[:middle], job.symbols[middle:]])
                self._work.set()
            self._went_well()
            return
        self._went_wrong(failed)
        if job.purpose is SEED:
            self.seed(job.symbols)

    def _names_a_symbol(self, failed: Failed) -> bool:
        """Whether the provider says that it does not know a symbol, and not that the address or a parameter is wrong."""
        if failed.status not in self.dialect.unknown_symbol:
            return False
        return "symbol" in failed.said.lower() if failed.status == BAD_REQUEST else bool(failed.said)

    async def _fetch_chain(self, client: httpx.AsyncClient, underlying: str) -> None:
        problem, contracts = "", list[Contract]()
        try:
            await self._read_pages(client, underlying, contracts)
            self._went_well()
        except (Failed, Unreadable) as error:
            if isinstance(error, Failed) and error.status in NO_CHAIN and error.said:
                problem = f"The provider lists no options of {underlying}."
            else:
                failed = (
                    error if isinstance(error, Failed) else Failed("unreadable", f"The answer cannot be read: {error}.")
                )
                self._went_wrong(failed)
                problem = str(failed)
                self._chain_due[underlying] = self.pace.seconds() + CHAIN_AGAIN_SECONDS
            contracts.clear()
        self.listener.hear_chain(Chain(underlying, tuple(contracts), problem))

    async def _read_pages(self, client: httpx.AsyncClient, underlying: str, contracts: list[Contract]) -> None:
        dialect, page = self.market.chains, ""
        if dialect is None:
            raise Failed("status", f"{self.market.feed} has no chains.")
        for _ in range(MAX_CHAIN_PAGES):
            answer = await self._ask(client, dialect.chain(underlying, page), CHAIN)
            found = dialect.read_chain(answer, page)
            contracts.extend(found.contracts)
            if not found.page or found.page == page or len(contracts) >= MAX_CONTRACTS:
                return
            page = found.page

    async def _ask(self, client: httpx.AsyncClient, request: Request, purpose: str) -> Any:
        """One GET within the budget; its decoded body. Raises Failed, and Unreadable where the body is not JSON."""
        while wait := self.budget.wait():
            await self.pace.sleep(wait)
        self.listener.count(Count.REST_CALLS, reason=purpose)
        try:
            async with asyncio.timeout(self.pace.network(2 * TIMEOUT_SECONDS)):
                status, headers, body = await self._get(client, request)
        except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError) as error:
            raise Failed("transport", f"No answer: {self._hide(error) or type(error).__name__}.") from None
        if status == 200:
            return from_json(body)
        said = self._hide(sentence_of(body))
        if status == 429:
            raise Failed(
                "limited", said or "Too many requests (429).", status=status, said=said, wait=asked_to_wait(headers)
            )
        raise Failed("status", f"{said or 'The provider refused the request'} ({status}).", status=status, said=said)

    async def _get(self, client: httpx.AsyncClient, request: Request) -> tuple[int, Mapping[str, str], bytes]:
        async with client.stream("GET", self.dialect.url + request.path, params=dict(request.params)) as response:
            parts, length = [], 0
            async for part in response.aiter_bytes():
                length += len(part)
                if length > MAX_ANSWER_BYTES:
                    raise Failed("unreadable", "The answer is too large.")
                parts.append(part)
            return response.status_code, response.headers, b"".join(parts)

    def _went_well(self) -> None:
        self._pause = FIRST_PAUSE_SECONDS
        self.on_result("", False)

    def _went_wrong(self, failed: Failed) -> None:
        """Pause, by what went wrong, and say so."""
        refused = failed.status in REFUSED
        if failed.kind == "limited":
            self.budget.limited(failed.wait)
        elif refused:
            self.budget.pause(REFUSED_SECONDS)
        else:
            self.budget.pause(self._pause)
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
        self.listener.count(Count.REST_FAILURES, reason=failed.kind)
        log.warning(
            "live_request_failed", line=self.market.name, feed=self.market.feed, kind=failed.kind, said=str(failed)
        )
        self.on_result(str(failed), refused)

    def _hide(self, said: object) -> str:
        return hide(said, self.market.secrets)


def asked_to_wait(headers: Mapping[str, str], *, now: float | None = None) -> float | None:
    """For how many seconds a 429 asks to be left alone: `Retry-After` in seconds, or `X-RateLimit-Reset`, a time since 1970.

    None where it does not say.
    """
    for name, since in (("Retry-After", 0.0), ("X-RateLimit-Reset", time.time() if now is None else now)):
        said = headers.get(name, "")
        if said.isascii() and said.isdigit() and len(said) <= LONGEST_NUMBER:
            return max(0.0, float(said) - since)
    return None
