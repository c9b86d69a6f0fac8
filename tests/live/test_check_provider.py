"""`papertrade check-provider`: what it says of a provider that works, and of each that does not."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from marketdata.feed_state import judge_lag
from marketdata.feeds.live import trial
from marketdata.feeds.live.pace import Pace
from marketdata.feeds.live.protocol import State
from marketdata.management.commands import check_provider
from marketdata.services import is_open_by_the_rules
from tests.live.provider import KEY, SECRET, Quoted, ThreadedProvider, in_a_thread

CALL = "O:SPY261218C00600000"


@pytest.fixture
def provider(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadedProvider]:
    """A provider in order, named by the settings; the exchange is open."""
    with in_a_thread() as running:
        running.fake.latest = {name: Quoted(name) for name in ("SPY", "FAKEPACA", CALL)}
        running.fake.contracts = [CALL, "O:SPY261218P00600000"]
        settings.PAPERTRADE_MARKET, settings.PAPERTRADE_PROVIDER = "live", "alpaca"
        settings.PAPERTRADE_PROVIDER_KEY, settings.PAPERTRADE_PROVIDER_SECRET = KEY, SECRET
        settings.PAPERTRADE_PROVIDER_FEEDS = []
        settings.PAPERTRADE_PROVIDER_URL = running.fake.http_url
        settings.PAPERTRADE_PROVIDER_STREAM_URL = running.fake.ws_url
        settings.PAPERTRADE_DELAY_SECONDS, settings.PAPERTRADE_SYMBOL_LIMIT = 0, None
        monkeypatch.setattr(check_provider, "is_open_by_the_rules", lambda at: True)
        monkeypatch.setattr(trial, "ENOUGH_QUOTES", 1)
        monkeypatch.setattr(trial, "Pace", lambda: Pace(20.0))
        yield running


def tried(*, works: bool, seconds: int = 60) -> str:
    """What it says; it waits no longer than for the first quote."""
    out = StringIO()
    if works:
        call_command("check_provider", stdout=out, seconds=seconds)
        return out.getvalue()
    with pytest.raises(CommandError) as problem:
        call_command("check_provider", stdout=out, seconds=seconds)
    return f"{out.getvalue()}\n{problem.value}"


@pytest.mark.parametrize(
    ("name", "feeds", "said"),
    [
        ("alpaca", ["iex"], ["one exchange's quotes", "30 symbols streamed at once", "quotes of SPY"]),
        ("alpaca", ["indicative"], ["changed by the provider", "2 contracts, 1 of them quoted", f"quotes of {CALL}"]),
        ("alpaca", ["test"], ["nothing can be traded on it"]),
        ("massive", ["stocks", "options"], ["massive:stocks", "massive:options", f"quotes of {CALL}"]),
        ("cutemarkets", ["stocks", "options"], ["quotes of SPY", f"quotes of {CALL}"]),
        ("tradier", ["production"], ["tradier:production", "quotes of SPY"]),
    ],
)
def test_a_provider_that_works(
    provider: ThreadedProvider, settings: Any, name: str, feeds: list[str], said: list[str]
) -> None:
    settings.PAPERTRADE_PROVIDER, settings.PAPERTRADE_PROVIDER_FEEDS = name, feeds
    if name != "alpaca":
        settings.PAPERTRADE_PROVIDER_SECRET = ""
    if name == "tradier":
        settings.PAPERTRADE_PROVIDER_STREAM_URL = ""
    if feeds == ["test"]:
        provider.fake.greet_with = Quoted("FAKEPACA")
    text = tried(works=True)
    for part in said:
        assert part in text
    assert "All is well" in text
    assert KEY not in text and SECRET not in text
    provider.do(lambda: provider.fake.until(lambda: not provider.fake.peers))  # and it has let go


def test_a_wrong_key(provider: ThreadedProvider, settings: Any) -> None:
    settings.PAPERTRADE_PROVIDER_KEY = "a-wrong-key"
    text = tried(works=False)
    assert "auth failed (402)" in text and "PAPERTRADE_PROVIDER_KEY" in text and "a-wrong-key" not in text


def test_a_plan_without_the_feed(provider: ThreadedProvider, settings: Any) -> None:
    provider.fake.feeds, settings.PAPERTRADE_PROVIDER_FEEDS = {"iex"}, ["sip"]
    assert "name another in PAPERTRADE_PROVIDER_FEEDS" in tried(works=False)


def test_the_seat_is_taken(provider: ThreadedProvider) -> None:
    provider.fake.foreign_seats = 1
    text = tried(works=False)
    assert "connection limit exceeded (406)" in text and "stop it and try again" in text


def test_nobody_listens(provider: ThreadedProvider, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.PAPERTRADE_PROVIDER_STREAM_URL = "ws://127.0.0.1:1"
    until = trial.Trial.until

    async def until_it_fails(tried: trial.Trial, reached: Callable[[], object], seconds: float) -> bool:
        """What it would wait for in vain, without the waiting."""
        return await until(tried, lambda: reached() or trial._state(tried) is State.INTERRUPTED, seconds)

    monkeypatch.setattr(trial.Trial, "until", until_it_fails)
    text = tried(works=False)
    assert "No connection" in text and "way to the internet" in text


def test_no_quote_at_night(provider: ThreadedProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    provider.fake.latest = {}
    monkeypatch.setattr(check_provider, "is_open_by_the_rules", lambda at: False)
    text = tried(works=False, seconds=0)
    assert "The exchange is closed" in text and "PAPERTRADE_PROVIDER_FEEDS=test" in text


def test_late_quotes_are_named(provider: ThreadedProvider) -> None:
    provider.fake.latest = {"SPY": Quoted("SPY", at=datetime.now(UTC) - timedelta(minutes=15))}
    assert "delivers delayed ones" in tried(works=False)


def test_settings_that_do_not_go_together(provider: ThreadedProvider, settings: Any) -> None:
    settings.PAPERTRADE_DELAY_SECONDS = 910
    assert "set it to 0" in tried(works=False)
    settings.PAPERTRADE_PROVIDER = "push"
    assert "alpaca, massive, cutemarkets, tradier" in tried(works=False)


@pytest.mark.parametrize(
    ("seconds", "said"), [(-0.6, "clock is 0.6 s behind"), (-0.4, ""), (0.2, ""), (59, ""), (61, "61 s late")]
)
def test_what_a_lag_says(seconds: float, said: str) -> None:
    found = judge_lag(timedelta(seconds=seconds))
    assert (said in found) if said else found == ""


@pytest.mark.parametrize(
    ("at", "is_open"),
    [("2026-11-25T15:00", True), ("2026-11-25T14:00", False), ("2026-11-26T15:00", False), ("2026-11-27T18:30", False)],
)
def test_whether_the_exchange_is_open_needs_no_database(at: str, is_open: bool) -> None:
    assert is_open_by_the_rules(datetime.fromisoformat(at).replace(tzinfo=UTC)) is is_open
