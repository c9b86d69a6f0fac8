"""What a provider's own file says, so that the loops can be shared: how its stream and its REST interface speak. Pure types.

A dialect turns symbols into frames and requests, and frames and answers into quotes and controls. It opens nothing, waits for
nothing and keeps nothing but its options, so it is tested by tables; `stream` and `fetching` do the rest.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import ip_address
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

from marketdata.feeds.live.protocol import BadOptions, Contract, Grade, RawQuote
from marketdata.feeds.live.reading import Unreadable

Frame = str | bytes


HTTP = ("https", "http")
WEBSOCKET = ("wss", "ws")


class Said(StrEnum):
    """What a stream says that is no quote."""

    HELLO = "hello"  # it listens: log in now
    READY = "ready"  # we are in
    SUBSCRIBED = "subscribed"  # to `symbols`
    LIMIT = "limit"  # the last subscription goes beyond the plan's number of symbols; nothing of it was done
    BAD_SYMBOL = "bad_symbol"  # the last subscription has a symbol that it does not know; nothing of it was done
    REFUSED = "refused"  # key or plan: trying again at once would be no use
    SEAT_TAKEN = "seat_taken"  # another connection of the same user has the only place
    SLOW = "slow"  # it lets us go, as we read too slowly
    OVER = "over"  # it lets us go for another reason
    NOTE = "note"  # nothing to do


@dataclass(frozen=True, slots=True)
class Control:
    """One such message; `sentence` is the provider's own."""

    said: Said
    sentence: str = ""
    symbols: Collection[str] = ()


Heard = RawQuote | Control | Unreadable


class StreamDialect(Protocol):
    """A stream of one provider and market. `headers` hold keys: they are sent and never shown."""

    url: str
    headers: Mapping[str, str]
    asks_login: bool  # False where the headers of the handshake are all there is

    def login(self) -> Frame: ...

    def subscribe(self, symbols: Sequence[str]) -> Frame: ...

    def unsubscribe(self, symbols: Sequence[str]) -> Frame: ...

    def read(self, frame: Frame) -> Iterator[Heard]:
        """What a frame says. Raises Unreadable where it says nothing at all, and nothing else."""


class Request(NamedTuple):
    """A GET below the REST address."""

    path: str
    params: Mapping[str, str] = {}


class Latest(NamedTuple):
    """The answer to a request for latest quotes."""

    quotes: Sequence[RawQuote]
    bad: Sequence[Unreadable] = ()
    unknown: Sequence[str] = ()  # symbols of which the provider says that they do not exist


class ChainPage(NamedTuple):
    """A part of a chain, and how to ask for the next one; `page` is empty at the end."""

    contracts: Sequence[Contract]
    page: str = ""


class RestDialect(Protocol):
    """A REST interface of one provider and market. What cannot be read raises Unreadable, and nothing else."""

    url: str
    headers: Mapping[str, str]
    symbols_a_call: int
    calls_a_minute: int
    calls_at_once: int
    unknown_symbol: Collection[int]  # the HTTP statuses by which it says that it does not know a symbol

    def latest(self, symbols: Sequence[str]) -> Request: ...

    def read_latest(self, answer: Any, symbols: Sequence[str]) -> Latest: ...


class ChainDialect(RestDialect, Protocol):
    """One that lists the options of a stock too, page by page; the first page is named by an empty word."""

    def chain(self, underlying: str, page: str) -> Request: ...

    def read_chain(self, answer: Any, page: str) -> ChainPage: ...


@dataclass(frozen=True, slots=True)
class Market:
    """One line of a provider: which symbols it takes, what its quotes are, and how to get them."""

    name: str
    feed: str
    grade: Grade
    takes: Callable[[str], bool]
    stream: StreamDialect | None = None
    rest: RestDialect | None = None
    chains: ChainDialect | None = None
    symbol_limit: int | None = None
    secrets: Collection[str] = field(default=(), repr=False)  # never to be seen in what the provider is quoted with
    canary: str = ""  # a symbol that is never silent for long while the exchange is open
    test: str = ""  # a symbol that `check_provider` may ask for at any hour


def is_loopback(url: str) -> bool:
    """Whether the address stays on this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def checked_url(name: str, given: str, default: str, schemes: tuple[str, str]) -> str:
    """The address in force, without a slash at its end. `schemes` are the encrypted one and the plain one, which may
    only be used within this machine, as keys are sent along. Raises BadOptions.
    """
    url = (given or default).rstrip("/")
    secure, plain = schemes
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise BadOptions(f"{name} is not an address.") from None
    if parts.username or parts.password or parts.query or parts.fragment:
        raise BadOptions(
            f"{name} must be an address alone, without user, password or query: keys have settings of their own."
        )
    if parts.scheme == secure and parts.hostname:
        return url
    if parts.scheme == plain and is_loopback(url):
        return url
    raise BadOptions(
        f"{name} must begin with {secure}://: the key is sent to it, so only this machine may be asked in the clear."
    )
