"""The market that a trial runs on."""

from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings

from benchmarks import data
from marketdata import clock
from marketdata.markets.current import current_market, drop_market
from marketdata.models import MarketClock
from marketdata.sessions import calendar
from papertrade.trading.clock import moving
from papertrade.trading.mover import the_mover


def simulated(*, seconds_after_open: int) -> None:
    """The simulated market at speed 0, that long after the open of a session (negative: before it)."""
    data.forget_everything()
    settings.PAPERTRADE_MARKET, settings.PAPERTRADE_RECORDING = "simulated", ""
    session = calendar().previous(clock.wall_now())
    settings.PAPERTRADE_START = None
    drop_market()
    current_market().start()
    MarketClock.objects.update(
        through=session.open + timedelta(seconds=seconds_after_open), anchor_at=session.open, through_book=None
    )


def recorded(place: Path, start: datetime | None = None) -> None:
    """The recorded market on a folder or file, at its beginning or at `start`."""
    data.forget_everything()
    settings.PAPERTRADE_MARKET, settings.PAPERTRADE_RECORDING, settings.PAPERTRADE_START = "recorded", str(place), start
    drop_market()
    current_market().start()
    with moving():
        the_mover().publish()
