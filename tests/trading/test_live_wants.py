"""Which quotes a live market asks its provider for, and what it does with the answers."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from marketdata import clock, feed_state, listing, wanted
from marketdata.feeds.live.protocol import Chain, Contract, Coverage, Grade, Line, Rank, RawQuote, State, Want
from marketdata.markets.current import current_market
from marketdata.markets.live import LiveMarket, ranked
from papertrade.lib.errors import Unavailable, Unprocessable
from papertrade.lib.valkey import client
from tests.desk import Desk, dec
from tests.factories import UserFactory
from tests.live_kit import FEED, LiveKit
from tests.market_kit import at

CALL, PUT = "O:IBM131019C00100000", "O:IBM131019P00100000"


class Asked:
    """The provider's thread, as far as it is told anything."""

    def __init__(self) -> None:
        self.wants: Sequence[Want] = ()
        self.chains: list[str] = []

    def want(self, wants: Sequence[Want]) -> None:
        self.wants = wants

    def want_chain(self, underlying: str) -> None:
        self.chains.append(underlying)

    def stop(self) -> None:
        """It never ran."""


@pytest.fixture
def live(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LiveKit:
    kit = LiveKit(settings, monkeypatch, tmp_path / "live", start="14:00:00")
    client().delete(wanted.WATCHED, wanted.WANTED_CHAINS, wanted.REFUSED, feed_state.KEY, wanted.CHAIN.format("IBM"))
    kit.feed._thread = Asked()
    current_market().takes_pushes = False  # a provider that is asked
    return kit


@pytest.fixture
def asked(live: LiveKit) -> Asked:
    return live.feed._thread


def attend(live: LiveKit) -> None:
    """What the feed process does after a step."""
    live.step()
    market = current_market()
    assert isinstance(market, LiveMarket)
    market._attends_again_at = 0.0
    market.attend(orders=live.mover.order_symbols, held=live.mover.held_symbols)


def test_by_rank_and_each_once() -> None:
    assert ranked([CALL, "BAC"], ["BAC", "KO"], ["F", "KO"]) == [
        Want("BAC", Rank.ORDER),
        Want(CALL, Rank.ORDER),
        Want("KO", Rank.POSITION),
        Want("IBM", Rank.UNDERLYING),
        Want("SPY", Rank.CANARY),
        Want("F", Rank.WATCHED),
    ]


def test_an_order_a_position_and_what_somebody_looks_at(live: LiveKit, asked: Asked) -> None:
    live.quote("KO 60.00 60.10 500 300")
    desk = Desk(UserFactory())
    desk.buy("1", symbol="KO")
    desk.buy("1", symbol="BAC")
    for symbol in ("F", "GM"):
        live.pass_time(seconds=1)
        current_market().latest([symbol], at=live.wall)
    attend(live)
    assert asked.wants == [
        Want("BAC", Rank.ORDER),
        Want("KO", Rank.POSITION),
        Want("SPY", Rank.CANARY),
        Want("GM", Rank.WATCHED),
        Want("F", Rank.WATCHED),
    ]


def test_nobody_watches_for_ever(live: LiveKit, asked: Asked) -> None:
    current_market().latest(["F"], at=live.wall)
    live.pass_time(minutes=6)
    attend(live)
    assert asked.wants == [Want("SPY", Rank.CANARY)]


def test_at_most_so_many_are_watched(live: LiveKit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wanted, "MOST_WATCHED", 3)
    for number in range(5):
        live.pass_time(seconds=1)
        wanted.watch([f"A{chr(65 + number)}"])
    assert wanted.watched() == ["AE", "AD", "AC"]


def test_a_symbol_that_the_provider_refuses_is_unknown_for_a_day(live: LiveKit, asked: Asked) -> None:
    desk = Desk(UserFactory())
    assert desk.state(desk.buy("1", symbol="ZZZZ")) == ("new", "quote_missing")
    live.feed.intake.refuse_symbol("ZZZZ")
    attend(live)
    with pytest.raises(Unprocessable, match="no such symbol"):
        desk.buy("1", symbol="ZZZZ")
    live.pass_time(days=1, seconds=1)
    live.step()
    desk.buy("1", symbol="ZZZZ")


def test_many_contracts_are_watched_and_a_chain_is_not(live: LiveKit, asked: Asked) -> None:
    """As the streams of many clients ask for all that any of them wants."""
    contracts = [f"O:IBM131019C{strike:05}000" for strike in range(80, 105)]
    current_market().latest(contracts, at=live.wall, watch=False)
    attend(live)
    assert {want.symbol for want in asked.wants} == {"SPY"}
    current_market().latest(contracts, at=live.wall)
    attend(live)
    assert {want.symbol for want in asked.wants} == {"SPY", *contracts}


class TestAChain:
    def test_is_fetched_by_the_leader_and_seen_by_all(self, live: LiveKit, asked: Asked) -> None:
        with pytest.raises(Unavailable, match="being fetched"):
            listing.expirations("IBM", at=live.wall)
        attend(live)
        assert asked.chains == ["IBM"]
        quote = RawQuote(CALL, dec("4"), dec("4.2"), dec(20), dec(10), at("13:59:58"), FEED)
        live.feed.intake.hear_chain(Chain("IBM", (Contract(CALL, quote), Contract(PUT, None))))
        attend(live)
        assert [contract.symbol for contract in listing.chain("IBM", spot=dec(100), at=live.wall)] == [CALL, PUT]
        shown = current_market().latest([CALL, PUT], at=live.wall)
        assert (shown[CALL].bid, shown[CALL].quoted_at, set(shown)) == (dec("4"), at("13:59:58"), {CALL})

    def test_fills_nothing(self, live: LiveKit) -> None:
        quote = RawQuote(CALL, dec("4"), dec("4.2"), dec(20), dec(10), live.wall, FEED)
        wanted.keep_chain(Chain("IBM", (Contract(CALL, quote),)))
        desk = Desk(UserFactory())
        assert desk.state(desk.buy("1", symbol=CALL)) == ("new", "quote_missing")

    def test_that_cannot_be_had_says_why(self, live: LiveKit) -> None:
        wanted.keep_chain(Chain("IBM", (), "The plan has no options."))
        with pytest.raises(Unavailable, match="The plan has no options"):
            listing.expirations("IBM", at=live.wall)

    def test_of_a_provider_that_lists_none_is_what_has_a_quote(
        self, live: LiveKit, asked: Asked, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        live.quote(f"{CALL} 4.00 4.20 20 10")
        with pytest.raises(Unavailable, match="being fetched"):
            listing.expirations("IBM", at=live.wall)
        wanted.keep_chain(Chain("IBM", (), never=True))
        assert current_market().options_of("IBM") == [CALL]
        monkeypatch.setattr(current_market(), "takes_pushes", True)
        client().delete(wanted.CHAIN.format("IBM"))
        assert current_market().options_of("IBM") == [CALL] and current_market().options_of("KO") == []

    def test_of_no_stock_in_particular_is_of_those_that_are_looked_at(self, live: LiveKit, asked: Asked) -> None:
        live.quote(f"{CALL} 4.00 4.20 20 10")
        live.quote("KO 60.00 60.10 500 300")
        assert current_market().optionable() == ["IBM"] and len(current_market().stocks()) > 50

    def test_that_is_old_is_shown_and_fetched_again(self, live: LiveKit, asked: Asked) -> None:
        wanted.keep_chain(Chain("IBM", (Contract(CALL, None),)))
        live.pass_time(minutes=2)
        assert wanted.chain_symbols("IBM") == [CALL]
        attend(live)
        assert asked.chains == ["IBM"]


def test_how_late_a_feed_is_is_told_by_the_quotes_of_a_session(live: LiveKit) -> None:
    """Others stand for hours: the latest of quiet symbols, and all of them at night."""
    for _ in range(100):
        live.quote("IBM 60.00 60.10 500 300", late=3_600)
    assert live.feed.lag is None
    for _ in range(100):
        live.quote("IBM 60.00 60.10 500 300", late=0.06)
    assert live.feed.lag is not None and live.feed.lag.total_seconds() == 0.06
    live.wall = at("20:00:01")
    live.step()
    assert live.feed.lag is None


def test_the_state_is_published(live: LiveKit) -> None:
    live.feed.intake.report(Line("stocks", "alpaca:iex", Grade.SINGLE_VENUE, State.STREAMING, symbol_limit=30))
    live.feed.intake.cover("stocks", Coverage(["IBM"], ["BAC"], [f"A{chr(65 + n)}" for n in range(12)]))
    for _ in range(100):
        live.quote("IBM 60.00 60.10 500 300", late=0.06)
    attend(live)
    state = feed_state.read()
    assert state is not None and state.serves and not state.is_old
    (line,) = state.lines
    assert (line.streamed, line.polled, line.left_out_count, len(line.left_out)) == (1, 1, 12, 10)
    assert state.lag_seconds == 0.06
    assert json.loads(client().get(feed_state.KEY))["recording"] == str(live.folder)
    live.pass_time(seconds=20)
    assert feed_state.read().is_old
    assert clock.read().now == live.wall
