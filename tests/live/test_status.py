"""What the leader tells of its provider, and who shows it: health, metrics, the band, the operators' page."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from prometheus_client import generate_latest

from accounts.models import User
from marketdata import feed_state
from marketdata.feed_state import FeedState, LineReport
from marketdata.feeds.live import alpaca, cutemarkets, intake, massive, tradier
from marketdata.feeds.live.protocol import Count, Grade, ProviderOptions, State
from marketdata.grades import GRADES, grade_of
from marketdata.markets.current import current_market
from papertrade.dashboard import words
from papertrade.dashboard.market_bar import market_bar
from papertrade.lib import metrics, valkey
from papertrade.operations import gauges, health
from tests.api_kit import Api
from tests.factories import TokenFactory, UserFactory
from tests.live_kit import LiveKit

KEYS = ProviderOptions(key="k", secret="s")
LATE = timedelta(seconds=910)


@pytest.fixture
def live(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> LiveKit:
    valkey.client().delete(feed_state.KEY)
    return LiveKit(settings, monkeypatch, tmp_path / "live", start="14:00:00")


def a_line(**other: Any) -> LineReport:
    given = {
        "name": "stocks",
        "feed": "alpaca:iex",
        "grade": "single_venue",
        "state": "streaming",
        "reason": "",
        "symbol_limit": 30,
        "streamed": 30,
        "polled": 3,
        "left_out": [],
        "left_out_count": 0,
    }
    return LineReport(**{**given, **other})


def told(live: LiveKit, *lines: LineReport, **other: Any) -> FeedState:
    state = FeedState("alpaca", live.wall.isoformat(), list(lines or (a_line(),)), **{"lag_seconds": 0.1, **other})
    feed_state.publish(state)
    return state


def test_what_is_old_is_not_known_any_more(live: LiveKit, settings: Any) -> None:
    assert feed_state.in_force() is None
    state = told(live, a_line(left_out=["IBM", "A"], left_out_count=2), a_line(name="options"))
    assert feed_state.in_force() == state
    settings.PAPERTRADE_MARKET = "simulated"
    assert feed_state.in_force() is None, "another market has no provider"
    settings.PAPERTRADE_MARKET = "live"
    live.pass_time(seconds=16)
    assert feed_state.in_force() is None


def test_every_word_that_is_counted_has_a_counter() -> None:
    words_of_the_intake = {intake.CONFLATED, intake.TAKEN, intake.REFUSED}
    assert {str(word) for word in Count} | words_of_the_intake == set(metrics.LIVE)


def test_what_was_counted_is_counted_once(live: LiveKit) -> None:
    before = metrics.LIVE["reconnects"].labels("mute")._value.get()
    live.feed.intake.count(Count.RECONNECTS, 2, reason="mute")
    for symbols in (["IBM"], ["BAC"]):  # the leader attends at once where orders have changed
        current_market().attend(orders=symbols, held=[])
    assert metrics.LIVE["reconnects"].labels("mute")._value.get() - before == 2


def every_market() -> dict[str, Grade]:
    found = {}
    for feed in alpaca.FEEDS:
        delay = LATE if feed in alpaca.LATE else timedelta(0)
        markets = alpaca.markets(ProviderOptions(key="k", secret="s", feeds=(feed,), delay=delay))
        found |= {market.feed: market.grade for market in markets}
    for delay in (timedelta(0), LATE):
        found |= {market.feed: market.grade for market in massive.markets(ProviderOptions(key="k", delay=delay))}
    found |= {market.feed: market.grade for market in cutemarkets.markets(KEYS)}
    for feed, delay in (("sandbox", LATE), ("production", timedelta(0))):
        markets = tradier.markets(ProviderOptions(key="k", feeds=(feed,), delay=delay))
        found |= {market.feed: market.grade for market in markets}
    return found


def test_a_quote_has_the_grade_of_its_line() -> None:
    """The feed's word in the evidence is enough to know the grade, of every line of every provider."""
    assert every_market() == GRADES


@pytest.mark.parametrize(
    ("feed", "grade"),
    [("simulated:7", "simulated"), ("push", "pushed"), ("push:my key", "pushed"), ("CBOE", "recorded")],
)
def test_the_grade_of_other_feeds(feed: str, grade: str) -> None:
    assert grade_of(feed) == grade


