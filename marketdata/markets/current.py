"""The market in force: feed, clock and calendar, chosen by one setting, so that they cannot disagree."""

from pathlib import Path

from django.conf import settings

from marketdata.feeds.recorded import RecordedFeed
from marketdata.feeds.simulated import SimulatedFeed
from marketdata.markets.base import Market, MarketError
from marketdata.markets.simulated import SimulatedMarket

_current: Market | None = None


def current_market() -> Market:
    """The market of the settings. Raises MarketError where it cannot be run."""
    global _current
    if _current is None:
        _current = _build()
    return _current


def drop_market() -> None:
    """Build the market anew at the next look, after the settings changed (tests)."""
    global _current
    _current = None


def _build() -> Market:
    if settings.PAPERTRADE_MARKET == "simulated":
        return SimulatedMarket(SimulatedFeed(seed=settings.PAPERTRADE_SEED))
    if settings.PAPERTRADE_MARKET == "recorded":
        return Market("recorded", RecordedFeed(Path(settings.PAPERTRADE_RECORDING)))
    raise MarketError(
        "The live market has no provider yet: set PAPERTRADE_MARKET to simulated, or to recorded with PAPERTRADE_RECORDING."
    )
