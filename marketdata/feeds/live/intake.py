"""What a provider has said since the leader's last step: the newest quote of each symbol, and how its lines are.

The provider adds from the I/O thread, the step takes from the main one. Memory is bounded by the number of symbols, however
long a step takes: of the quotes between two steps only the newest of each symbol is kept, the others are counted.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from marketdata.feeds.live.protocol import Chain, Count, Coverage, Line, RawQuote

GIVE_WAY_SECONDS = 0.05
MAX_SYMBOLS = 20_000  # far above what any provider streams; a pusher that invents symbols ends here

CONFLATED = "conflated"
TAKEN = "taken"
REFUSED = "refused"
OUT_OF_ORDER = "out_of_order"
DUPLICATE = "duplicate"
CROWDED = "crowded"

Counted = dict[tuple[str, str], float]  # by (what, reason)


@dataclass(frozen=True, slots=True)
class LineState:
    """A line and how it serves what is wanted."""

    line: Line
    coverage: Coverage


class Intake:
    """The leader's `Listener`."""

    def __init__(self) -> None:
        self.in_session = False
        self._lock = threading.Lock()
        self._newest: dict[str, RawQuote] = {}
        self._chains: list[Chain] = []
        self._refused: set[str] = set()
        self._lines: dict[str, Line] = {}
        self._coverage: dict[str, Coverage] = {}
        self._counted: Counted = defaultdict(float)
        self._free = threading.Event()  # no step is being made
        self._free.set()
        self._way_given_until = 0.0  # of the monotonic clock

    # --- from the provider --------------------------------------------------------------------------------------------

    def hear(self, quotes: Sequence[RawQuote]) -> None:
        """Keep the newest of each symbol, by the exchange's time; of two of one instant the later."""
        with self._lock:
            newest, counted = self._newest, self._counted
            for quote in quotes:
                known = newest.get(quote.symbol)
                if known is None:
                    if len(newest) >= MAX_SYMBOLS:
                        counted[REFUSED, CROWDED] += 1
                        continue
                elif (quote.quoted_at, quote.sequence) < (known.quoted_at, known.sequence):
                    counted[REFUSED, OUT_OF_ORDER] += 1
                    continue
                else:
                    counted[CONFLATED, ""] += 1
                newest[quote.symbol] = quote

    def give_way(self) -> None:
        """Wait for a step that has just begun, a moment at most: never so long that a provider would call us slow."""
        left = self._way_given_until - time.monotonic()
        if left > 0:
            self._free.wait(left)

    def hear_chain(self, chain: Chain) -> None:
        with self._lock:
            self._chains.append(chain)

    def refuse_symbol(self, symbol: str) -> None:
        with self._lock:
            self._refused.add(symbol)

    def report(self, line: Line) -> None:
        with self._lock:
            self._lines[line.name] = line

    def cover(self, line: str, coverage: Coverage) -> None:
        with self._lock:
            self._coverage[line] = coverage

    def count(self, what: Count, amount: float = 1, *, reason: str = "") -> None:
        with self._lock:
            self._counted[str(what), reason] += amount

    # --- to the leader ------------------------------------------------------------------------------------------------

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Make a step: whoever gives way waits for its end."""
        self._way_given_until = time.monotonic() + GIVE_WAY_SECONDS
        self._free.clear()
        try:
            yield
        finally:
            self._free.set()

    def take_quotes(self) -> list[RawQuote]:
        """What was heard since the last call, by the exchange's time, then by symbol."""
        with self._lock:
            heard, self._newest = self._newest, {}
        return sorted(heard.values(), key=lambda quote: (quote.quoted_at, quote.symbol))

    def take_chains(self) -> list[Chain]:
        """The chains that were fetched since the last call."""
        with self._lock:
            chains, self._chains = self._chains, []
        return chains

    def take_refused(self) -> set[str]:
        """The symbols that the provider refused since the last call."""
        with self._lock:
            refused, self._refused = self._refused, set()
        return refused

    def count_outcomes(self, outcomes: Mapping[str, int]) -> None:
        """How many of the quotes were taken, how many gave way to newer ones, and how many were refused for which reason."""
        with self._lock:
            for outcome, number in outcomes.items():
                self._counted[(outcome, "") if outcome in {TAKEN, CONFLATED} else (REFUSED, outcome)] += number

    def take_counted(self) -> Counted:
        """What was counted since the last call."""
        with self._lock:
            counted, self._counted = self._counted, defaultdict(float)
        return counted

    def lines(self) -> list[LineState]:
        """Every line that has reported, by name."""
        with self._lock:
            return [
                LineState(line, self._coverage.get(name, Coverage((), (), ())))
                for name, line in sorted(self._lines.items())
            ]
