"""Every test of the API also checks each answer against the OpenAPI document."""

from typing import Any

import pytest

from tests.api.openapi import TruthfulApi
from tests.factories import TokenFactory


@pytest.fixture
def api(trader: Any) -> TruthfulApi:
    """The trader's client, with a key of scope paper."""
    return TruthfulApi(TokenFactory(user=trader))


@pytest.fixture
def market_api(trader: Any) -> TruthfulApi:
    """A client that may also move the clock."""
    return TruthfulApi(TokenFactory(user=trader, scopes=["paper", "market"]))
