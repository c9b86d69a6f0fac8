"""The market in force: feed, clock and calendar, chosen by one setting, so that they cannot disagree."""

from datetime import timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from django.conf import settings

from marketdata.feeds.live.feed import LiveFeed
from marketdata.feeds.live.protocol import BadOptions, ProviderOptions
from marketdata.feeds.recorded import RecordedFeed
from marketdata.feeds.simulated import SimulatedFeed
from marketdata.markets.base import Market, MarketError
from marketdata.markets.live import LiveMarket, known_quotes, number_of_leader
from marketdata.markets.simulated import SimulatedMarket

# Each has `check(options)` and `provider(options, listener)`. Loaded where one is chosen: their clients are not needed else.
PROVIDERS = {
    "push": "marketdata.feeds.live.pushed",
    "alpaca": "marketdata.feeds.live.alpaca",
    "massive": "marketdata.feeds.live.massive",
    "cutemarkets": "marketdata.feeds.live.cutemarkets",
    "tradier": "marketdata.feeds.live.tradier",
}
NOT_RECORDED = "off"

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
    return LiveMarket(_live_feed(settings.PAPERTRADE_PROVIDER))


def _live_feed(provider: str) -> LiveFeed:
    module, options = provider_module(provider), provider_options()
    try:
        module.check(options)
    except BadOptions as problem:
        raise MarketError(str(problem)) from None
    folder = None if settings.PAPERTRADE_RECORD == NOT_RECORDED else Path(settings.PAPERTRADE_RECORD)
    build = partial(module.provider, options)
    return LiveFeed(f"live:{provider}", build, folder=folder, known=known_quotes, number=number_of_leader)


def provider_module(provider: str) -> Any:
    """The module of a provider, by the name in the settings."""
    return import_module(PROVIDERS[provider])


def provider_options() -> ProviderOptions:
    """What the settings say of the provider."""
    return ProviderOptions(
        key=settings.PAPERTRADE_PROVIDER_KEY,
        secret=settings.PAPERTRADE_PROVIDER_SECRET,
        feeds=tuple(settings.PAPERTRADE_PROVIDER_FEEDS),
        url=settings.PAPERTRADE_PROVIDER_URL,
        stream_url=settings.PAPERTRADE_PROVIDER_STREAM_URL,
        symbol_limit=settings.PAPERTRADE_SYMBOL_LIMIT,
        delay=timedelta(seconds=settings.PAPERTRADE_DELAY_SECONDS),
    )
