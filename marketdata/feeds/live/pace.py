"""The clock of a provider's loops. A test takes a faster one, so that it need not wait for what takes a minute."""

import asyncio
import time


class Pace:
    """Seconds as the loops count them; `speed` of them pass in one real second, and `network_speed` of those that sockets have
    for an answer: a busy machine answers no faster because a clock runs faster.
    """

    def __init__(self, speed: float = 1.0, *, network_speed: float = 1.0) -> None:
        self.speed, self.network_speed = speed, network_speed

    def seconds(self) -> float:
        """A monotonic count of seconds."""
        return time.monotonic() * self.speed

    def real(self, seconds: float) -> float:
        """So many seconds of the loops, in real ones."""
        return seconds / self.speed

    def network(self, seconds: float) -> float:
        """So many seconds that a socket has for an answer, in real ones."""
        return seconds / self.network_speed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(self.real(seconds))

    async def until(self, event: asyncio.Event, seconds: float) -> bool:
        """Wait for the event, at most so long; whether it came."""
        try:
            await asyncio.wait_for(event.wait(), self.real(max(seconds, 0)))
        except TimeoutError:
            return False
        return True
