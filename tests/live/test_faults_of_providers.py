"""Faults of a provider, each on a real socket: what the line says, what is asked again, and that quotes come again afterwards.

The clock of our side runs `speed` times as fast, so that a minute of patience is three seconds of waiting.
"""

import asyncio
from typing import Any

import pytest

from marketdata.feeds.live import alpaca, massive
from marketdata.feeds.live.protocol import State
from tests.live.kit import World, serving
from tests.live.provider import FakeProvider, Quoted

STREAMED = [alpaca, massive]


async def streaming(world: World, symbol: str = "AAPL") -> Any:
    """Wait for the stream, and for one quote over it."""
    await world.state(State.STREAMING)
    peer = await world.fake.peer()
    before = len(world.notes.heard(symbol))
    await world.fake.quote(Quoted(symbol))
    await world.until(lambda: len(world.notes.heard(symbol)) > before)
    return peer


@pytest.mark.parametrize("module", STREAMED)
def test_from_the_handshake_to_a_quote(module: Any) -> None:
    async def scenario() -> None:
        fake = FakeProvider()
        fake.latest = {"AAPL": Quoted("AAPL", 99.0, 99.2)}
        async with serving(module, "AAPL", fake=fake, feeds=() if module is alpaca else ("stocks",)) as world:
            await world.until(lambda: world.notes.heard("AAPL"))  # seeded by REST, before anything is streamed
            assert world.notes.heard("AAPL")[0].bid == 99
            await streaming(world)
            assert world.notes.heard("AAPL")[-1].bid == 100
            assert world.notes.states() == [State.CONNECTING, State.STREAMING]
            assert world.notes.coverage["stocks"] == (("AAPL",), (), ()) or world.notes.coverage["stocks"].streamed == (
                "AAPL",
            )
        # Left with a close frame, which frees the seat at once.
        await asyncio.sleep(0)

    asyncio.run(scenario())
