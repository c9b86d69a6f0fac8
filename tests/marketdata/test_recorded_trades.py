"""Real trades of a recording: shown in both dialects where the folder has them, and never matched against."""

import csv
import gzip
from collections import defaultdict
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from marketdata.bars import ONE_MINUTE, bars
from marketdata.feeds.recorded import RecordedFeed
from marketdata.feeds.recording_rows import Report
from marketdata.markets.base import Market
from tests.api_kit import Api
from tests.factories import AccountFactory
from tests.market_kit import MarketKit, at

HEADER = "ts,symbol,price,size,exchange,condition_hex,suspicious,source"
ROWS = """
2013-10-07T14:00:05.000Z,IBM,100.01,300,P,0,0,test
2013-10-07T14:00:05.000Z,IBM,100.03,100,N,0,0,test
2013-10-07T14:00:40.000Z,IBM,500.00,100,N,0,1,test
2013-10-07T14:01:10.000Z,IBM,100.02,50,Q,0,0,test
2013-10-07T14:01:20.000Z,IBM,-1,50,Q,0,0,test
2013-10-07T14:01:30.000Z,IBM,100,none,Q,0,0,test
yesterday,IBM,100,10,Q,0,0,test
2013-10-07T14:02:30.000Z,IBM,100.09,70,Q,0,0,test
"""


@pytest.fixture
def folder(market_kit: MarketKit) -> Path:
    """A recording of two stocks' quotes, and of the trades of one."""
    place = market_kit.write("14:00:00 IBM 100.00 100.10", "14:00:00 KO 60.00 60.02")
    (place / "trades.csv.gz").write_bytes(gzip.compress(f"{HEADER}{ROWS}".encode()))
    return place


def test_they_are_no_bad_rows_of_quotes(folder: Path) -> None:
    feed, report = RecordedFeed(folder), Report()
    assert [path.name for path in feed.files] == ["quotes.csv"]
    assert (len(list(feed.rows(report))), report.bad) == (2, 0)


def test_the_hosted_product_s_calls_show_them(api: Api, market_kit: MarketKit, folder: Path) -> None:
    market_kit.play_files(folder, start="14:02:00")
    rows = api.get("/v1/stocks/trades/IBM/", order="asc").json()["results"]
    assert [(row["price"], row["size"], row["conditions"], row["id"]) for row in rows] == [
        (100.01, 300, [], "1"), (100.03, 100, [], "2"), (100.02, 50, [], "3"),
    ]  # fmt: skip
    assert api.get("/v1/stocks/trades/IBM/last/").json()["results"]["p"] == 100.02, "14:02:30 is not there yet"
    first, second = api.get("/v1/stocks/aggs/IBM/1/minute/2013-10-07/2013-10-07/").json()["results"]
    assert (first["o"], first["h"], first["v"], first["n"]) == (100.01, 100.03, 400, 2)
    assert (first["vw"], second["v"]) == (pytest.approx((100.01 * 300 + 100.03 * 100) / 400), 50)
    [middle] = api.get("/v1/stocks/trades/KO/").json()["results"]
    assert (middle["price"], middle["size"], middle["conditions"]) == (60.01, 0, [1000]), "none of it were recorded"


def test_alpaca_s_calls_show_them(api: Api, market_kit: MarketKit, folder: Path, trader: object) -> None:
    market_kit.play_files(folder, start="14:02:00")
    pair = {"APCA-API-KEY-ID": str(AccountFactory(user=trader).pk), "APCA-API-SECRET-KEY": str(api.token)}

    def get(path: str, **query: str) -> dict:
        return Api(None).request("GET", path, query=query, headers=pair).json()

    trades = get("/v2/stocks/trades", symbols="IBM,KO", start="2013-10-07")["trades"]
    assert [(row["p"], row["s"], row["x"], row["c"]) for row in trades["IBM"]] == [
        (100.01, 300, "P", []), (100.03, 100, "N", []), (100.02, 50, "Q", []),
    ]  # fmt: skip
    assert [(row["s"], row["c"]) for row in trades["KO"]] == [(0, ["M"])]
    assert get("/v2/stocks/IBM/trades/latest")["trade"]["p"] == 100.02
    bar = get("/v2/stocks/bars", symbols="IBM", timeframe="1Day", start="2013-10-07")["bars"]["IBM"][0]
    assert (bar["v"], bar["n"], bar["h"]) == (450, 3, 100.03)
    assert get("/v2/stocks/IBM/snapshot")["dailyBar"] == bar


def test_a_recorded_day_has_the_volume_of_its_provider_s_own_bars(
    shared_data: Path, tmp_path: Path, market_kit: MarketKit
) -> None:
    for name in ("trades/IBM_20131007_trades_tick.csv.gz", "equity/IBM/IBM_20131007_minute.csv.gz"):
        (tmp_path / Path(name).name).symlink_to(shared_data / name)
    market, now = Market("recorded", RecordedFeed(tmp_path)), at("23:59:59")
    market_kit.choose(tmp_path)
    found = {bar.begins: bar for bar in bars(market, "IBM", ONE_MINUTE, start=at("04:00:00"), until=now, now=now)}
    published: dict[datetime, tuple[float, float]] = {}
    with gzip.open(shared_data / "trades/IBM_20131007_bars_minute.csv.gz", "rt") as lines:
        for row in csv.DictReader(lines):
            begins = datetime.fromisoformat(row["ts_bar_end"]) - timedelta(minutes=1)
            published[begins] = float(row["volume"]), float(row["high"])
    agreed = defaultdict(int)
    for begins, (volume, high) in published.items():
        agreed["volume"] += found[begins].volume == volume
        agreed["high"] += found[begins].high >= high
    assert len(published) == len(found) == 453
    assert agreed["volume"] == 449, "the others hold late prints, which are of another minute there"
    assert agreed["high"] == 453, "a published bar leaves odd prints out; here all are in"
