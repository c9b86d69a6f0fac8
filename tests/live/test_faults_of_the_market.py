"""Faults that the market has to bear, between a provider on a real socket and the books."""

import asyncio
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from marketdata import clock
from marketdata.feeds.live import alpaca
from marketdata.feeds.live.intake import CONFLATED, GIVE_WAY_SECONDS, Intake
from marketdata.feeds.live.protocol import ProviderOptions, Rank, Want
from marketdata.feeds.recorded import RecordedFeed
from marketdata.feeds.recording_rows import Report
from orders.models import Order
from papertrade.lib.errors import Unavailable
from tests.desk import Desk
from tests.factories import UserFactory
from tests.live.provider import KEY, SECRET, FakeProvider, Quoted
from tests.live_kit import LiveKit

SYMBOLS = ["AAPL", "IBM", "BRK.B"]
FRAMES, QUOTES_A_FRAME = 20, 500


@pytest.fixture
def live(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LiveKit:
    kit = LiveKit(settings, monkeypatch, tmp_path / "live", start="13:59:59")
    kit.quote("IBM 100.00 100.10 500 300")
    kit.pass_time(seconds=0.1)
    return kit


def test_a_step_that_takes_long_costs_no_memory_and_no_connection() -> None:
    """While nobody takes quotes the newest of each symbol is kept, the others are counted, and the provider is not let wait."""

    async def scenario() -> None:
        intake = Intake()
        async with FakeProvider() as fake:
            options = ProviderOptions(key=KEY, secret=SECRET, url=fake.http_url, stream_url=fake.ws_url)
            provider = alpaca.provider(options, intake)
            provider.want([Want(symbol, Rank.ORDER) for symbol in SYMBOLS])
            running = asyncio.ensure_future(provider.run())
            try:
                await fake.until(lambda: bool(fake.peers) and len(fake.peers[0].subscribed) == len(SYMBOLS))
                await flood(fake, intake)
                assert len(fake.opened) == 1 and fake.peers
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    async def flood(fake: FakeProvider, intake: Intake) -> None:
        start = datetime(2026, 11, 25, 15, 30, tzinfo=UTC)
        for frame in range(FRAMES):
            stamps = (start + timedelta(microseconds=frame * QUOTES_A_FRAME + place) for place in range(QUOTES_A_FRAME))
            await fake.peers[0].quote(*(Quoted(SYMBOLS[at.microsecond % 3], at=at) for at in stamps))
        last = start + timedelta(microseconds=FRAMES * QUOTES_A_FRAME - 1)
        counted = 0.0
        async with asyncio.timeout(60):
            while counted < (FRAMES * QUOTES_A_FRAME - len(SYMBOLS)):
                await asyncio.sleep(0.05)
                counted += intake.take_counted().get((CONFLATED, ""), 0)
        newest = intake.take_quotes()
        assert len(newest) == len(SYMBOLS), "as many as there are symbols, however long nobody takes them"
        assert max(quote.quoted_at for quote in newest) == last

    asyncio.run(scenario())


def test_frames_wait_for_a_step_that_has_just_begun_and_for_no_long_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waited = 100.0, list[float]()
    monkeypatch.setattr("time.monotonic", lambda: now)
    intake = Intake()
    monkeypatch.setattr(intake._free, "wait", waited.append)
    intake.give_way()
    with intake.undisturbed():
        intake.give_way()
        now += GIVE_WAY_SECONDS
        intake.give_way()
        assert waited == [pytest.approx(GIVE_WAY_SECONDS)] and not intake._free.is_set()
    assert intake._free.is_set()


@pytest.mark.parametrize("skew", [-2.0, 2.0])
def test_a_web_host_whose_clock_is_wrong_never_turns_a_book_s_time_back(live: LiveKit, skew: float) -> None:
    """An order sent by it is stamped behind all that is done, late by the skew at most, and the next quote reaches it."""
    desk = Desk(UserFactory())
    live.wall += timedelta(seconds=skew)  # what the web host believes
    order = desk.buy("10", limit="99")
    live.wall -= timedelta(seconds=skew)
    stored = Order.objects.get(pk=order.pk)
    assert stored.submitted_at >= clock.read().through
    live.pass_time(seconds=max(skew, 0))
    live.quote("IBM 98.80 98.90 500 300")
    assert desk.fills(order) == [("10", "98.90")]
    times = list(desk.now(order).fills.values_list("created_at", flat=True))
    assert all(at >= stored.submitted_at for at in times)


@pytest.mark.parametrize("rounds", [100, pytest.param(1_000, marks=pytest.mark.torture)])
def test_quotes_and_orders_that_race(committed: None, live: LiveKit, rounds: int) -> None:
    """One thread makes steps without a pause, another says a quote and sends an order for it: whichever is first, the order is
    filled at a price that stood, and at once or by the very next step.
    """
    desk, over, faults = Desk(UserFactory(), "100000000"), threading.Event(), list[BaseException]()

    def make_steps() -> None:
        try:
            while not over.is_set():
                live.step()
        except BaseException as fault:
            faults.append(fault)
        finally:
            connection.close()

    stepping = threading.Thread(target=make_steps)
    stepping.start()
    orders = []
    try:
        for number in range(rounds):
            live.pass_time(milliseconds=1)
            live.hear(f"IBM 100.00 {100 + number % 7}.{10 + number % 3} 500 300", late=0)
            orders.append(sent_until_it_is_taken(desk))
    finally:
        over.set()
        stepping.join()
    assert not faults
    live.pass_time(seconds=0.2)
    live.hear("IBM 100.00 100.10 500 300")
    live.step()
    shown = {row.ask for row in RecordedFeed(live.folder).rows(Report())}
    for order in orders:
        [fill] = desk.now(order).fills.all()
        assert fill.price in shown and fill.created_at >= desk.now(order).submitted_at
        assert fill.quote.quoted_at <= fill.created_at


def sent_until_it_is_taken(desk: Desk) -> Order:
    """On a machine that is so busy that the gate stays closed for seconds an order is told to come again."""
    while True:
        with suppress(Unavailable):
            return desk.buy("1", limit="107")


def test_a_quote_and_an_order_at_the_same_moment(live: LiveKit) -> None:
    """In either order, again and again: no marketable order is left behind, and none fills by a quote from before it."""
    desk = Desk(UserFactory(), "100000000")
    for number in range(20):
        price = 100 + number % 7
        live.pass_time(seconds=0.2)
        if number % 2:
            live.hear(f"IBM {price}.00 {price}.10 500 300")
            order = desk.buy("1", limit=f"{price}.10")
        else:
            order = desk.buy("1", limit=f"{price}.10")
            live.hear(f"IBM {price}.00 {price}.10 500 300")
        live.step()
        stored = desk.now(order)
        assert str(stored.status) == "filled", number
        assert all(fill.created_at >= stored.submitted_at for fill in stored.fills.all())
