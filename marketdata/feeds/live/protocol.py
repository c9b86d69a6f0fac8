"""What a provider of live quotes and the feed leader say to each other. Pure types.

The leader runs one provider in a thread of its own, on an asyncio loop. There the provider connects, reads and polls; what it
has heard it gives to the `Listener`, which keeps the newest quote of each symbol until the leader's next step takes them. So a
slow database never makes a slow client, and nothing of a provider ever runs under a lock or in a transaction.

Everything here is called on that loop: a provider needs no lock, and must not block.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import NamedTuple, Protocol

from marketdata.grades import Grade


class BadOptions(ValueError):
    """The settings of a provider cannot be used together; the message says what to change, and repeats no key."""


class State(StrEnum):
    """How a line is. REFUSED: the provider does not let us in (key, plan); tried again once a minute."""

    CONNECTING = "connecting"
    STREAMING = "streaming"
    POLLING = "polling"
    INTERRUPTED = "interrupted"
    REFUSED = "refused"


class Rank(IntEnum):
    """Why a symbol is wanted; the lower, the sooner it is streamed where not all can be."""

    ORDER = 1
    POSITION = 2
    UNDERLYING = 3
    CANARY = 4
    WATCHED = 5


class Want(NamedTuple):
    """A symbol that somebody needs quotes of."""

    symbol: str
    rank: Rank


class RawQuote(NamedTuple):
    """A quote as a provider gave it, in our words and units.

    Symbols are ours (`BRK.B`, `O:AAPL261218C00200000`). Prices in USD per share with at most 6 decimals, None where the side
    is absent (0, negative or missing on the wire), and its size then 0; sizes in shares or contracts, None where the feed has
    none. `quoted_at` is the exchange's time, aware UTC. `feed` names provider and feed (`alpaca:iex`), part of the evidence.
    `sequence` tells which of two quotes of one symbol and instant came later, where the provider numbers them.
    """

    symbol: str
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    quoted_at: datetime
    feed: str
    sequence: int = 0


class Contract(NamedTuple):
    """A listed option and its latest quote, or None where it has none. For display and estimates, never for fills."""

    symbol: str
    quote: RawQuote | None


@dataclass(frozen=True, slots=True)
class Chain:
    """The listed options of an underlying; where they could not be had, `problem` says why in a sentence.

    `never`: the provider lists no options at all, now or later.
    """

    underlying: str
    contracts: tuple[Contract, ...]
    problem: str = ""
    never: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One stream or polled market of a provider, and how it is now.

    `name` is `stocks` or `options`, or `all` where one connection carries both. `reason` is the provider's own sentence where
    it gave one, without keys. `symbol_limit`: as many symbols as it may stream at once, None = no limit known.
    """

    name: str
    feed: str
    grade: Grade
    state: State
    reason: str = ""
    symbol_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """How the wanted symbols of a line are served. `left_out`, by rank, get no quotes: neither stream nor polling has room."""

    streamed: Collection[str]
    polled: Collection[str]
    left_out: Sequence[str]


class Count(StrEnum):
    """What a provider counts; see `Listener.count`."""

    MESSAGES = "messages"  # quotes on the wire, good or bad
    BAD = "bad"  # messages that are no quote: `reason` says what was wrong, one word
    RECONNECTS = "reconnects"  # by reason: lost, mute, slow, seat_taken, refused
    GAP_SECONDS = "gap_seconds"  # without stream, in a session
    REST_CALLS = "rest_calls"  # by reason: seed, poll, chain
    REST_FAILURES = "rest_failures"  # by reason: limited, status, transport, unreadable


@dataclass(frozen=True, slots=True)
class ProviderOptions:
    """The operator's settings. Empty strings and None: the provider's own defaults."""

    key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    feeds: tuple[str, ...] = ()
    url: str = ""
    stream_url: str = ""
    symbol_limit: int | None = None
    delay: timedelta = timedelta(0)


class Listener(Protocol):
    """The leader's side."""

    @property
    def in_session(self) -> bool:
        """Whether the exchange is open: only then is silence a fault."""

    def give_way(self) -> None:
        """Call it before a frame is read: it blocks for a moment while the market makes a step."""

    def hear(self, quotes: Sequence[RawQuote]) -> None:
        """Quotes as they came, streamed, seeded or polled. Cheap: call it once a message. The newest `quoted_at` wins."""

    def hear_chain(self, chain: Chain) -> None:
        """The answer to `Provider.want_chain`."""

    def refuse_symbol(self, symbol: str) -> None:
        """The provider says that there is no such symbol: orders for it are refused for a day."""

    def report(self, line: Line) -> None:
        """A line's state, whenever it or its reason changes."""

    def cover(self, line: str, coverage: Coverage) -> None:
        """How a line serves what is wanted, whenever that changes."""

    def count(self, what: Count, amount: float = 1, *, reason: str = "") -> None:
        """Add to a counter."""


class Provider(Protocol):
    """One source of live quotes. Its module has `check(options)`, which raises BadOptions, and `provider(options, listener)`.

    A symbol that becomes wanted is subscribed at once, and seeded with one REST call for its latest quote; after a gap all
    wanted ones are seeded again. So a symbol has a quote within about a second, however quiet it is. Which symbols are
    streamed where not all can be, `allotment` decides for every provider alike.
    """

    async def run(self) -> None:
        """Connect, stream, poll and connect again until cancelled; then close the sockets with a close frame, within a second.

        Raises nothing that network or provider can cause: that is said by `Listener.report`.
        """

    def want(self, wants: Sequence[Want]) -> None:
        """What is wanted from now on, all of it, by rank, the newest asked first within one. Before `run`, and on change."""

    def want_chain(self, underlying: str) -> None:
        """Fetch the listed options of a stock. At most once a minute for each; answered by `Listener.hear_chain`."""
