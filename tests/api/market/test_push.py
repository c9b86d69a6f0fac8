"""POST /v1/market/quotes/: a feed of one's own."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from runpy import run_path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pytest_django.live_server_helper import LiveServer

from marketdata import clock, pushes, quote_book
from marketdata.feeds.live.intake import Intake
from marketdata.feeds.live.io_thread import IoThread
from marketdata.feeds.live.protocol import ProviderOptions, RawQuote
from marketdata.feeds.live.pushed import provider
from marketdata.feeds.live.recorder import row_text
from marketdata.feeds.recording_rows import read_row
from marketdata.pushing import _read, feed_word
from tests.api.contract import is_error
from tests.api_kit import Api
from tests.desk import Desk, dec
from tests.factories import TokenFactory
from tests.live_kit import LiveKit
from tests.market_kit import wire
from tests.stack.server import wait_until

QUOTES = "/v1/market/quotes/"
SCRIPT = Path(__file__).resolve().parents[3] / "docs" / "bots" / "push_quotes.py"


@pytest.fixture
def live(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LiveKit:
    kit = LiveKit(settings, monkeypatch, tmp_path / "live", start="14:00:00")
    pushes.clear()
    clock.beat()
    return kit


def row(live: LiveKit, **changes: Any) -> dict[str, Any]:
    return {
        "symbol": "IBM",
        "bid": "100.00",
        "ask": 100.1,
        "bid_size": 500,
        "ask_size": None,
        "quoted_at": wire(live.wall),
        **changes,
    }


def heard(live: LiveKit) -> None:
    """The leader's thread reads what was pushed."""
    _, quotes = pushes.read(pushes.read_to(), wait_ms=1)
    live.feed.intake.hear(quotes)


def test_a_pushed_quote_fills_with_its_pusher_as_evidence(live: LiveKit, market_api: Api, trader: Any) -> None:
    desk = Desk(trader)
    order = desk.buy("10")
    answer = market_api.post(QUOTES, {"quotes": [row(live)]})
    assert (answer.status_code, answer.json()) == (200, {"taken": 1, "refused": []})
    heard(live)
    live.pass_time(seconds=0.2)
    live.step()
    assert desk.fills(order) == [("10", "100.10")]
    fill = desk.now(order).fills.get()
    assert fill.quote.feed.startswith("push:key") and fill.quote.ask_size is None
    assert market_api.get(QUOTES + "?symbols=IBM").json()["results"][0]["feed"] == fill.quote.feed


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"symbol": "ibm?"}, "bad_symbol"),
        ({"symbol": None}, "bad_symbol"),
        ({"bid": "0"}, "bad_price"),
        ({"bid": "-1"}, "bad_price"),
        ({"ask": "NaN"}, "bad_price"),
        ({"ask": "1e400"}, "bad_price"),
        ({"ask": "1.0000001"}, "bad_price"),
        ({"ask": True}, "bad_price"),
        ({"bid_size": -1}, "bad_size"),
        ({"quoted_at": "yesterday"}, "bad_time"),
        ({"quoted_at": "2013-10-07T14:00:00"}, "bad_time"),
        ({"quoted_at": 5}, "bad_time"),
        ({"quoted_at": "2013-10-07T14:00:01.100Z"}, "future"),
        ({"quoted_at": "2013-10-07T13:59:59Z"}, "out_of_order"),
        ({"volume": 5}, "bad_row"),
    ],
)
def test_a_row_that_is_not_taken_says_why(live: LiveKit, market_api: Api, changes: dict[str, Any], reason: str) -> None:
    answer = market_api.post(QUOTES, {"quotes": [row(live), row(live, **changes)]}).json()
    assert answer["taken"] == 1
    ((index, why),) = [(refused["index"], refused["reason"]) for refused in answer["refused"]]
    assert (index, why) == (1, reason)


def test_a_side_may_be_absent(live: LiveKit, market_api: Api) -> None:
    assert market_api.post(QUOTES, {"quotes": [row(live, bid=None, bid_size=0)]}).json()["taken"] == 1
    heard(live)
    live.pass_time(seconds=0.2)
    live.step()
    assert quote_book.latest(["IBM"])["IBM"].bid is None


NUMBERS = st.decimals(0, 1_100_000_000, places=6).map(str) | st.from_regex(r"\d{1,9}\.\d{0,9}(e-?\d)?", fullmatch=True)


