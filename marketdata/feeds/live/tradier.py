"""Tradier: national quotes of stocks and options by polling; a sandbox key gives them 15 minutes late.

Wire facts: https://docs.tradier.com. One result comes as an object, several as a list, none as null. Each side has a time
of its own. Stock sizes are said to be in hundreds, but were so before the SIP went to shares, too: read as shares, the
smaller, until somebody has compared them.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from marketdata.feeds.live import reading
from marketdata.feeds.live.dialect import HTTP, ChainPage, Latest, Market, Request, checked_url
from marketdata.feeds.live.lines import LiveProvider
from marketdata.feeds.live.pace import Pace
from marketdata.feeds.live.protocol import BadOptions, Contract, Grade, Listener, Provider, ProviderOptions, RawQuote
from marketdata.feeds.live.reading import Unreadable

NAME = "tradier"
SYMBOLS_A_CALL = 100
SIDES_APART = timedelta(seconds=15)  # the usual bound of a quote's age: sides further apart are as old as the older
CANARY = "SPY"


class Feed(NamedTuple):
    """One of Tradier's servers."""

    url: str
    grade: Grade
    calls_a_minute: int


FEEDS = {
    "sandbox": Feed("https://sandbox.tradier.com/v1", Grade.DELAYED, 60),
    "production": Feed("https://api.tradier.com/v1", Grade.NBBO, 120),
}
DEFAULT_FEEDS = ("sandbox",)


def check(options: ProviderOptions) -> None:
    """Raises BadOptions where these settings cannot be used together."""
    markets(options)


def provider(options: ProviderOptions, listener: Listener, *, pace: Pace | None = None) -> Provider:
    """The provider that these settings ask for. Raises BadOptions."""
    return LiveProvider(markets(options), listener, pace=pace)


def markets(options: ProviderOptions) -> list[Market]:
    """The one line, of stocks and options together. Raises BadOptions."""
    if not options.key:
        raise BadOptions("Tradier needs PAPERTRADE_PROVIDER_KEY: the access token of the sandbox, or of an account.")
    if options.secret:
        raise BadOptions("Tradier has one token and no secret: leave PAPERTRADE_PROVIDER_SECRET empty.")
    if options.stream_url:
        raise BadOptions("Tradier is polled and not streamed here: leave PAPERTRADE_PROVIDER_STREAM_URL empty.")
    names = tuple(dict.fromkeys(options.feeds)) or DEFAULT_FEEDS
    if len(names) != 1 or names[0] not in FEEDS:
        raise BadOptions(f"Tradier has one feed at a time: PAPERTRADE_PROVIDER_FEEDS must be {' or '.join(FEEDS)}.")
    name = names[0]
    feed = FEEDS[name]
    if feed.grade is Grade.DELAYED and not options.delay:
        raise BadOptions("Tradier's sandbox is 15 minutes late: set PAPERTRADE_DELAY_SECONDS=910.")
    if feed.grade is not Grade.DELAYED and options.delay:
        raise BadOptions(
            "PAPERTRADE_DELAY_SECONDS is for feeds that are late, and Tradier's production is not: set it to 0."
        )
    url = checked_url("PAPERTRADE_PROVIDER_URL", options.url, feed.url, HTTP)
    rest = Rest(url, f"{NAME}:{name}", options.key, feed.calls_a_minute)
    market = Market(
        name="all",
        feed=rest.feed,
        grade=feed.grade,
        takes=lambda symbol: True,
        rest=rest,
        chains=rest,
        symbol_limit=options.symbol_limit,
        secrets=(options.key,),
        canary=CANARY,
        test=CANARY,
    )
    return [market]


