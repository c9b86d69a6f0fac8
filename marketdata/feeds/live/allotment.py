"""Which of the wanted symbols a line streams, which it polls, and which are left out. Pure.

The better rank is streamed, whatever was before. Within one rank a symbol that has just changed places stays for a while:
otherwise pages that ask in turn would have the subscriptions change with every look.
"""

from collections.abc import Sequence

from marketdata.feeds.live.protocol import Coverage, Want

STAYS_SECONDS = 10.0


class Allotment:
    """The places of one line. None = no limit."""

    def __init__(self, *, stream_limit: int | None, poll_limit: int | None) -> None:
        self.stream_limit = stream_limit  # a provider that learns its plan's limit sets it anew
        self.poll_limit = poll_limit
        self._streamed: frozenset[str] = frozenset()
        self._moved: dict[str, float] = {}  # since when each wanted symbol is where it is

    def choose(self, wants: Sequence[Want], *, now: float) -> Coverage:
        """Places for all of `wants`, which come by rank and within one the most wanted first; `now` in seconds, monotonic."""
        ranked = sorted(wants, key=lambda want: (want.rank, self._pull(want.symbol, now)))
        symbols = list(dict.fromkeys(want.symbol for want in ranked))
        streamed = symbols[: self.stream_limit]
        rest = symbols[len(streamed) :]
        polled = rest[: self.poll_limit]
        self._remember(symbols, frozenset(streamed), now)
        return Coverage(tuple(streamed), tuple(polled), tuple(rest[len(polled) :]))

    def _pull(self, symbol: str, now: float) -> int:
        """Before or after the others of its rank: a symbol that has moved of late stays where it is."""
        moved = self._moved.get(symbol)
        if moved is None or now - moved >= STAYS_SECONDS:
            return 0
        return -1 if symbol in self._streamed else 1

    def _remember(self, symbols: Sequence[str], streamed: frozenset[str], now: float) -> None:
        before, known = self._streamed, self._moved
        stays = {symbol for symbol in symbols if symbol in known and (symbol in before) == (symbol in streamed)}
        self._moved = {symbol: known[symbol] if symbol in stays else now for symbol in symbols}
        self._streamed = streamed
