"""Quotes that a feed of one's own pushes through the API: `POST /v1/market/quotes/`."""

import asyncio
from collections.abc import Sequence

import structlog

from marketdata import pushes
from marketdata.feeds.live.protocol import (
    BadOptions,
    Chain,
    Coverage,
    Grade,
    Line,
    Listener,
    Provider,
    ProviderOptions,
    State,
    Want,
)

log = structlog.get_logger(__name__)

LINE = "all"
FEED = "push"
WAIT_MS = 100
RETRY_SECONDS = 1.0


def check(options: ProviderOptions) -> None:
    """Raises BadOptions."""
    if options.key or options.secret or options.feeds or options.url or options.stream_url:
        raise BadOptions(
            "PAPERTRADE_PROVIDER=push takes no PAPERTRADE_PROVIDER_ settings: quotes come with an API key."
        )


def provider(options: ProviderOptions, listener: Listener) -> Provider:
    """The provider of these options."""
    return PushedFeed(listener)


class PushedFeed:
    """Reads what the web processes have put on the stream. Everything that is pushed is heard, wanted or not."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    async def run(self) -> None:
        after = None
        while True:
            try:
                if after is None:
                    after = await asyncio.to_thread(pushes.read_to)
                after, quotes = await asyncio.to_thread(pushes.read, after, wait_ms=WAIT_MS)
            except pushes.PushesUnavailable as error:
                self._report(State.INTERRUPTED, str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._report(State.STREAMING)
            self._listener.hear(quotes)

    def want(self, wants: Sequence[Want]) -> None:
        self._listener.cover(LINE, Coverage([want.symbol for want in wants], (), ()))

    def want_chain(self, underlying: str) -> None:
        self._listener.hear_chain(Chain(underlying, (), "Pushed quotes have no chain of their own.", never=True))

    def _report(self, state: State, reason: str = "") -> None:
        self._listener.report(Line(LINE, FEED, Grade.PUSHED, state, reason))
