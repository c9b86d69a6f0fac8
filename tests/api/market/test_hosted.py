"""Market data in the hosted product's shapes: what its clients read is what the quote says."""

from datetime import UTC, datetime
from math import exp, isclose, log, sqrt
from statistics import NormalDist
from typing import Any

import pytest
from django.test import Client

from marketdata import option_pricing
from marketdata.markets.current import current_market, drop_market
from marketdata.models import MarketClock
from tests.api.contract import is_error
from tests.api_kit import Api
from tests.factories import UserFactory
from tests.market_kit import CALL, MarketKit

PUT = "O:IBM131019P00095000"
LATER = "O:IBM131116C00105000"
NANOSECONDS = 1_000_000_000
RATE = 0.04


@pytest.fixture(autouse=True)
def quotes(market_kit: MarketKit) -> None:
    market_kit.play(
        "13:59:58 IBM 100.00 100.10 500 300",
        f"13:59:59 {CALL} 4.00 4.20 20 10",
        f"13:59:59 {PUT} 1.50 - 5 0",
        f"13:59:59 {LATER} 1.00 1.10 7 8",
        "13:59:59 MSFT 33.25 33.27 100 200",
        start="14:00:00",
    )


def results(response: Any) -> Any:
    body = response.json()
    assert (response.status_code, body["status"]) == (200, "OK"), body
    assert body["request_id"] == response.headers["X-Request-ID"]
    return body["results"]


def test_the_last_quote_of_a_stock(api: Api) -> None:
    stamp = int(datetime(2013, 10, 7, 13, 59, 58, tzinfo=UTC).timestamp()) * NANOSECONDS
    last = {"T": "IBM", "p": 100.0, "s": 500.0, "P": 100.1, "S": 300.0, "t": stamp}
    assert results(api.get("/v1/stocks/quotes/IBM/last/")) == last
    snapshot = api.get("/v1/stocks/snapshot/IBM/").json()
    parts = {name: snapshot["ticker"][name] for name in ("ticker", "lastQuote", "updated")}
    assert parts == {"ticker": "IBM", "lastQuote": last, "updated": stamp}


def test_one_contract(api: Api) -> None:
    contract = results(api.get(f"/v1/options/snapshot/IBM/{CALL}/"))
    assert contract["details"] == {
        "ticker": CALL,
        "contract_type": "call",
        "exercise_style": "american",
        "expiration_date": "2013-10-19",
        "strike_price": 100.0,
        "shares_per_contract": 100,
    }
    quote = contract["last_quote"]
    assert (quote["bid"], quote["ask"], quote["midpoint"], quote["bid_size"], quote["ask_size"]) == (
        4.0,
        4.2,
        4.1,
        20.0,
        10.0,
    )
    assert contract["break_even_price"] == 104.1
    assert (contract["underlying_asset"]["ticker"], contract["underlying_asset"]["price"]) == ("IBM", 100.05)


def test_volatility_and_greeks_are_those_of_the_midpoint(api: Api) -> None:
    contract = results(api.get(f"/v1/options/snapshot/IBM/{CALL}/"))
    # The contract's last session ends on Friday 18 October at 20:00 UTC.
    years = (
        datetime(2013, 10, 18, 20, tzinfo=UTC) - datetime(2013, 10, 7, 14, tzinfo=UTC)
    ).total_seconds() / 31_536_000
    volatility, spot, strike = contract["implied_volatility"], 100.05, 100.0
    d1 = (log(spot / strike) + (RATE + volatility**2 / 2) * years) / (volatility * sqrt(years))
    normal = NormalDist()
    value = spot * normal.cdf(d1) - strike * exp(-RATE * years) * normal.cdf(d1 - volatility * sqrt(years))
    assert isclose(value, 4.1, abs_tol=1e-4)
    assert isclose(contract["greeks"]["delta"], normal.cdf(d1), abs_tol=1e-9)


def test_a_quote_without_an_ask_has_neither(api: Api) -> None:
    contract = results(api.get(f"/v1/options/snapshot/IBM/{PUT}/"))
    assert (contract["last_quote"]["bid"], contract["last_quote"]["ask"]) == (1.5, None)
    assert contract["implied_volatility"] is None
    assert set(contract["greeks"].values()) == {None}
    assert contract["break_even_price"] is None