class Rest:
    """Latest quotes of stocks and options in one call, and chains: the expiries, then one call for each."""

    symbols_a_call = SYMBOLS_A_CALL
    calls_at_once = 1
    unknown_symbol: Collection[int] = ()

    def __init__(self, url: str, feed: str, key: str, calls_a_minute: int) -> None:
        self.url, self.feed, self.calls_a_minute = url, feed, calls_a_minute
        self.headers: Mapping[str, str] = {"Authorization": f"Bearer {key}", "Accept": "application/json"}

    def latest(self, symbols: Sequence[str]) -> Request:
        return Request("/markets/quotes", {"symbols": ",".join(map(theirs, symbols))})

    def read_latest(self, answer: Any, symbols: Sequence[str]) -> Latest:
        found = _part(answer, "quotes")
        quotes: list[RawQuote] = []
        bad: list[Unreadable] = []
        for item in _several(found.get("quote")):
            try:
                quotes.append(read_quote(item, ours(item.get("symbol")), self.feed))
            except Unreadable as fault:
                bad.append(fault)
        return Latest(quotes, bad, tuple(_unmatched(found.get("unmatched_symbols"))))

    def chain(self, underlying: str, page: str) -> Request:
        symbol = theirs(underlying)
        if not page:
            return Request("/markets/options/expirations", {"symbol": symbol, "includeAllRoots": "false"})
        return Request(
            "/markets/options/chains", {"symbol": symbol, "expiration": page.partition(",")[0], "greeks": "false"}
        )

    def read_chain(self, answer: Any, page: str) -> ChainPage:
        """The first page names the expiries; each of the others has the contracts of one."""
        if not page:
            return ChainPage((), ",".join(_dates(_part(answer, "expirations").get("date"))))
        contracts = []
        for item in _several(_part(answer, "options").get("option")):
            try:
                symbol = ours(item.get("symbol"))
            except Unreadable:
                continue  # an adjusted or unheard-of contract: not one that can be traded here
            try:
                contracts.append(Contract(symbol, read_quote(item, symbol, self.feed)))
            except Unreadable:
                contracts.append(Contract(symbol, None))
        return ChainPage(contracts, page.partition(",")[2])


def theirs(symbol: str) -> str:
    """Our symbol as Tradier writes it: `BRK/B`, and options without `O:`."""
    return reading.to_plain_occ(symbol) if reading.is_option(symbol) else symbol.replace(".", "/")


def ours(name: Any) -> str:
    """The other way. Raises Unreadable."""
    if isinstance(name, str) and len(name) > LONGEST_STOCK:
        return reading.from_plain_occ(name)
    return reading.same_symbol(name.replace("/", ".") if isinstance(name, str) and "." not in name else name)


LONGEST_STOCK = len("ABCDE/FG")


def read_quote(item: Mapping[str, Any], symbol: str, feed: str) -> RawQuote:
    """A quote of either endpoint. Raises Unreadable."""
    bid, bid_at = _side(item, "bid")
    ask, ask_at = _side(item, "ask")
    times = [at for at in (bid_at, ask_at) if at is not None]
    if not times:
        raise Unreadable("time", "neither side has a time")
    apart = max(times) - min(times) > SIDES_APART
    return RawQuote(
        symbol,
        bid,
        ask,
        reading.side_size(bid, item.get("bidsize")),
        reading.side_size(ask, item.get("asksize")),
        min(times) if apart else max(times),
        feed,
    )


def _side(item: Mapping[str, Any], side: str) -> tuple[Decimal | None, datetime | None]:
    """Price and time of a side, both None where nobody quotes it."""
    price = reading.price(item.get(side))
    at = item.get(f"{side}_date")
    if price is None or at in (None, 0):
        return (None, None) if price is None else (price, None)
    return price, reading.from_milliseconds(at)


def _part(answer: Any, key: str) -> Mapping[str, Any]:
    """A part of an answer; where there is nothing it is null. Raises Unreadable."""
    if not isinstance(answer, dict) or key not in answer:
        raise Unreadable("shape", f"the answer has no {key}")
    found = answer[key]
    if found is None or found == "null":
        return {}
    return reading.one_object(found)


def _several(found: Any) -> Iterator[dict[str, Any]]:
    return iter(()) if found is None else reading.objects(found)


def _unmatched(found: Any) -> Iterator[str]:
    names = found.get("symbol") if isinstance(found, dict) else None
    for name in names if isinstance(names, list) else [names]:
        try:
            yield ours(name)
        except Unreadable:
            continue


def _dates(found: Any) -> Iterator[str]:
    for day in found if isinstance(found, list) else [found]:
        try:
            yield date.fromisoformat(day).isoformat()
        except (TypeError, ValueError):
            continue