@pytest.mark.parametrize(
    ("other", "sentence"),
    [
        ({}, None),
        ({"lag_seconds": 900.0}, "900 s late"),
        ({"lag_seconds": -5.0}, "clock is 5.0 s behind"),
        ({"recording_problem": "The recording cannot be written: No space left on device."}, "No space left"),
    ],
)
def test_operators_are_warned(live: LiveKit, other: dict[str, Any], sentence: str | None) -> None:
    told(live, **other)
    assert sentence is None or any(sentence in warning for warning in health.warnings())
    assert sentence is not None or not told(live).problems


def test_operators_are_warned_of_each_line(live: LiveKit) -> None:
    from marketdata import clock

    clock.beat()
    told(live, a_line(state="refused", reason="auth failed (402)"), a_line(left_out=["IBM", "A"], left_out_count=2))
    found = "\n".join(health.warnings())
    assert "refused: auth failed (402)" in found and "No quotes for 2 symbols" in found and "IBM, A" in found
    valkey.client().delete(feed_state.KEY)
    assert "Nothing is known of the provider" in "\n".join(health.warnings())


def test_metrics(live: LiveKit) -> None:
    told(live, a_line(left_out_count=7))
    text = generate_latest(gauges.States()).decode()
    assert 'papertrade_live_line{feed="alpaca:iex",grade="single_venue",line="stocks",state="streaming"} 1.0' in text
    assert (
        'papertrade_live_symbols{how="left_out",line="stocks"} 7.0' in text
        and "papertrade_live_lag_seconds 0.1" in text
    )


def test_the_band_says_how_honest_the_quotes_are(live: LiveKit, settings: Any) -> None:
    told(live)
    bar = market_bar()
    assert bar is not None and "a single exchange" in bar.warning and bar.trouble == ""
    settings.PAPERTRADE_DELAY_SECONDS = 910
    told(live, a_line(), a_line(name="options", feed="alpaca:opra", grade="nbbo", state="interrupted"))
    bar = market_bar()
    assert bar is not None and "alpaca:opra: The national best" in bar.warning and "15 minutes late" in bar.warning
    assert bar.trouble == "alpaca:opra interrupted"
    told(live, a_line(state="polling", reason="connection limit exceeded (406)", left_out_count=4))
    assert market_bar().trouble == "alpaca:iex polled, 4 symbols without quotes"
    told(live, a_line(state="polling"))
    assert market_bar().trouble == "", "polled by design"


def test_every_grade_and_state_has_words() -> None:
    of_providers = {str(grade) for grade in GRADES.values()} | {"pushed"}
    assert of_providers == set(words.GRADE)
    assert {str(state) for state in State} - {"streaming"} == set(words.LINE_STATE)


def test_the_operators_page(live: LiveKit, client: Client) -> None:
    client.force_login(User.objects.create_superuser("op", password="x"))
    assert "Nothing is known of the provider" in client.get("/admin/live/").content.decode()
    told(live, a_line(state="refused", reason="auth failed (402)", left_out=["IBM"], left_out_count=1))
    page = client.get("/admin/live/").content.decode()
    for part in ("alpaca:iex", "single_venue", "refused: auth failed (402)", "30 of 30", "1: IBM"):
        assert part in page
    assert 'href="/admin/live/"' in client.get("/admin/").content.decode()


def test_the_operators_page_is_of_live_markets_only(db: None, client: Client) -> None:
    client.force_login(User.objects.create_superuser("op", password="x"))
    assert client.get("/admin/live/").status_code == 404
    assert "/admin/live/" not in client.get("/admin/").content.decode()


def test_clock_status_and_quotes_say_it_too(live: LiveKit, db: None) -> None:
    told(
        live, a_line(), a_line(name="options", feed="alpaca:opra", grade="nbbo", state="interrupted", left_out_count=2)
    )
    live.quote("IBM 100.00 100.10 500 300")
    told(
        live, a_line(), a_line(name="options", feed="alpaca:opra", grade="nbbo", state="interrupted", left_out_count=2)
    )
    api = Api(TokenFactory(user=UserFactory()))
    feed = api.get("/v1/market/clock/").json()["feed"]
    assert feed == {
        "provider": "alpaca",
        "grades": ["single_venue", "nbbo"],
        "state": "interrupted",
        "delay_seconds": 0,
        "lag_seconds": 0.1,
        "streamed": 60,
        "polled": 6,
        "left_out": 2,
    }
    assert api.get("/v1/status/").json()["feed"] == feed
    (quote,) = api.get("/v1/market/quotes/?symbols=IBM").json()["results"]
    assert (quote["feed"], quote["grade"]) == ("test:nbbo", "recorded")
