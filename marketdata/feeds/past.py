"""What a feed may know of the past: mid prices at given instants, for benchmarks and charts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable


@runtime_checkable
class KeepsPast(Protocol):
    """A feed that can say what a symbol was quoted at."""

    def mids(self, symbol: str, times: Sequence[datetime]) -> list[float | None]:
        """The middle of bid and ask at each of the times (USD, ascending); None before the first two-sided quote."""