@pytest.mark.parametrize("price", ["0.01", "4.10", "60"])
def test_a_price_that_no_volatility_gives_has_no_volatility(price: str) -> None:
    found = option_pricing.implied_volatility(price=float(price), spot=150.0, strike=100.0, years=0.1, is_call=True)
    assert (found is None) == (price != "60")


@pytest.mark.parametrize(
    ("query", "listed"),
    [
        ({}, [CALL, PUT, LATER]),
        ({"contract_type": "call"}, [CALL, LATER]),
        ({"contract_type": "put"}, [PUT]),
        ({"strike_price": "100"}, [CALL]),
        ({"strike_price.gte": "100"}, [CALL, LATER]),
        ({"strike_price.gt": "100"}, [LATER]),
        ({"strike_price.lte": "100"}, [CALL, PUT]),
        ({"strike_price.lt": "100.5", "strike_price.gt": "95"}, [CALL]),
        ({"expiration_date": "2013-11-16"}, [LATER]),
        ({"expiration_date.lte": "2013-10-19", "contract_type": "call"}, [CALL]),
        ({"expiration_date.gt": "2013-11-16"}, []),
    ],
)
def test_a_chain_and_its_filters(api: Api, query: dict[str, str], listed: list[str]) -> None:
    found = results(api.get("/v1/options/chain/IBM/", **query))
    assert [contract["details"]["ticker"] for contract in found] == sorted(listed)


def test_a_chain_in_pages(api: Api) -> None:
    first = api.get("/v1/options/chain/IBM/", limit=2).json()
    rest = api.get(first["next_url"].removeprefix("http://testserver")).json()
    tickers = [contract["details"]["ticker"] for contract in first["results"] + rest["results"]]
    assert (tickers, rest["next_url"]) == (sorted([CALL, PUT, LATER]), None)


def test_an_expired_contract_is_not_listed(api: Api, market_kit: MarketKit) -> None:
    market_kit.advance("2013-10-18T20:00:00Z")
    assert results(api.get("/v1/tickers/expirations/IBM/")) == ["2013-11-16"]
    found = results(api.get("/v1/options/chain/IBM/"))
    assert [contract["details"]["ticker"] for contract in found] == [LATER]


def test_search_and_expirations(api: Api) -> None:
    assert results(api.get("/v1/tickers/search/", query="ib"))[0]["symbol"] == "IBM"
    assert [stock["symbol"] for stock in results(api.get("/v1/tickers/search/", query="microsoft"))] == ["MSFT"]
    assert len(results(api.get("/v1/tickers/search/", limit=1))) == 1
    body = api.get("/v1/tickers/expirations/IBM/").json()
    assert (body["ticker"], body["results"]) == ("IBM", ["2013-10-19", "2013-11-16"])
    assert results(api.get("/v1/tickers/expirations/MSFT/")) == []


@pytest.mark.parametrize(
    "path",
    [
        "stocks/quotes/AAPL/last/",
        "stocks/quotes/nonsense/last/",
        f"stocks/quotes/{CALL}/last/",
        "stocks/snapshot/AAPL/",
        "options/chain/AAPL/",
        f"options/snapshot/MSFT/{CALL}/",
        "options/snapshot/IBM/IBM/",
        "options/snapshot/IBM/O:IBM131019C00555000/",
        "tickers/expirations/nonsense/",
        "stocks/tickers/AAPL/",
        "stocks/tickers/AAPL/related/",
        f"stocks/trades/{CALL}/",
        "options/trades/IBM/",
        "stocks/trades/AAPL/last/",
        "stocks/open-close/AAPL/2013-10-07/",
        "stocks/snapshot/movers/sideways/",
        "stocks/indicators/vwap/IBM/",
        "bonds/trades/IBM/",
    ],
)
def test_what_the_market_does_not_have(api: Api, path: str) -> None:
    is_error(api.get(f"/v1/{path}"), 404, "not_found")


@pytest.mark.parametrize(
    "query",
    [{"contract_type": "straddle"}, {"strike_price.gte": "NaN"}, {"strike_price": ""}, {"expiration_date": "soon"}],
)
def test_a_filter_that_cannot_be_read(api: Api, query: dict[str, str]) -> None:
    is_error(api.get("/v1/options/chain/IBM/", **query), 400, "bad_request")


@pytest.fixture
def simulated(quotes: None, settings: Any) -> None:
    """The simulated market, whose clock stands still."""
    settings.PAPERTRADE_MARKET, settings.PAPERTRADE_START = "simulated", datetime(2026, 5, 15, 14, 30, tzinfo=UTC)
    MarketClock.objects.all().delete()
    drop_market()
    current_market().start()


