"""A clock that runs by itself, seen between two steps of the market: near what has been done, and never past an open."""

import re
import threading
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from marketdata import clock, quote_book
from marketdata.models import MarketClock
from papertrade.lib import valkey
from papertrade.lib.errors import Conflict
from papertrade.operations import gauges, health, presence
from papertrade.trading.clock import moving
from papertrade.trading.feed_process import FeedProcess
from papertrade.trading.mover import Mover, the_mover
from tests.api_kit import Api
from tests.desk import Desk
from tests.market_kit import MarketKit, at


def run_from(kit: MarketKit, start: str, *, speed: int, wall: timedelta) -> None:
    """A recording that has run for so long of the wall's time, and that nobody has moved since `start`."""
    kit.play("13:29:00 IBM 99.00 99.10", "13:30:00 IBM 100.00 100.10", start=start)
    MarketClock.objects.update(speed=Decimal(speed), anchor_at=at(start), anchor_wall=clock.wall_now() - wall)


@pytest.mark.parametrize(
    ("start", "speed", "wall", "now"),
    [
        pytest.param("13:00:00", 1, 1.5, "13:00:01.5", id="real time"),
        pytest.param("13:00:00", 1, 60, "13:00:02", id="nobody moves the market: it stops after two seconds"),
        pytest.param("13:00:00", 600, 60, "13:00:05", id="fast: at most five seconds ahead of what is done"),
        pytest.param("13:29:59", 1, 60, "13:29:59.999999", id="an open that is not done"),
        pytest.param("13:30:00", 1, 60, "13:30:02", id="an open that is done"),
    ],
)
def test_it_shows(market_kit: MarketKit, start: str, speed: int, wall: float, now: str) -> None:
    run_from(market_kit, start, speed=speed, wall=timedelta(seconds=wall))
    passes = timedelta(seconds=0.5 if wall < 2 else 0)  # of itself, while this is looked at, and then it stops
    assert at(now) <= clock.read().now <= at(now) + passes


def test_an_order_sent_before_the_open_is_done_waits_for_it(market_kit: MarketKit, trader: Any) -> None:
    run_from(market_kit, "13:29:59", speed=1, wall=timedelta(seconds=60))
    desk = Desk(trader)
    order = desk.buy("10")
    assert desk.state(order) == ("accepted", "")
    with moving():
        the_mover().step(clock.read().due)
    assert desk.now(order).filled_at == at("13:30:00")
    assert desk.fills(order) == [("10", "100.10")]


class TestAGap:
    """After sleep of the machine, or where its clock was set back, a running clock goes on from where it stood."""

    @pytest.mark.parametrize(
        ("gap", "goes_on"),
        [
            pytest.param(3600, True, id="slept for an hour"),
            pytest.param(4, False, id="a slow step"),
            pytest.param(-3600, True, id="set back by an hour"),
            pytest.param(-0.5, False, id="set back by a little"),
        ],
    )
    def test_of_the_wall_s_time(self, market_kit: MarketKit, gap: float, goes_on: bool) -> None:
        run_from(market_kit, "13:00:00", speed=1, wall=timedelta(seconds=gap))
        MarketClock.objects.update(heartbeat_at=clock.wall_now() - timedelta(seconds=gap))
        process = FeedProcess()
        process._go_on_after_a_gap()
        row = MarketClock.objects.get()
        assert (row.anchored_again_at is not None) == goes_on
        assert (Api(None).get("/v1/status/").json()["clock_went_on_at"] is not None) == goes_on
        if goes_on:
            assert row.anchor_at == at("13:00:00")
            assert abs(clock.read().due - at("13:00:00")) < timedelta(seconds=30)


@pytest.mark.parametrize("ahead", [3, -3], ids=["ahead", "behind"])
def test_a_machine_s_own_clock_shifts_no_time(
    market_kit: MarketKit, monkeypatch: pytest.MonkeyPatch, ahead: int
) -> None:
    """Wall time is the database's, everywhere; by how much a machine is off is shown."""
    monkeypatch.setattr(clock, "_machine_now", lambda: datetime.now(UTC) + timedelta(seconds=ahead))
    run_from(market_kit, "13:00:00", speed=1, wall=timedelta(seconds=1))
    first = clock.read()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp(), anchor_wall FROM marketdata_marketclock")
        wall, anchored = cursor.fetchone()
    assert first.now <= at("13:00:00") + (wall - anchored) < first.now + timedelta(seconds=1)
    clock.beat()
    assert abs(MarketClock.objects.get().heartbeat_at - wall) < timedelta(seconds=1)
    clock.start(market="recorded", feed=MarketClock.objects.get().feed, at=at("13:00:00"), speed=Decimal(1))
    assert clock.read().now < at("13:00:00") + timedelta(seconds=2.5), "nobody jumps by the difference"

    assert round(Api(None).get("/v1/status/").json()["clock_skew_seconds"]) == ahead
    monkeypatch.setattr(presence, "PROCESSES", "papertrade:processes of a skewed host")
    presence.Beacon("web").beat()
    [warning] = [said for said in health.warnings() if "The clock of" in said]
    shown = re.search(rf"([\d.]+) s {'ahead of' if ahead > 0 else 'behind'} the database's", warning)
    measured = re.search(r'papertrade_clock_skew_seconds{host=".+"} (\S+)', gauges.scrape().decode())
    valkey.client().delete(presence.PROCESSES)
    # It takes the database's answer a moment to come.
    assert shown and measured
    assert (float(shown[1]), float(measured[1])) == (pytest.approx(3, abs=0.9), pytest.approx(ahead, abs=0.9))


def test_a_lone_client_is_never_told_that_the_clock_is_busy(
    committed: None, market_kit: MarketKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The feed fills a quote book that fell behind just when an advance comes: the advance waits for it."""
    market_kit.play("14:00:00 IBM 100.00 100.10", "14:00:10 IBM 100.00 100.20", start="14:00:00")
    quote_book.clear()
    process, advanced = FeedProcess(), []

    def publish(mover: Mover) -> None:
        thread = threading.Thread(target=lambda: advanced.append(in_own_session(market_kit)))
        thread.start()
        thread.join(0.3)  # it waits at the gate, and would have been refused by now
        waiting.append(thread)

    waiting: list[threading.Thread] = []
    monkeypatch.setattr(Mover, "publish", publish)
    process._refill()
    waiting[0].join(60)
    assert advanced == ["moved"]


def in_own_session(market_kit: MarketKit) -> str:
    """An advance in a thread, with a database session of its own."""
    try:
        market_kit.advance("14:00:10")
    except Conflict:
        return "busy"
    finally:
        connection.close()
    return "moved"
