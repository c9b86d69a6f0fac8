"""The past of a live market: what its recording says, while it is written, over the deaths of leaders, and after files are gone."""

import gzip
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.test import Client

from marketdata.bars import Bar, bar_of_session, bars, last_minute, read_timeframe
from marketdata.feeds.live import minutes, recorder
from marketdata.feeds.live.feed import LiveFeed
from marketdata.feeds.live.minutes import Follower, stored_minutes
from marketdata.feeds.live.recorded_past import MOST_FOLLOWED
from marketdata.feeds.past import PastMinute, PastQuote
from marketdata.feeds.recorded import RecordedFeed
from marketdata.feeds.recording_parts import parts_of
from marketdata.feeds.recording_rows import OF_ITS_TIME
from marketdata.history import Place, Span, page, quotes_of
from marketdata.markets.base import Market
from marketdata.markets.current import current_market
from marketdata.sessions import calendar
from papertrade import tasks
from tests.api_kit import Api
from tests.desk import Desk
from tests.factories import TokenFactory, UserFactory
from tests.live_kit import LiveKit
from tests.market_kit import at, wire

SYMBOLS = ["IBM", "BAC", "AIG"]
START, END = at("13:58:20"), at("14:02:40")
FRAMES = ["1Min", "2Min", "1Hour", "1Day"]


