"""The simulated market: the same quotes for every process, step and order of asking, and plausible ones."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import chain, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from marketdata import clock
from marketdata.feeds.simulated import BEFORE_OPEN, TICK, SimulatedFeed
from marketdata.feeds.universe import EXCHANGES, TICKERS
from marketdata.instruments import OptionRight, option_symbol
from marketdata.listing import STRIKE_STEPS, WIDEST_STRIKE_STEP
from marketdata.markets.simulated import SimulatedMarket
from marketdata.option_pricing import SMILE_CURVE, SMILE_SLOPE, black_scholes, greeks
from marketdata.sessions import calendar
from tests.market_kit import at

pytestmark = pytest.mark.django_db

OPEN = datetime(2025, 11, 20, 14, 30, tzinfo=UTC)
SYMBOLS = ["AAPL", "F", "O:AAPL251219C00230000", "O:F251219P00011000"]


def stepped(seconds: float, symbols: list[str], *, start: datetime, end: datetime, seed: int = 1) -> list:
    feed = SimulatedFeed(seed)
    cursor, at, quotes = feed.cursor(), start, []
    cursor.seek(at, whole=True)
    while at < end:
        at = min(end, at + timedelta(seconds=seconds))
        quotes += chain.from_iterable(cursor.until(at, symbols))
        cursor.seek(at, whole=True)
    return quotes


def test_one_step_or_many_any_order_of_symbols_and_any_instant_give_the_same_quotes() -> None:
    start, end = OPEN - timedelta(seconds=20), OPEN + timedelta(seconds=90)
    whole = stepped(1000, SYMBOLS, start=start, end=end)
    assert whole == stepped(3.7, SYMBOLS, start=start, end=end)
    assert whole == stepped(0.9, SYMBOLS[::-1], start=start, end=end)
    fresh = SimulatedFeed(1)
    assert all(fresh.quote_at(quote.symbol, quote.quoted_at) == quote for quote in reversed(whole))


def test_another_seed_is_another_market() -> None:
    assert SimulatedFeed(1).quote_at("AAPL", OPEN) != SimulatedFeed(2).quote_at("AAPL", OPEN)


@pytest.mark.parametrize(
    ("wall", "begins"),
    [
        ("2026-11-25T05:15:00Z", "2026-11-24T14:29:50Z"),  # night: the session that is over
        ("2026-11-25T14:29:59Z", "2026-11-24T14:29:50Z"),
        ("2026-11-25T14:30:00Z", "2026-11-25T14:29:50Z"),
        ("2026-11-26T17:00:00Z", "2026-11-25T14:29:50Z"),  # Thanksgiving
        ("2026-11-27T17:59:59Z", "2026-11-27T14:29:50Z"),  # a half day, and after its close
        ("2026-11-27T18:00:00Z", "2026-11-27T14:29:50Z"),
        ("2026-11-28T12:00:00Z", "2026-11-27T14:29:50Z"),
        ("2026-12-31T23:59:50Z", "2026-12-31T14:29:50Z"),
        ("2027-01-01T05:00:00Z", "2026-12-31T14:29:50Z"),
        ("2027-03-14T15:00:00Z", "2027-03-12T14:29:50Z"),  # the Sunday on which daylight saving time begins
        ("2027-03-15T13:30:00Z", "2027-03-15T13:29:50Z"),
        ("2028-02-29T15:00:00Z", "2028-02-29T14:29:50Z"),
    ],
)
def test_a_market_without_a_start_begins_shortly_before_the_latest_open(
    settings: Any, monkeypatch: pytest.MonkeyPatch, wall: str, begins: str
) -> None:
    settings.PAPERTRADE_START, settings.PAPERTRADE_SPEED = None, Decimal(1)
    monkeypatch.setattr(clock, "wall_now", lambda: at(wall))
    assert SimulatedMarket(SimulatedFeed(1)).first_at() == at(begins)


def test_every_symbol_ticks_at_least_every_five_seconds_and_at_the_open() -> None:
    stamps = [
        q.quoted_at for q in stepped(60, ["SPY"], start=OPEN - timedelta(seconds=9), end=OPEN + timedelta(minutes=1))
    ]
    assert OPEN in stamps
    assert max(later - earlier for earlier, later in zip(stamps, stamps[1:], strict=False)) <= timedelta(seconds=5)


def test_no_ticks_at_night_or_on_a_holiday() -> None:
    feed = SimulatedFeed(1)
    close = calendar().on(OPEN.date()).close
    assert feed.quote_at("AAPL", close + timedelta(hours=3)).quoted_at < close
    assert list(feed.ticks("AAPL", close, close + timedelta(hours=8))) == []


@pytest.mark.parametrize("symbol", sorted(TICKERS))
def test_quotes_are_plausible(symbol: str) -> None:
    feed, ticker = SimulatedFeed(1), TICKERS[symbol]
    for minutes in (0, 17, 200, 389):
        quote = feed.quote_at(symbol, OPEN + timedelta(minutes=minutes))
        assert 0 < quote.bid < quote.ask
        assert float(quote.spread) <= (ticker.spread_cents + 1) / 100 + 1e-9
        assert quote.bid_size >= 100 and quote.ask_size >= 100
        assert quote.bid_since <= quote.quoted_at and quote.ask_since <= quote.quoted_at
        assert ticker.price / 3 < float(quote.mid) < ticker.price * 3


def test_a_supply_stands_as_long_as_its_price() -> None:
    quotes = stepped(600, ["T"], start=OPEN, end=OPEN + timedelta(minutes=10))
    for earlier, later in zip(quotes, quotes[1:], strict=False):
        assert (later.ask_since == earlier.ask_since) == (later.ask == earlier.ask)
        assert (later.bid_since == earlier.bid_since) == (later.bid == earlier.bid)


def test_a_supply_stands_through_a_bid_that_is_missing_for_a_while() -> None:
    """A nearly worthless call, whose bid comes and goes; asked in order, and each instant of a feed that knows no other."""
    symbol, stood, since = "O:F251121C00012000", None, OPEN
    came_back, missing = 0, False
    feed, first_tick = SimulatedFeed(1), OPEN - BEFORE_OPEN + TICK
    for number in range(120):
        quote = feed.quote_at(symbol, first_tick + TICK * number)
        assert quote is not None
        if quote.bid is not None:
            came_back += quote.bid == stood and missing
            stood, since = (stood, since) if quote.bid == stood else (quote.bid, quote.quoted_at)
            fresh = SimulatedFeed(1).quote_at(symbol, quote.quoted_at)
            assert fresh is not None and quote.bid_since == fresh.bid_since == since
        missing = quote.bid is None
    assert came_back > 1


def test_what_exists() -> None:
    feed = SimulatedFeed(1)
    assert feed.exists("AAPL") and feed.exists("O:SPY270115C00600000")
    assert not feed.exists("ZZZZ") and not feed.exists("O:ZZZZ270115C00600000") and not feed.exists("nonsense")
    assert feed.quote_at("ZZZZ", OPEN) is None


def test_a_worthless_option_has_no_bid() -> None:
    quote = SimulatedFeed(1).quote_at("O:F251121C00100000", OPEN)
    assert (quote.bid, quote.bid_size) == (None, 0)
    assert quote.ask > 0


def test_black_scholes_against_hulls_example() -> None:
    """S 42, K 40, r 10 %, volatility 20 %, half a year: call 4.76, put 0.81 (Hull, Options, Futures and Other Derivatives)."""
    terms = {"spot": 42.0, "strike": 40.0, "years": 0.5, "volatility": 0.2, "rate": 0.10}
    assert black_scholes(**terms, is_call=True) == pytest.approx(4.76, abs=0.005)
    assert black_scholes(**terms, is_call=False) == pytest.approx(0.81, abs=0.005)


def test_greeks_are_the_slopes_of_the_price() -> None:
    terms = {"spot": 100.0, "strike": 105.0, "years": 0.3, "volatility": 0.25, "is_call": True}
    step = 1e-4
    up, down = (black_scholes(**{**terms, "spot": 100.0 + sign * step}) for sign in (1, -1))
    assert greeks(**terms)["delta"] == pytest.approx((up - down) / (2 * step), rel=1e-4)
    up, down = (black_scholes(**{**terms, "volatility": 0.25 + sign * step}) for sign in (1, -1))
    assert greeks(**terms)["vega"] == pytest.approx((up - down) / (2 * step) / 100, rel=1e-4)


def test_smile_keeps_to_the_bound_that_rules_out_arbitrage() -> None:
    assert 0 < SMILE_CURVE * (1 + abs(SMILE_SLOPE)) <= 2, "Gatheral and Jacquier 2014, remark 4.4"


@given(
    ticker=st.sampled_from(sorted(TICKERS)),
    seed=st.integers(1, 50),
    minutes=st.integers(0, 389),
    middle=st.floats(0.2, 3.0),
    right=st.sampled_from(OptionRight),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example(ticker="SPY", seed=1, minutes=30, middle=1.1, right=OptionRight.PUT)
def test_nothing_can_be_won_against_the_whole_chain(
    ticker: str, seed: int, minutes: int, middle: float, right: OptionRight
) -> None:
    """Strikes from a fifth to thrice the stock's price, expiries from today to years ahead, all at one instant: whoever buys at
    asks and sells at bids pays for what may be worth something, and gets no more than the most that it may cost.
    """
    feed, at = SimulatedFeed(seed), OPEN + timedelta(minutes=minutes)
    session = calendar().on(OPEN.date())
    spot, is_call = Decimal(repr(feed.spot(ticker, at, session))), right is OptionRight.CALL
    step = next((step for up_to, step in STRIKE_STEPS if spot <= up_to), WIDEST_STRIKE_STEP)
    nearest = max(round(spot * Decimal(repr(middle)) / step), 2)
    strikes = [step * place for place in (nearest - 1, nearest, nearest + 1, 2 * nearest)]
    chains = []
    for expiry in (date(2025, 11, 20), date(2025, 11, 21), date(2025, 12, 19), date(2026, 11, 20), date(2028, 1, 21)):
        row = [
            feed._sides(option_symbol(ticker.replace(".", ""), expiry, right, strike), at, session)[:2]
            for strike in strikes
        ]
        chains.append([(bid or Decimal(0), ask) for bid, ask in row])

    for quotes in chains:
        for strike, (bid, ask) in zip(strikes, quotes, strict=True):
            assert ask >= (spot - strike if is_call else strike - spot), "an option is worth its exercise"
            assert bid <= (spot if is_call else strike), "and never more than what it can bring"
        for (low, (low_bid, low_ask)), (high, (high_bid, high_ask)) in pairwise(zip(strikes, quotes, strict=True)):
            dear_ask, cheap_bid = (low_ask, high_bid) if is_call else (high_ask, low_bid)
            dear_bid, cheap_ask = (low_bid, high_ask) if is_call else (high_bid, low_ask)
            assert dear_ask >= cheap_bid, "the better strike costs more"
            assert dear_bid - cheap_ask <= high - low, "and no more than strikes differ"
        (_, first_ask), (second_bid, _), (_, third_ask) = quotes[:3]
        assert first_ask + third_ask >= 2 * second_bid, "a butterfly costs something"
    for sooner, later in pairwise(chains):
        for (bid, _), (_, ask) in zip(sooner, later, strict=True):
            assert ask >= bid, "more time costs more"


def test_a_put_deep_in_the_money_is_not_below_its_exercise() -> None:
    """SPY 720 puts were offered at 66.85 where exercising one was worth 70.79."""
    feed, session = SimulatedFeed(1), calendar().on(OPEN.date())
    spot = feed.spot("SPY", OPEN, session)
    strike = Decimal(round(spot * 1.1))
    bid, ask, *_ = feed._sides(option_symbol("SPY", date(2026, 12, 18), OptionRight.PUT, strike), OPEN, session)
    assert float(ask) >= float(strike) - spot and bid is not None and float(bid) > 0.9 * (float(strike) - spot)


def test_each_ticker_is_listed_somewhere_and_nothing_else_is() -> None:
    assert set(EXCHANGES) == set(TICKERS)
    assert set(EXCHANGES.values()) == {"NYSE", "NASDAQ", "ARCA", "BATS"}
