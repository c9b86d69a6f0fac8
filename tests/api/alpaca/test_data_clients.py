"""alpaca-py's clients of historical data, unmodified, against values that a few independent lines compute."""

import inspect
from datetime import UTC, datetime

import pytest
import requests
from alpaca.data.historical import OptionHistoricalDataClient, StockHistoricalDataClient
from alpaca.data.requests import (
    OptionBarsRequest,
    OptionChainRequest,
    OptionLatestQuoteRequest,
    OptionLatestTradeRequest,
    OptionSnapshotRequest,
    OptionTradesRequest,
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockQuotesRequest,
    StockSnapshotRequest,
    StockTradesRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit

from tests.api.alpaca.conftest import Pair
from tests.market_kit import CALL, STOCK, MarketKit

OCC = CALL.removeprefix("O:")
# 14:00 to 14:05, one quote each quarter of a minute; the last is not there yet at the time of the test, 14:04:30.
LINES = [
    (f"14:{minute:02d}:{second:02d}", 100 + minute + second / 100, 100.1 + minute + second / 100)
    for minute in range(5)
    for second in (0, 15, 30, 45)
]
NOW = "14:04:30"
SEEN = [(stamp, bid, ask) for stamp, bid, ask in LINES if stamp <= NOW]


def at(stamp: str) -> datetime:
    return datetime.fromisoformat(f"2013-10-07T{stamp}").replace(tzinfo=UTC)


def middles(first: str, last: str) -> list[float]:
    """Of the quotes in [first, last]."""
    return [round((bid + ask) / 2, 6) for stamp, bid, ask in SEEN if first <= stamp <= last]


class Scene:
    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.stocks = StockHistoricalDataClient(pair.key_id, pair.secret, url_override=pair.url)
        self.options = OptionHistoricalDataClient(pair.key_id, pair.secret, url_override=pair.url)

    def get(self, path: str, **query: object) -> requests.Response:
        headers = {"APCA-API-KEY-ID": self.pair.key_id, "APCA-API-SECRET-KEY": self.pair.secret}
        return requests.get(f"{self.pair.url}{path}", params=query, headers=headers, timeout=20)


@pytest.fixture
def scene(pair: Pair, market_kit: MarketKit) -> Scene:
    """The same account, at 14:04:30 of a market whose quotes are known by heart."""
    stock = [f"{stamp} {STOCK} {bid:.2f} {ask:.2f} 500 300" for stamp, bid, ask in LINES]
    option = [f"{stamp} {CALL} 4.00 4.20 20 10" for stamp, _, _ in LINES]
    market_kit.play(*stock, *option, "14:00:05 KO 60.00 - 100 0", start=NOW)
    return Scene(pair)


def get_stock_bars(s: Scene) -> None:
    minutes = s.stocks.get_stock_bars(
        StockBarsRequest(symbol_or_symbols=STOCK, timeframe=TimeFrame.Minute, start=at("14:01:00"))
    )
    assert [bar.timestamp for bar in minutes[STOCK]] == [at(f"14:0{n}:00") for n in range(1, 5)]
    for bar in minutes[STOCK]:
        inside = middles(f"{bar.timestamp:%H:%M:%S}", f"{bar.timestamp:%H:%M}:59")
        assert (bar.open, bar.high, bar.low, bar.close) == (inside[0], max(inside), min(inside), inside[-1])
        assert (bar.volume, bar.trade_count) == (0, len(inside))
        assert bar.vwap == pytest.approx(sum(inside) / len(inside), abs=1e-6)
    assert minutes[STOCK][-1].trade_count == 3, "of the minute that is going on only what has been"
    day = s.stocks.get_stock_bars(
        StockBarsRequest(symbol_or_symbols=[STOCK, "KO"], timeframe=TimeFrame.Day, start=at("04:00:00"))
    )
    [bar] = day[STOCK]
    assert (bar.open, bar.close, bar.timestamp) == (middles(*["14:00:00"] * 2)[0], middles(NOW, NOW)[0], at("04:00:00"))
    assert "KO" not in day.data, "one side makes no middle"
    five = TimeFrame(5, TimeFrameUnit.Minute)
    paged = s.stocks.get_stock_bars(StockBarsRequest(symbol_or_symbols=STOCK, timeframe=five, start=at("14:00:00")))
    assert len(paged[STOCK]) == 1


def get_stock_quotes(s: Scene) -> None:
    found = s.stocks.get_stock_quotes(
        StockQuotesRequest(symbol_or_symbols=STOCK, start=at("14:00:00"), end=at("14:59:00"))
    )
    assert [(q.timestamp, q.bid_price, q.ask_price) for q in found[STOCK]] == [
        (at(stamp), pytest.approx(bid), pytest.approx(ask)) for stamp, bid, ask in SEEN
    ]
    [one] = s.stocks.get_stock_quotes(StockQuotesRequest(symbol_or_symbols="KO", start=at("14:00:00")))["KO"]
    assert (one.bid_price, one.ask_price, one.ask_size) == (60.0, 0.0, 0.0)


def get_stock_trades(s: Scene) -> None:
    found = s.stocks.get_stock_trades(StockTradesRequest(symbol_or_symbols=STOCK, start=at("14:00:00"), limit=3))
    assert [trade.price for trade in found[STOCK]] == middles("14:00:00", "14:00:30")
    assert {(trade.size, *trade.conditions) for trade in found[STOCK]} == {(0.0, "M")}


def get_stock_latest_quote(s: Scene) -> None:
    found = s.stocks.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=[STOCK, "ZZZZZ"]))
    assert list(found) == [STOCK]
    assert (found[STOCK].bid_price, found[STOCK].bid_size, found[STOCK].timestamp) == (SEEN[-1][1], 500, at(NOW))


