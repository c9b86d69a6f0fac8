"""The provider of P8, in a process of its own: `python -m benchmarks.storm DELAY_SECONDS SYMBOL...`.

Alpaca as the tests fake it, read by its own client library there. Prints its port. "storm" on its input begins QUOTES_A_SECOND
quotes, symbol by symbol, stamped DELAY_SECONDS ago, and "calm" ends them; each is answered by a line of JSON: what was said so
far, and how many connections there were. In a calm it says a hundred a second: a stream that says nothing at all is given up.
"""

import asyncio
import json
import random
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count, cycle, islice

from websockets.exceptions import ConnectionClosed

from tests.live.provider import FakeProvider

QUOTES_A_SECOND = 20_000
FRAME_QUOTES = 100
BURST_SECONDS = 0.02


class Storm:
    """Says quotes to whoever is connected, whatever he has subscribed to, while it blows."""

    def __init__(self, fake: FakeProvider, delay: timedelta, symbols: list[str]) -> None:
        self._fake, self._delay = fake, delay
        self._symbols, self._rng = cycle(symbols), random.Random(8)
        self.blows = asyncio.Event()
        self.said = 0

    async def run(self) -> None:
        """At the rate of now."""
        while True:
            await self._say()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.blows.wait(), 1)
            began = time.monotonic()
            for burst in count(1):
                if not self.blows.is_set():
                    break
                for _ in range(round(QUOTES_A_SECOND * BURST_SECONDS / FRAME_QUOTES)):
                    await self._say()
                await asyncio.sleep(max(0.0, began + burst * BURST_SECONDS - time.monotonic()))

    async def _say(self) -> None:
        frame = self._frame()
        for peer in list(self._fake.peers):
            with suppress(ConnectionClosed):  # he comes back, and is counted
                await peer.socket.send(frame)
                self.said += FRAME_QUOTES

    def _frame(self) -> str:
        at = (datetime.now(UTC) - self._delay).isoformat().replace("+00:00", "Z")
        return "[" + ",".join(self._quote(symbol, at) for symbol in islice(self._symbols, FRAME_QUOTES)) + "]"

    def _quote(self, symbol: str, at: str) -> str:
        cents = self._rng.randrange(10_000)
        return (
            f'{{"T":"q","S":"{symbol}","bx":"V","bp":{100 + cents / 100:.2f},"bs":200,"ax":"V","ap":{100.05 + cents / 100:.2f},'
            f'"as":300,"c":["R"],"z":"C","t":"{at}"}}'
        )


async def main(delay: timedelta, symbols: list[str]) -> None:
    """Until the input ends."""
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    async with FakeProvider() as fake:
        storm = Storm(fake, delay, symbols)
        blowing = asyncio.ensure_future(storm.run())
        print(fake.port, flush=True)
        while word := (await lines.readline()).decode().strip():
            (storm.blows.set if word == "storm" else storm.blows.clear)()
            print(json.dumps({"said": storm.said, "connections": len(fake.opened)}), flush=True)
        blowing.cancel()


if __name__ == "__main__":
    asyncio.run(main(timedelta(seconds=int(sys.argv[1])), sys.argv[2:]))