@pytest.mark.usefixtures("simulated")
def test_the_simulated_market_lists_chains_around_the_price(api: Api) -> None:
    spot = results(api.get("/v1/stocks/quotes/SPY/last/"))["p"]
    expiry = results(api.get("/v1/tickers/expirations/SPY/"))[1]
    near = results(
        api.get(
            "/v1/options/chain/SPY/",
            **{"expiration_date": expiry, "strike_price.gte": spot * 0.99, "strike_price.lte": spot * 1.01},
        )
    )
    assert {contract["details"]["contract_type"] for contract in near} == {"call", "put"}
    for contract in near:
        assert contract["last_quote"]["bid"] < contract["last_quote"]["ask"]
        assert 0.05 < contract["implied_volatility"] < 2
        assert abs(contract["greeks"]["delta"]) < 1


@pytest.mark.usefixtures("simulated")
def test_the_page_s_chain_says_the_same(api: Api, client: Client) -> None:
    client.force_login(UserFactory())
    page = client.get("/lookup/chain/SPY/").json()
    shown = {
        (float(row["strike"]), side): (row[side].get("volatility"), row[side].get("delta"))
        for row in page["rows"]
        for side in ("call", "put")
    }
    chain = results(api.get("/v1/options/chain/SPY/", expiration_date=page["expiry"], limit=250))
    said = {
        (contract["details"]["strike_price"], contract["details"]["contract_type"]): (
            contract["implied_volatility"] and round(contract["implied_volatility"], 4),
            contract["greeks"]["delta"] and round(contract["greeks"]["delta"], 3),
        )
        for contract in chain
    }
    assert shown == said and len(shown) > 20


@pytest.mark.usefixtures("simulated")
def test_a_contract_that_expires_beyond_the_calendar(api: Api) -> None:
    found = results(api.get("/v1/options/snapshot/SPY/O:SPY991218C00600000/"))
    assert 0.05 < found["implied_volatility"] < 2


