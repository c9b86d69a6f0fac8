"""A clock that runs by itself, seen between two steps of the market: near what has been done, and never past an open."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from marketdata import clock
from marketdata.models import MarketClock
from papertrade.trading.clock import moving
from papertrade.trading.mover import the_mover
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
    assert abs(clock.read().now - at(now)) < timedelta(milliseconds=200)
    assert clock.read().now <= at(now) or wall < 2


def test_an_order_sent_before_the_open_is_done_waits_for_it(market_kit: MarketKit, trader: Any) -> None:
    run_from(market_kit, "13:29:59", speed=1, wall=timedelta(seconds=60))
    desk = Desk(trader)
    order = desk.buy("10")
    assert desk.state(order) == ("accepted", "")
    with moving():
        the_mover().step(clock.read().due)
    assert desk.now(order).filled_at == at("13:30:00")
    assert desk.fills(order) == [("10", "100.10")]