@pytest.fixture
def live(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LiveKit:
    """A file of the recording lasts 40 seconds."""
    monkeypatch.setattr(recorder, "NEW_FILE_EVERY", timedelta(seconds=40))
    return LiveKit(settings, monkeypatch, tmp_path / "live", start=START)


def trade_on(live: LiveKit, until: datetime, rng: random.Random) -> None:
    """Quotes at random, now and then one-sided or crossed, and minutes in which a symbol has none."""
    while live.wall < until:
        live.pass_time(milliseconds=rng.randrange(500, 7_000))
        for symbol in SYMBOLS:
            if rng.random() < (0.0 if symbol == "AIG" and live.wall.minute == 0 else 0.6):
                mid = 10_000 + rng.randrange(-200, 200)
                bid = "-" if rng.random() < 0.05 else str((mid + rng.choice([-3, -2, -1, 4])) / 100)
                live.hear(f"{symbol} {bid} {mid / 100 + 0.02:.2f} 500 300", late=rng.random())
        live.step()


def session(live: LiveKit, seed: int) -> Iterator[str]:
    """Its stages: in the middle of a file, under another leader, and later."""
    rng = random.Random(seed)
    trade_on(live, at("13:59:50"), rng)
    yield "while a file is written"
    live.pass_time(seconds=3)
    live.lead()
    trade_on(live, at("14:01:10"), rng)
    yield "under another leader"
    live.feed.stop()
    trade_on(live, END, rng)
    yield "in the end"


def plainly(bar: Bar) -> tuple[object, ...]:
    """A bar, its sum but for the last digits, which depend on the order of adding."""
    return (*bar[:-1], pytest.approx(bar.total))


def same_as_a_recorded_market(live: LiveKit) -> None:
    """The recording played as a market of its own says the same of every span."""
    now, ours, theirs = live.wall, current_market(), Market("recorded", RecordedFeed(live.folder))
    spans = [(START, now), (at("13:59:00"), at("13:59:59")), (at("14:00:00"), at("14:00:30")), (at("13:59:07"), now)]
    for symbol in [*SYMBOLS, "NONE"]:
        for start, until in spans:
            assert list(ours.past_quotes(symbol, start, until)) == list(theirs.past_quotes(symbol, start, until))
            for name in FRAMES:
                frame = read_timeframe(name)
                assert frame is not None
                one, other = (
                    bars(market, symbol, frame, start=start, until=until, now=now) for market in (ours, theirs)
                )
                assert [*map(plainly, one)] == [*map(plainly, other)], (symbol, name, start, until)
        times = [at("13:59:00") + timedelta(seconds=20 * number) for number in range(6)]
        whole_minutes = [time for time in times if time.second == 0 and time <= now]
        one, other = (market.mids(symbol, whole_minutes) or [] for market in (ours, theirs))
        assert one == [mid and round(mid, 6) for mid in other]
        of_session = [bar_of_session(market, symbol, calendar().on(now.date()), now) for market in (ours, theirs)]
        assert (of_session[0] and plainly(of_session[0])) == (of_session[1] and plainly(of_session[1]))


@pytest.mark.parametrize("seed", range(2))
def test_is_what_the_recording_says(live: LiveKit, seed: int) -> None:
    for _ in session(live, seed):
        same_as_a_recorded_market(live)
        assert tasks.tend_past() >= 1 and tasks.tend_past() == 0
        same_as_a_recorded_market(live)
    assert len(parts_of(live.folder)) > 5
    silent = bars(current_market(), "AIG", read_timeframe("1Min"), start=START, until=END, now=END)
    assert at("14:00:00") not in {bar.begins for bar in silent}, "nobody quoted it: there is no bar"


def test_ends_where_exchange_time_is(live: LiveKit) -> None:
    """Also within a minute of which a later quote is known already, stored or not."""
    frame = read_timeframe("1Min")
    assert frame is not None
    trade_on(live, at("14:00:20"), random.Random(7))
    for _ in range(2):
        for now in (at("13:58:40"), at("13:59:07"), at("13:59:59"), at("14:00:01")):
            found = list(bars(current_market(), "IBM", frame, start=at("13:58:00"), until=END, now=now))
            known = [quote for quote in RecordedFeed(live.folder).quotes("IBM", START, now) if quote.middle]
            assert sum(bar.trades for bar in found) == len(known)
            assert found[-1].close == known[-1].middle.price
            mids = current_market().mids("IBM", [now])
            assert mids is not None and mids[0] in {quote.middle.price for quote in known}
        tasks.tend_past()


def test_a_quote_that_had_long_stood_when_it_was_taken_is_in_no_bar(live: LiveKit) -> None:
    """Somebody began to look at the symbol: its latest quote is of an hour ago."""
    live.quote("IBM 90.00 90.10 500 300", late=3_600)
    live.quote("IBM 100.00 100.10 500 300", late=OF_ITS_TIME.total_seconds())
    live.quote("IBM 101.00 101.10 500 300", late=-5)
    past = current_market().past_quotes("IBM", START, live.wall)
    assert [quote.bid for quote in past] == [100.0]
    bar = last_minute(current_market(), "IBM", at("14:00:00"))
    assert bar is not None and (bar.open, bar.high, bar.low, bar.close, bar.trades) == (*[100.05] * 4, 1)


def test_pages_go_on_through_the_files(live: LiveKit) -> None:
    trade_on(live, END, random.Random(3))
    reading = quotes_of(current_market())
    whole = list(RecordedFeed(live.folder).quotes("IBM", START, END))
    for descending in (False, True):
        found: list[PastQuote] = []
        after: Place | None = None
        while not found or after is not None:
            part = page(reading, ["IBM"], Span(START, END, descending), limit=13, after=after)
            found += part.rows.get("IBM", [])
            after = part.following
        assert found == (whole[::-1] if descending else whole)


def test_follows_files_that_go(live: LiveKit) -> None:
    trade_on(live, END, random.Random(4))
    tasks.tend_past()
    first, *others = parts_of(live.folder)
    market, frame = current_market(), read_timeframe("1Min")
    assert frame is not None
    list(bars(market, "IBM", frame, start=START, until=END, now=END))
    ahead = market.past_quotes("IBM", START, END)
    next(ahead)
    first.path.unlink()
    list(ahead)
    assert tasks.tend_past() == 0
    assert len(list(live.folder.glob(f"*{minutes.SUFFIX}"))) == len(others) - 1
    left = list(bars(market, "IBM", frame, start=START, until=END, now=END))
    assert (
        left
        and left[0].trades < 40
        and all(quote.at >= others[0].begins for quote in market.past_quotes("IBM", START, END))
    )


def test_without_a_recording_there_is_none(live: LiveKit) -> None:
    feed = LiveFeed("live:push", lambda listener: None, folder=None)  # type: ignore[arg-type, return-value]
    feed.remember(["IBM"])
    assert list(feed.quotes("IBM", START, END)) == list(feed.minutes("IBM", START, END)) == []
    assert feed.mids("IBM", [END]) == [None] and feed.mids("IBM", []) == []


@pytest.mark.parametrize("piece", [1, 7, 1_000])
def test_a_file_is_read_as_it_grows(live: LiveKit, tmp_path: Path, piece: int) -> None:
    """However its bytes come, a row is read when it is whole, and once."""
    trade_on(live, at("13:58:50"), random.Random(5))
    live.feed.stop()
    (part,) = parts_of(live.folder)
    data = part.path.read_bytes()
    whole = Follower(part, SYMBOLS)
    growing = part._replace(path=tmp_path / part.path.name)
    growing.path.write_bytes(b"")
    follower = Follower(growing, SYMBOLS)
    for start in range(0, len(data), piece):
        with growing.path.open("ab") as file:
            file.write(data[start : start + piece])
        seen = follower.minutes("IBM")
        assert sum(minute.quotes for minute in seen) <= sum(minute.quotes for minute in whole.minutes("IBM"))
    for symbol in SYMBOLS:
        assert follower.minutes(symbol) == whole.minutes(symbol)
    assert whole.minutes("IBM")


def test_minutes_are_stored_exactly_and_say_who_was_not_there(live: LiveKit) -> None:
    trade_on(live, END, random.Random(6))
    live.quote("KO - 50.00 0 100")
    live.pass_time(seconds=41)
    live.quote("IBM 100.00 100.10 500 300")
    tasks.tend_past()
    *over, _ = parts_of(live.folder)
    for part in over:
        for symbol in SYMBOLS:
            assert (stored_minutes(part, symbol) or ()) == Follower(part, SYMBOLS).minutes(symbol)
    assert stored_minutes(over[-1], "KO") == () and stored_minutes(over[0], "KO") is None
    torn = next(iter(live.folder.glob(f"*{minutes.SUFFIX}")))
    torn.write_bytes(gzip.compress(b"x" * 100)[:20])
    minutes._of_symbol.cache_clear()
    same_as_a_recorded_market(live)


def test_many_symbols_are_read_in_one_pass_and_forgotten_in_time(live: LiveKit) -> None:
    trade_on(live, at("13:58:50"), random.Random(8))
    past = live.feed.past
    with patch.object(Follower, "_take", autospec=True, side_effect=Follower._take) as takes:
        past.remember(SYMBOLS)
        for symbol in SYMBOLS:
            assert list(past.minutes(symbol, START, live.wall))
        assert takes.call_count == 1
    for number in range(MOST_FOLLOWED + 10):
        past._symbols.add(f"S{number}")
    past.remember(["KO"])
    assert len(past._symbols) == 1


def test_every_way_in_shows_it(live: LiveKit, client: Client) -> None:
    """Alpaca's calls, the hosted product's, indicators and the symbol's page."""
    trade_on(live, END, random.Random(9))
    user = UserFactory()
    Desk(user)
    api = Api(TokenFactory(user=user))
    client.force_login(user)
    (first, *_) = expected = one_minute_by_hand(live, "IBM")
    ends = {"start": wire("13:58:00"), "end": wire(live.wall)}
    found = api.get("/v2/stocks/bars", symbols="IBM,BAC", timeframe="1Min", **ends).json()["bars"]
    assert [(bar["t"][:16], bar["o"], bar["h"], bar["l"], bar["c"], bar["n"]) for bar in found["IBM"]] == expected
    assert {bar["v"] for bar in found["IBM"]} == {0} and found["BAC"]
    path = "/v1/stocks/aggs/IBM/1/minute/2013-10-07/2013-10-07/"
    assert [(bar["o"], bar["h"], bar["l"], bar["c"], bar["n"]) for bar in api.get(path).json()["results"]] == [
        row[1:] for row in expected
    ]
    quotes = api.get("/v2/stocks/quotes", symbols="IBM", limit="1000", **ends).json()["quotes"]["IBM"]
    assert len(quotes) == len(list(RecordedFeed(live.folder).quotes("IBM", START, live.wall)))
    snapshot = api.get("/v2/stocks/snapshots", symbols="IBM").json()["IBM"]
    assert snapshot["dailyBar"]["o"] == first[1] and snapshot["minuteBar"]["c"] == expected[-2][4]
    average = api.get("/v1/stocks/indicators/sma/IBM/", window="2", timespan="minute").json()["results"]["values"]
    closes = [row[4] for row in expected]
    assert average[0]["value"] == pytest.approx((closes[-2] + closes[-3]) / 2)
    day = api.get("/v1/stocks/open-close/IBM/2013-10-07/").json()
    assert (day["open"], day["close"]) == (first[1], expected[-1][4])
    figures = client.get("/symbols/IBM/chart/").json()["figures"]
    assert figures


def one_minute_by_hand(live: LiveKit, symbol: str) -> list[tuple[object, ...]]:
    """Minute, open, high, low, close, number: by a few lines that know nothing of the code."""
    by_minute: dict[str, list[float]] = {}
    for path in sorted(live.folder.glob("*.csv.gz")):
        text = path.read_bytes()
        lines = recorder.zlib.decompressobj(31).decompress(text).decode().splitlines()[1:]
        for stamp, name, bid, ask, *_, taken in (line.split(",") for line in lines):
            if name == symbol and bid and float(bid) <= float(ask) and stamp:
                by_minute.setdefault(taken[:16], []).append(round((float(bid) + float(ask)) / 2, 6))
    return [(minute, mids[0], max(mids), min(mids), mids[-1], len(mids)) for minute, mids in sorted(by_minute.items())]


def test_a_minute_of_two_files_is_one_bar() -> None:
    first = PastMinute(START, 10.0, 12.0, 9.0, 11.0, 3, 32.0, START)
    second = PastMinute(START, 8.0, 8.5, 8.0, 8.5, 2, 16.5, START)
    bar = Bar.of_minute(START, first).with_minute(second)
    assert bar == Bar(START, 10.0, 12.0, 8.0, 8.5, 5, 0.0, 48.5) and bar.mean == 9.7