class TestStocks:
    """The calls of the hosted product's stocks, and no quote of the future in any of them."""

    def test_which_there_are(self, api: Api) -> None:
        assert [row["ticker"] for row in results(api.get("/v1/stocks/tickers/"))] == ["IBM", "MSFT"]
        assert [row["ticker"] for row in results(api.get("/v1/stocks/tickers/", search="micro"))] == ["MSFT"]
        assert results(api.get("/v1/stocks/tickers/", active="false")) == []
        first = api.get("/v1/stocks/tickers/", limit=1, order="desc").json()
        rest = api.get(first["next_url"].removeprefix("http://testserver")).json()
        assert [row["ticker"] for row in first["results"] + rest["results"]] == ["MSFT", "IBM"]
        one = results(api.get("/v1/stocks/tickers/IBM/", date="2013-10-07"))
        assert (one["name"], one["market"], one["active"]) == ("IBM", "stocks", True)
        is_error(api.get("/v1/stocks/tickers/IBM/", date="2013-10-08"), 400, "bad_request")
        assert (
            results(api.get("/v1/stocks/tickers/types/")) == results(api.get("/v1/stocks/tickers/IBM/related/")) == []
        )

    def test_how_they_stand(self, api: Api, market_kit: MarketKit) -> None:
        market_kit.play(
            "2013-10-04T19:59:00 IBM 99.00 99.10",
            "2013-10-04T19:59:00 MSFT 33.50 33.52",
            "14:00:00 IBM 100.00 100.10 500 300",
            "14:00:00 MSFT 33.25 33.27",
            "14:01:30 IBM 101.00 101.10",
            "14:02:30 IBM 200.00 200.10",
            start="14:02:00",
        )
        ibm, msft = api.get("/v1/stocks/snapshot/").json()["tickers"]
        assert (ibm["ticker"], ibm["day"]["o"], ibm["day"]["c"], ibm["prevDay"]["c"]) == ("IBM", 100.05, 101.05, 99.05)
        assert (ibm["min"]["c"], ibm["min"]["n"], ibm["lastTrade"]["p"]) == (101.05, 1, 101.05)
        assert (ibm["todaysChange"], ibm["todaysChangePerc"]) == (2.0, pytest.approx(200 / 99.05))
        assert msft["todaysChange"] == -0.25
        named = api.get("/v1/stocks/snapshot/", **{"ticker.any_of": "MSFT,AAPL"}).json()["tickers"]
        assert named == api.get("/v1/stocks/snapshot/", tickers="MSFT").json()["tickers"] == [msft]
        first = api.get("/v1/stocks/snapshot/", limit=1).json()
        rest = api.get(first["next_url"].removeprefix("http://testserver")).json()
        assert (first["tickers"], rest["tickers"], rest["next_url"]) == ([ibm], [msft], None)
        assert api.get("/v1/stocks/snapshot/movers/gainers/").json()["tickers"] == [ibm]
        assert api.get("/v1/stocks/snapshot/movers/losers/").json()["tickers"] == [msft]
        grouped = results(api.get("/v1/stocks/aggs/grouped/2013-10-04/"))
        assert [(row["T"], row["c"]) for row in grouped] == [("IBM", 99.05), ("MSFT", 33.51)]
        assert [row["c"] for row in results(api.get("/v1/stocks/aggs/IBM/prev/"))] == [99.05]
        is_error(api.get("/v1/stocks/aggs/grouped/2013-10-08/"), 400, "bad_request")
        for path in ("aggs/IBM/1/minute/2013-10-07/2013-10-09", "trades/IBM", "quotes/IBM"):
            assert len(results(api.get(f"/v1/stocks/{path}/"))) == 2, "what comes at 14:02:30 is not there yet"
        assert len(results(api.get("/v1/stocks/trades/IBM/", **{"timestamp.gt": "2013-10-04"}))) == 2
        assert api.get("/v1/stocks/indicators/sma/IBM/", window=1).json()["results"]["values"][0]["value"] == 99.05
        one = api.get("/v1/stocks/open-close/IBM/2013-10-07/").json()
        assert (one["open"], one["close"], one["from"], one["afterHours"]) == (100.05, 101.05, "2013-10-07", None)

    def test_what_happens_outside_a_session(self, api: Api, market_kit: MarketKit) -> None:
        market_kit.play(
            "13:00:00 IBM 90.00 90.10", "14:00:00 IBM 100.00 100.10", "20:30:00 IBM 80.00 80.10", start="22:00:00"
        )
        one = api.get("/v1/stocks/open-close/IBM/2013-10-07/").json()
        assert (one["preMarket"], one["open"], one["high"], one["low"], one["afterHours"]) == (
            90.05,
            *[100.05] * 3,
            80.05,
        )

    def test_a_page_ends_between_quotes_of_one_instant(self, api: Api, market_kit: MarketKit) -> None:
        market_kit.play(*[f"14:00:00 IBM {100 + number}.00 {101 + number}.00" for number in range(5)], start="14:02:00")
        for order in ("asc", "desc"):
            found, url = [], f"/v1/stocks/quotes/IBM/?limit=2&order={order}"
            while url:
                answer = api.get(url.removeprefix("http://testserver")).json()
                found += [row["bid_price"] for row in answer["results"]]
                url = answer["next_url"]
            assert sorted(found) == [100, 101, 102, 103, 104]
            assert found == sorted(found, reverse=order == "desc")

    @pytest.mark.parametrize("page", ["x", "SUJNfDF8MA", "TVNGVHwxMzgxMTUxMDQwMDAwMDAwfDE"])
    def test_a_page_of_something_else(self, api: Api, page: str) -> None:
        response = api.get("/v1/stocks/trades/IBM/", page=page)
        assert response.status_code in (200, 400), "the beginning of time of the same symbol is a place"
        if page != "SUJNfDF8MA":
            is_error(response, 400, "invalid_page_token")

    @pytest.mark.parametrize(
        "path",
        ["1/fortnight/2013-10-07/2013-10-07", "0/minute/2013-10-07/2013-10-07", "2/day/2013-10-07/2013-10-07",
         "1/minute/yesterday/2013-10-07", "1/minute/2013-10-07/12345", "1441/minute/2013-10-07/2013-10-07"],
    )  # fmt: skip
    def test_bars_that_cannot_be_made(self, api: Api, path: str) -> None:
        is_error(api.get(f"/v1/stocks/aggs/IBM/{path}/"), 400, "bad_request")

    def test_milliseconds_in_a_path(self, api: Api) -> None:
        second = 1381154398000  # 13:59:58
        assert len(results(api.get(f"/v1/stocks/aggs/IBM/1/minute/{second - 58_000}/{second}/"))) == 1
        assert results(api.get(f"/v1/stocks/aggs/IBM/1/minute/{second}/{second + 1000}/")) == []
