"""Massive (once Polygon.io): national quotes of stocks and options, for plans that include quotes.

Wire facts: https://massive.com/docs. Only the highest plan of each market has quotes.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from marketdata.feeds.live import massive_dialect, reading
from marketdata.feeds.live.dialect import HTTP, WEBSOCKET, ChainPage, Latest, Market, Request, checked_url
from marketdata.feeds.live.lines import LiveProvider
from marketdata.feeds.live.pace import Pace
from marketdata.feeds.live.protocol import BadOptions, Grade, Listener, Provider, ProviderOptions

NAME = "massive"
URL = "https://api.massive.com"
STREAM_URL = "wss://socket.massive.com"
DELAYED_STREAM_URL = "wss://delayed.massive.com"
FEEDS = ("stocks", "options")
SYMBOL_LIMITS = {"stocks": None, "options": 1_000}  # contracts a connection
SYMBOLS_A_CALL = 250
CONTRACTS_A_PAGE = 250
CALLS_A_MINUTE = 600  # the plans with quotes are not limited; this is what we ask at most
CANARY = "SPY"


def check(options: ProviderOptions) -> None:
    """Raises BadOptions where these settings cannot be used together."""
    markets(options)


def provider(options: ProviderOptions, listener: Listener, *, pace: Pace | None = None) -> Provider:
    """The provider that these settings ask for. Raises BadOptions."""
    return LiveProvider(markets(options), listener, pace=pace)


def markets(options: ProviderOptions) -> list[Market]:
    """The lines that the settings ask for. Raises BadOptions."""
    if not options.key:
        raise BadOptions("Massive needs PAPERTRADE_PROVIDER_KEY.")
    if options.secret:
        raise BadOptions("Massive has one key and no secret: leave PAPERTRADE_PROVIDER_SECRET empty.")
    if unknown := sorted(set(options.feeds) - set(FEEDS)):
        raise BadOptions(
            f"Massive has no feed {', '.join(unknown)}; PAPERTRADE_PROVIDER_FEEDS may name {', '.join(FEEDS)}."
        )
    url = checked_url("PAPERTRADE_PROVIDER_URL", options.url, URL, HTTP)
    default = DELAYED_STREAM_URL if options.delay else STREAM_URL
    stream_url = checked_url("PAPERTRADE_PROVIDER_STREAM_URL", options.stream_url, default, WEBSOCKET)
    return [_market(name, options, url, stream_url) for name in dict.fromkeys(options.feeds or FEEDS)]


def _market(name: str, options: ProviderOptions, url: str, stream_url: str) -> Market:
    is_options = name == "options"
    feed = f"{NAME}:{name}{'-delayed' if options.delay else ''}"
    rest = Rest(url, feed, options.key)
    return Market(
        name=name,
        feed=feed,
        grade=Grade.DELAYED if options.delay else Grade.NBBO,
        takes=reading.is_option if is_options else reading.is_stock,
        stream=massive_dialect.QuoteStream(f"{stream_url}/{name}", feed, key=options.key),
        rest=rest,
        chains=rest if is_options else None,
        symbol_limit=options.symbol_limit or SYMBOL_LIMITS[name],
        secrets=(options.key,),
        canary="" if is_options else CANARY,
        test="" if is_options else CANARY,
    )


class Rest:
    """Latest quotes and chains."""

    symbols_a_call = SYMBOLS_A_CALL
    calls_a_minute = CALLS_A_MINUTE
    calls_at_once = 2
    unknown_symbol: Collection[int] = ()

    def __init__(self, url: str, feed: str, key: str) -> None:
        self.url, self.feed = url, feed
        self.headers: Mapping[str, str] = {"Authorization": f"Bearer {key}"}

    def latest(self, symbols: Sequence[str]) -> Request:
        return Request("/v3/snapshot", {"ticker.any_of": ",".join(symbols), "limit": str(SYMBOLS_A_CALL)})

    def read_latest(self, answer: Any, symbols: Sequence[str]) -> Latest:
        return massive_dialect.read_snapshots(answer, self.feed)

    def chain(self, underlying: str, page: str) -> Request:
        first = {"limit": str(CONTRACTS_A_PAGE)}
        return Request(f"/v3/snapshot/options/{underlying}", massive_dialect.page_parameters(page) if page else first)

    def read_chain(self, answer: Any, page: str) -> ChainPage:
        return massive_dialect.read_chain(answer, self.feed)
