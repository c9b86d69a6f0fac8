"""CuteMarkets: national quotes of stocks and options over one connection.

The stream forwards Massive's messages and logs in by the handshake. A user has one connection across all keys and both
markets, so one market is streamed and the other polled. Quotes need the plans Expert or Commercial of each market.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from marketdata.feeds.live import massive_dialect, reading
from marketdata.feeds.live.dialect import HTTP, WEBSOCKET, ChainPage, Latest, Market, Request, checked_url
from marketdata.feeds.live.lines import LiveProvider
from marketdata.feeds.live.pace import Pace
from marketdata.feeds.live.protocol import BadOptions, Grade, Listener, Provider, ProviderOptions

NAME = "cutemarkets"
URL = "https://api.cutemarkets.com"
STREAM_URL = "wss://api.cutemarkets.com"
FEEDS = ("stocks", "options")
CALLS_A_MINUTE = 600  # the plans with quotes are not limited; this is what we ask at most
CALLS_AT_ONCE = 4  # one symbol a call
CANARY = "SPY"


def check(options: ProviderOptions) -> None:
    """Raises BadOptions where these settings cannot be used together."""
    markets(options)


def provider(options: ProviderOptions, listener: Listener, *, pace: Pace | None = None) -> Provider:
    """The provider that these settings ask for. Raises BadOptions."""
    return LiveProvider(markets(options), listener, pace=pace, one_connection=True)


def markets(options: ProviderOptions) -> list[Market]:
    """The lines that the settings ask for. Raises BadOptions."""
    if not options.key:
        raise BadOptions("CuteMarkets needs PAPERTRADE_PROVIDER_KEY.")
    if unknown := sorted(set(options.feeds) - set(FEEDS)):
        raise BadOptions(
            f"CuteMarkets has no feed {', '.join(unknown)}; PAPERTRADE_PROVIDER_FEEDS may name {', '.join(FEEDS)}."
        )
    feeds = tuple(dict.fromkeys(options.feeds)) or FEEDS
    if options.secret and len(feeds) == 1:
        raise BadOptions(
            "PAPERTRADE_PROVIDER_SECRET is the key of the options' plan beside that of the stocks': one feed needs one key."
        )
    if options.delay:
        raise BadOptions(
            "PAPERTRADE_DELAY_SECONDS is for feeds that are late, and CuteMarkets' quotes are not: set it to 0."
        )
    url = checked_url("PAPERTRADE_PROVIDER_URL", options.url, URL, HTTP)
    stream_url = checked_url("PAPERTRADE_PROVIDER_STREAM_URL", options.stream_url, STREAM_URL, WEBSOCKET)
    return [_market(name, options, url, stream_url) for name in feeds]


def _market(name: str, options: ProviderOptions, url: str, stream_url: str) -> Market:
    is_options = name == "options"
    key = options.secret if is_options and options.secret else options.key
    feed = f"{NAME}:{name}"
    headers = {"Authorization": f"Bearer {key}"}
    rest = Rest(url, feed, name, headers)
    return Market(
        name=name,
        feed=feed,
        grade=Grade.NBBO,
        takes=reading.is_option if is_options else reading.is_stock,
        stream=massive_dialect.QuoteStream(f"{stream_url}/v1/ws/{name}/", feed, headers=headers),
        rest=rest,
        chains=rest if is_options else None,
        symbol_limit=options.symbol_limit,
        secrets=(options.key, options.secret),
        canary="" if is_options else CANARY,
        test="" if is_options else CANARY,
    )


class Rest:
    """Latest quotes, one symbol a call, and chains."""

    symbols_a_call = 1
    calls_a_minute = CALLS_A_MINUTE
    calls_at_once = CALLS_AT_ONCE
    unknown_symbol: Collection[int] = (404,)

    def __init__(self, url: str, feed: str, market: str, headers: Mapping[str, str]) -> None:
        self.url, self.feed, self.market, self.headers = url, feed, market, headers

    def latest(self, symbols: Sequence[str]) -> Request:
        return Request(
            f"/v1/{self.market}/quotes/{symbols[0]}/last/", {"timeframe": "live"} if self.market == "options" else {}
        )

    def read_latest(self, answer: Any, symbols: Sequence[str]) -> Latest:
        return Latest([massive_dialect.read_last(answer, symbols[0], self.feed)])

    def chain(self, underlying: str, page: str) -> Request:
        return Request(f"/v1/options/chain/{underlying}/", massive_dialect.page_parameters(page) if page else {})

    def read_chain(self, answer: Any, page: str) -> ChainPage:
        return massive_dialect.read_chain(answer, self.feed)
