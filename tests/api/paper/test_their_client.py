"""The hosted product's own Python client against this server: only key and address are other ones.

The client on PyPI has no paper calls yet; those are held to the reference page in the other files here.
"""

from collections.abc import Iterator

import cutemarkets
import pytest
from django.db import connection
from pytest_django.live_server_helper import LiveServer

from tests.factories import TokenFactory, UserFactory
from tests.market_kit import CALL, MarketKit

CHAIN = [CALL, "O:IBM131019C00105000", "O:IBM131019P00095000"]


@pytest.fixture
def server(committed: None) -> Iterator[LiveServer]:
    running = LiveServer("localhost")
    yield running
    running.stop()
    connection.close_pool()  # of the server's threads, which are gone


@pytest.fixture
def base_url(server: LiveServer, market_kit: MarketKit) -> str:
    options = [f"13:59:59 {symbol} 4.00 4.20 20 10" for symbol in CHAIN]
    market_kit.play("13:59:58 IBM 100.00 100.10 500 300", *options, start="14:00:00")
    return server.url


@pytest.fixture
def client(base_url: str) -> Iterator[cutemarkets.CuteMarkets]:
    with cutemarkets.CuteMarkets(api_key=TokenFactory(user=UserFactory()), base_url=base_url, max_retries=0) as client:
        yield client


def test_what_it_reads(client: cutemarkets.CuteMarkets) -> None:
    assert [found.symbol for found in client.tickers.search(query="IBM")] == ["IBM"]
    assert client.tickers.expirations("IBM").results == ["2013-10-19"]
    contract = client.options.snapshot("IBM", CALL)
    assert (contract.details.ticker, contract.last_quote.bid, contract.last_quote.ask) == (CALL, 4.0, 4.2)
    assert 0 < contract.greeks.delta < 1
    page = client.options.chain("IBM", limit=2, strike_price_gte=95)
    assert (len(page), page.has_next, page.rate_limit.plan) == (2, True, "self-hosted")
    assert [row.details.ticker for row in page.iter_all()] == CHAIN, "it follows next_url"
    assert [row.details.ticker for row in client.options.chain("IBM", strike_price_gt=100)] == CHAIN[1:2]
    assert client.status().services["database"].status == "ok"


def test_what_it_makes_of_a_refusal(base_url: str, client: cutemarkets.CuteMarkets) -> None:
    with pytest.raises(cutemarkets.NotFoundError) as missing:
        client.options.snapshot("IBM", "O:IBM131019C00555000")
    assert missing.value.request_id.startswith("cm_")
    stranger = cutemarkets.CuteMarkets(api_key="cm_nobody", base_url=base_url, max_retries=0)
    with stranger, pytest.raises(cutemarkets.AuthenticationError):
        stranger.tickers.search(query="IBM")