@given(price=NUMBERS, size=NUMBERS)
@example(price="183.50000000", size="500.0000000")  # as many a table writes its numbers
@example(price="184.00000000", size="0.00000000")
@example(price="1E+3", size="2e2")
def test_what_is_taken_can_be_recorded(price: str, size: str) -> None:
    """Else the leader would drop a quote whose pusher was told that it is taken."""
    at = "2013-10-07T14:00:00.123456789Z"
    row = {"symbol": "IBM", "bid": price, "ask": None, "bid_size": size, "ask_size": None, "quoted_at": at}
    quote = _read(row, feed_word("a, key"))
    if isinstance(quote, RawQuote):
        assert read_row(row_text(quote).split(","))[1:8] == (*quote[:5], quote.feed, quote.quoted_at)


def test_the_shape_of_the_request(live: LiveKit, market_api: Api, api: Api) -> None:
    is_error(market_api.post(QUOTES, {"quotes": [row(live)] * 1001}), 400, "bad_request")
    is_error(market_api.post(QUOTES, {"quotes": {}}), 400, "bad_request")
    is_error(api.post(QUOTES, {"quotes": []}), 403, "forbidden")
    assert market_api.post(QUOTES, {"quotes": []}).json() == {"taken": 0, "refused": []}
    assert market_api.post(QUOTES, {"quotes": [5, None, []]}).json()["refused"][2] == {
        "index": 2,
        "symbol": "",
        "reason": "bad_row",
    }


def test_without_a_leader_nothing_is_taken(live: LiveKit, market_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    live.pass_time(seconds=6)
    is_error(market_api.post(QUOTES, {"quotes": [row(live)]}), 503, "unavailable")
    clock.beat()
    monkeypatch.setattr(pushes, "waiting_seconds", lambda: 11.0)
    is_error(market_api.post(QUOTES, {"quotes": [row(live)]}), 503, "unavailable")


def test_what_waits_has_an_age(live: LiveKit, market_api: Api) -> None:
    assert pushes.waiting_seconds() == 0
    market_api.post(QUOTES, {"quotes": [row(live)]})
    assert 0 <= pushes.waiting_seconds() < 60
    heard(live)
    assert pushes.waiting_seconds() == 0


def test_the_leader_s_thread_reads_it(live: LiveKit, market_api: Api) -> None:
    """The real thread, on the real stream."""
    intake = Intake()
    thread = IoThread(lambda listener: provider(ProviderOptions(), listener), intake)
    thread.start()
    try:
        market_api.post(QUOTES, {"quotes": [row(live)]})
        quotes: list[Any] = []
        wait_until(lambda: quotes.extend(intake.take_quotes()) or quotes, "the quote is heard")
    finally:
        thread.stop()
    assert [(quote.symbol, quote.ask) for quote in quotes] == [("IBM", dec("100.1"))]
    assert intake.lines()[0].line.state == "streaming"
    assert not thread._thread


def test_the_script_of_the_documentation(
    server: LiveServer, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trader: Any, capsys: Any
) -> None:
    """It stamps each row when it sends it: by a market an hour ahead they are late, which is no reason to refuse one."""
    live = LiveKit(settings, monkeypatch, tmp_path / "live", start=datetime.now(UTC) + timedelta(hours=1))
    pushes.clear()
    clock.beat()
    credentials, quotes = tmp_path / "credentials.json", tmp_path / "quotes.csv"
    key = TokenFactory(user=trader, scopes=["paper", "market"])
    credentials.write_text(json.dumps({"base_url": f"{server.url}/v1", "market_key": key}))
    quotes.write_text("symbol,bid,ask,bid_size,ask_size\nIBM,100.00,100.10,500,\nBAC,,20.01,,300\nibm?,1,2,3,4\n")
    run_path(str(SCRIPT))["main"](str(credentials), str(quotes))
    assert capsys.readouterr().err == "refused ibm? bad_symbol\n"
    heard(live)
    live.pass_time(seconds=0.2)
    live.step()
    found = quote_book.latest(["IBM", "BAC"])
    assert (found["IBM"].ask, found["IBM"].ask_size, found["BAC"].bid) == (dec("100.10"), None, None)


def test_anybody_else_s_market_takes_none(open_market: Any, market_api: Api) -> None:
    is_error(market_api.post(QUOTES, {"quotes": []}), 409, "feed_not_writable")


def test_a_key_s_name_is_made_a_word() -> None:
    assert feed_word("my, key ü") == "push:my- key -"
    assert len(feed_word("x" * 100)) == 64
