"""POST /v1/market/quotes/: a feed of one's own."""

from pathlib import Path
from typing import Any

import pytest

from marketdata import clock, pushes, quote_book
from marketdata.feeds.live.intake import Intake
from marketdata.feeds.live.io_thread import IoThread
from marketdata.feeds.live.protocol import ProviderOptions
from marketdata.feeds.live.pushed import provider
from tests.api.contract import is_error
from tests.api_kit import Api
from tests.desk import Desk, dec
from tests.live_kit import LiveKit
from tests.market_kit import wire

QUOTES = "/v1/market/quotes/"


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
    assert 0 <= pushes.waiting_seconds() < 5
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
        for _ in range(100):
            quotes += intake.take_quotes()
            if quotes:
                break
            thread._thread.join(0.05)
    finally:
        thread.stop()
    assert [(quote.symbol, quote.ask) for quote in quotes] == [("IBM", dec("100.1"))]
    assert intake.lines()[0].line.state == "streaming"
    assert not thread._thread


def test_anybody_else_s_market_takes_none(open_market: Any, market_api: Api) -> None:
    is_error(market_api.post(QUOTES, {"quotes": []}), 409, "feed_not_writable")


def test_a_key_s_name_is_made_a_word() -> None:
    from marketdata.pushing import feed_word

    assert feed_word("my, key ü") == "push:my- key -"
    assert len(feed_word("x" * 100)) == 64
