"""schemathesis makes requests from the OpenAPI document, valid and not: no 5xx, no answer that is not in it.

The account and the order of a path are real ones, so that most requests reach the rules behind the addresses; hostile
ones are in test_hostile.py.
"""

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core import NotSet

from tests.api.openapi import TruthfulApi, document
from tests.api_kit import MARKET_PLACES

EXAMPLES_PER_CALL = 12

CALLS = {
    f"{call.method.upper()} {call.path}": call
    for call in (found.ok() for found in schemathesis.openapi.from_dict(document()).get_all_operations())
}


@pytest.fixture
def real(open_market: Any, market_api: TruthfulApi) -> dict[str, str]:
    """What the trader has, by the name of the path's parameter."""
    account = market_api.open_account()
    order = market_api.buy(account, limit_price="90", type="limit")
    watchlist = market_api.post(f"{account}/watchlists/", {"name": "mine", "symbols": ["IBM"]}).json()
    return {
        **MARKET_PLACES,
        "account_id": account,
        "generation": "1",
        "order_id": order["id"],
        "watchlist_id": watchlist["id"],
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_every_call_keeps_to_the_document(name: str, real: dict[str, str], market_api: TruthfulApi) -> None:
    @given(case=CALLS[name].as_strategy())
    @settings(
        max_examples=EXAMPLES_PER_CALL,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        body = (
            None
            if isinstance(case.body, NotSet)
            else case.body
            if isinstance(case.body, bytes)
            else json.dumps(case.body)
        )
        query = {name: value for name, value in (case.query or {}).items() if value is not None}
        response = market_api.request(case.method, case.path.format(**real), body, query=query)
        assert response.status_code < 500, (case.method, case.path, query, body, response.content)

    ask()
