"""The fake provider is true: the providers' own client libraries, unmodified, read from it what was put in."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from alpaca.data.historical import OptionHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.live import OptionDataStream, StockDataStream
from alpaca.data.requests import OptionChainRequest, OptionLatestQuoteRequest, StockLatestQuoteRequest
from cutemarkets import CuteMarkets
from cutemarkets.errors import AuthenticationError
from massive import RESTClient, WebSocketClient
from massive.exceptions import AuthError

from tests.live.provider import KEY, SECRET, Quoted, ThreadedProvider, in_a_thread

AT = datetime(2026, 11, 25, 15, 30, 0, 123456, tzinfo=UTC)
CALL, PUT = "O:AAPL261218C00200000", "O:AAPL261218P00200000"
STOCK_QUOTE = Quoted("AAPL", 183.505, 183.52, 200, 300, AT)
OPTION_QUOTE = Quoted(CALL, 9.1, 9.35, 4, 5, AT)
SECONDS = 60.0  # of a loaded machine


@pytest.fixture
def provider() -> Iterator[ThreadedProvider]:
    with in_a_thread() as running:
        running.fake.latest = {"AAPL": STOCK_QUOTE, CALL: OPTION_QUOTE}
        running.fake.contracts = [CALL, PUT, "O:AAPL270115C00200000"]
        yield running


def streamed(provider: ThreadedProvider, quote: Quoted, got: list[Any]) -> Any:
    """Send the quote until the client has it."""
    until = time.monotonic() + SECONDS
    while not got and time.monotonic() < until:
        provider.quote(quote)
        time.sleep(0.05)
    return got[0]


def in_background(run: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("client", "path", "quote"),
    [(StockDataStream, "v2/iex", STOCK_QUOTE), (OptionDataStream, "v1beta1/indicative", OPTION_QUOTE)],
)
def test_alpaca_stream(provider: ThreadedProvider, client: Any, path: str, quote: Quoted) -> None:
    stream, got = client(KEY, SECRET, url_override=f"{provider.fake.ws_url}/{path}"), []

    async def keep(found: Any) -> None:
        got.append(found)

    stream.subscribe_quotes(keep, quote.occ)
    thread = in_background(stream.run)
    found = streamed(provider, quote, got)
    stream.stop()
    provider.quote(quote)  # it looks whether it was stopped when something comes
    thread.join(SECONDS)
    assert (found.symbol, found.bid_price, found.ask_price, found.bid_size, found.ask_size) == (
        quote.occ,
        quote.bid,
        quote.ask,
        quote.bid_size,
        quote.ask_size,
    )
    assert found.timestamp == AT


def test_alpaca_rest(provider: ThreadedProvider) -> None:
    stocks = StockHistoricalDataClient(KEY, SECRET, url_override=provider.fake.http_url)
    found = stocks.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=["AAPL"]))["AAPL"]
    assert (found.bid_price, found.ask_size, found.timestamp) == (183.505, 300, AT)
    options = OptionHistoricalDataClient(KEY, SECRET, url_override=provider.fake.http_url)
    quote = options.get_option_latest_quote(OptionLatestQuoteRequest(symbol_or_symbols=[CALL[2:]]))[CALL[2:]]
    assert (quote.bid_price, quote.ask_price) == (9.1, 9.35)
    chain = options.get_option_chain(OptionChainRequest(underlying_symbol="AAPL"))
    assert sorted(chain) == [CALL[2:], PUT[2:], "AAPL270115C00200000"]
    assert chain[CALL[2:]].latest_quote.ask_size == 5 and chain[PUT[2:]].latest_quote is None


@pytest.mark.parametrize(("market", "quote"), [("stocks", STOCK_QUOTE), ("options", OPTION_QUOTE)])
def test_massive_stream(provider: ThreadedProvider, market: str, quote: Quoted) -> None:
    place = provider.fake.ws_url.removeprefix("ws://")
    client = WebSocketClient(api_key=KEY, feed=place, market=market, secure=False, subscriptions=[f"Q.{quote.symbol}"])
    got: list[Any] = []
    loop = asyncio.new_event_loop()

    async def keep(messages: Any) -> None:
        got.extend(messages)

    thread = in_background(lambda: loop.run_until_complete(client.connect(keep)))
    found = streamed(provider, quote, got)
    asyncio.run_coroutine_threadsafe(client.close(), loop).result(SECONDS)
    thread.join(SECONDS)
    loop.close()
    assert (found.symbol, found.bid_price, found.ask_price, found.bid_size, found.ask_size) == (
        quote.symbol,
        quote.bid,
        quote.ask,
        quote.bid_size,
        quote.ask_size,
    )
    assert found.timestamp == int(AT.timestamp() * 1000)


def test_massive_refuses_a_wrong_key(provider: ThreadedProvider) -> None:
    client = WebSocketClient(
        api_key="wrong", feed=provider.fake.ws_url.removeprefix("ws://"), market="stocks", secure=False
    )
    with pytest.raises(AuthError):
        client.run(lambda messages: None)


def test_massive_rest(provider: ThreadedProvider) -> None:
    client = RESTClient(KEY, base=provider.fake.http_url)
    last = client.get_last_quote("AAPL")
    assert (last.bid_price, last.ask_price, last.bid_size, last.ask_size) == (183.505, 183.52, 200, 300)
    assert last.sip_timestamp == STOCK_QUOTE.nanoseconds
    (snapshot,) = client.list_universal_snapshots(ticker_any_of=[CALL])
    assert (snapshot.ticker, snapshot.last_quote.bid, snapshot.last_quote.last_updated) == (
        CALL,
        9.1,
        OPTION_QUOTE.nanoseconds,
    )
    chain = list(client.list_snapshot_options_chain("AAPL"))
    # The second page is asked of the address that the first one gives.
    assert [item.details.ticker for item in chain] == provider.fake.contracts


def test_cutemarkets_rest(provider: ThreadedProvider) -> None:
    client = CuteMarkets(KEY, base_url=provider.fake.http_url)
    page = client.options.chain("AAPL")
    assert [item.details.ticker for item in page.results] == [CALL, PUT]
    assert (page.results[0].last_quote.bid, page.results[0].last_quote.ask_size) == (9.1, 5)
    with pytest.raises(AuthenticationError):
        CuteMarkets("wrong", base_url=provider.fake.http_url).options.chain("AAPL")
