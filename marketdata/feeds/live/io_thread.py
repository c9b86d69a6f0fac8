"""The thread in which the provider of the feed leader runs, on an asyncio loop of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import structlog

from marketdata.feeds.live.protocol import Listener, Provider, Want

log = structlog.get_logger(__name__)

STOP_SECONDS = 3.0  # a provider closes its sockets within one
FIRST_RETRY_SECONDS = 1.0
LAST_RETRY_SECONDS = 30.0

Build = Callable[[Listener], Provider]


class IoThread:
    """Runs one provider from `start` to `stop`. A provider that raises, which none should, is built anew after a while."""

    def __init__(self, build: Build, listener: Listener) -> None:
        self._build, self._listener = build, listener
        self._wants: tuple[Want, ...] = ()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._provider: Provider | None = None
        self._started = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start it; returns once it takes calls."""
        self._thread = threading.Thread(target=self._main, name="live-feed", daemon=True)
        self._thread.start()
        self._started.wait()

    def stop(self) -> None:
        """Have the provider close its sockets, and end the thread."""
        thread, loop = self._thread, self._loop
        if thread is None or loop is None:
            return
        if thread.is_alive():
            self._call(lambda: self._task and self._task.cancel())
            thread.join(STOP_SECONDS)
        if thread.is_alive():
            log.warning("live_feed_does_not_stop")
        self._thread = None

    def want(self, wants: Sequence[Want]) -> None:
        """Tell the provider what is wanted from now on, where that has changed."""
        if tuple(wants) == self._wants:
            return
        self._wants = tuple(wants)
        self._call(self._pass_wants_on)

    def want_chain(self, underlying: str) -> None:
        """Have the provider fetch a chain."""
        self._call(partial(self._pass_chain_on, underlying))

    def _pass_wants_on(self) -> None:
        if self._provider is not None:
            self._provider.want(self._wants)

    def _pass_chain_on(self, underlying: str) -> None:
        if self._provider is not None:
            self._provider.want_chain(underlying)

    def _call(self, what: Callable[[], object]) -> None:
        if self._loop is not None and self._thread is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(what)

    def _main(self) -> None:
        asyncio.run(self._run_until_stopped(self._run()))

    async def _run_until_stopped(self, running: Coroutine[Any, Any, None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(running)
        self._started.set()
        await asyncio.wait([self._task])

    async def _run(self) -> None:
        wait = FIRST_RETRY_SECONDS
        while True:
            try:
                self._provider = self._build(self._listener)
                self._provider.want(self._wants)
                await self._provider.run()
                log.error("live_provider_ended")
            except Exception:
                log.exception("live_provider_failed")
            await asyncio.sleep(wait)
            wait = min(2 * wait, LAST_RETRY_SECONDS)