def get_stock_latest_trade(s: Scene) -> None:
    found = s.stocks.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols=STOCK))
    assert found[STOCK].price == middles(NOW, NOW)[0]


def get_stock_latest_bar(s: Scene) -> None:
    found = s.stocks.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols=STOCK))
    assert found[STOCK].timestamp == at("14:03:00"), "the last minute that is over"


def get_stock_snapshot(s: Scene) -> None:
    found = s.stocks.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=STOCK))[STOCK]
    assert found.latest_quote.ask_price == pytest.approx(SEEN[-1][2])
    assert (found.minute_bar.timestamp, found.daily_bar.trade_count) == (at("14:03:00"), len(SEEN))
    assert found.previous_daily_bar is None, "the recording has no day before"


def get_option_bars(s: Scene) -> None:
    found = s.options.get_option_bars(
        OptionBarsRequest(symbol_or_symbols=OCC, timeframe=TimeFrame.Minute, start=at("14:00:00"))
    )
    assert {(bar.open, bar.close, bar.trade_count) for bar in found[OCC][:-1]} == {(4.1, 4.1, 4)}


def get_option_trades(s: Scene) -> None:
    found = s.options.get_option_trades(OptionTradesRequest(symbol_or_symbols=OCC, start=at("14:04:00")))
    assert [(trade.price, trade.size) for trade in found[OCC]] == [(4.1, 0.0)] * 3


def get_option_latest_quote(s: Scene) -> None:
    found = s.options.get_option_latest_quote(OptionLatestQuoteRequest(symbol_or_symbols=OCC))
    assert (found[OCC].bid_price, found[OCC].ask_size) == (4.0, 10)


def get_option_latest_trade(s: Scene) -> None:
    assert s.options.get_option_latest_trade(OptionLatestTradeRequest(symbol_or_symbols=OCC))[OCC].price == 4.1


def get_option_snapshot(s: Scene) -> None:
    found = s.options.get_option_snapshot(OptionSnapshotRequest(symbol_or_symbols=OCC))[OCC]
    assert found.latest_quote.bid_price == 4.0 and found.latest_trade.price == 4.1


def get_option_chain(s: Scene) -> None:
    found = s.options.get_option_chain(OptionChainRequest(underlying_symbol=STOCK, type="call", strike_price_gte=99))
    assert list(found) == [OCC]
    assert s.options.get_option_chain(OptionChainRequest(underlying_symbol=STOCK, type="put")) == {}


def get_option_exchange_codes(s: Scene) -> None:
    assert s.options.get_option_exchange_codes() == {}


CALLS = [
    get_stock_bars, get_stock_quotes, get_stock_trades, get_stock_latest_quote, get_stock_latest_trade,
    get_stock_latest_bar, get_stock_snapshot, get_option_bars, get_option_trades, get_option_latest_quote,
    get_option_latest_trade, get_option_snapshot, get_option_chain, get_option_exchange_codes,
]  # fmt: skip
RAW = {"get", "post", "put", "patch", "delete", "response_wrapper"}


def test_every_call_of_both_clients(scene: Scene) -> None:
    """In one scene: they only read."""
    for call in CALLS:
        call(scene)
    theirs = {
        name
        for kind in (StockHistoricalDataClient, OptionHistoricalDataClient)
        for name, _ in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }
    assert theirs - RAW == {call.__name__ for call in CALLS}


def test_the_addresses_of_one_symbol_and_pages(scene: Scene) -> None:
    """As the older clients, Go and JS ask."""
    one = scene.get("/v2/stocks/IBM/bars", timeframe="1Min", start="2013-10-07", limit=2).json()
    assert (one["symbol"], len(one["bars"])) == ("IBM", 2)
    following = scene.get(
        "/v2/stocks/IBM/bars", timeframe="1Min", start="2013-10-07", limit=10, page_token=one["next_page_token"]
    ).json()
    assert [bar["t"] for bar in one["bars"] + following["bars"]] == [f"2013-10-07T14:0{n}:00.000000Z" for n in range(5)]
    assert following["next_page_token"] is None
    down = scene.get("/v2/stocks/quotes", symbols="IBM,KO", start="2013-10-07", sort="desc", limit=1).json()
    assert down["quotes"]["IBM"][0]["t"] == "2013-10-07T14:04:30.000000Z"
    assert scene.get("/v2/stocks/IBM/quotes/latest").json()["quote"]["bp"] == SEEN[-1][1]
    assert scene.get("/v2/stocks/IBM/snapshot").json()["symbol"] == "IBM"
    missing = scene.get("/v2/stocks/ZZZZZ/quotes/latest")
    assert (missing.status_code, missing.json()["code"]) == (404, 40410000)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/v1beta1/news", "news"),
        ("/v1/corporate-actions", "corporate_actions"),
        ("/v1beta1/screener/stocks/most-actives", "most_actives"),
        ("/v1beta1/screener/stocks/movers", "gainers"),
        ("/v2/stocks/meta/conditions/trade", "M"),
    ],
)
def test_what_is_empty_has_its_shape(scene: Scene, path: str, key: str) -> None:
    answer = scene.get(path)
    assert answer.status_code == 200 and key in answer.json()


@pytest.mark.parametrize("path", ["/v2/", "/v2", "/v2/nowhere", "/v1beta1/forex/rates", "/v1beta3/crypto/us/bars"])
def test_an_address_that_is_not_served_answers_json(scene: Scene, path: str) -> None:
    answer = scene.get(path)
    assert (answer.status_code, answer.json()) == (404, {"code": 40410000, "message": "endpoint not found"})
