"""Every test of the API also checks each answer against the OpenAPI document."""

from types import SimpleNamespace
from typing import Any

import pytest

from papertrade.api.kit import throttling
from tests.api.openapi import TruthfulApi
from tests.factories import TokenFactory


@pytest.fixture
def api(trader: Any) -> TruthfulApi:
    """The trader's client, with a key of scope paper."""
    return TruthfulApi(TokenFactory(user=trader))


@pytest.fixture
def within_one_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are counted within one minute and one day, whatever the clock says."""
    monkeypatch.setattr(throttling, "time", SimpleNamespace(time=lambda: 1_700_000_010.0))


@pytest.fixture
def market_api(trader: Any) -> TruthfulApi:
    """A client that may also move the clock."""
    return TruthfulApi(TokenFactory(user=trader, scopes=["paper", "market"]))
