"""Long answers are compressed for clients that take it, and are the same answers."""

import gzip
import json

import pytest

from tests.api_kit import Api
from tests.factories import TokenFactory

pytestmark = pytest.mark.usefixtures("open_market")
FULL_LIST_BYTES = 25_000  # of 50 orders


@pytest.fixture
def api(trader: object) -> Api:
    """A plain client: what checks every answer against the document reads no compressed one."""
    return Api(TokenFactory(user=trader))


def test_a_list_of_fifty_orders(api: Api) -> None:
    account_id = api.open_account()
    for _ in range(50):
        api.buy(account_id)
    path = f"/v1/paper/accounts/{account_id}/orders/?limit=50"
    plain, small = (api.request("GET", path, headers={"Accept-Encoding": how}) for how in ("identity", "gzip, br"))
    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in small.headers["Vary"] and "Accept-Encoding" in plain.headers["Vary"]
    assert int(small.headers["Content-Length"]) == len(small.content) <= FULL_LIST_BYTES
    unpacked = json.loads(gzip.decompress(small.content))
    assert unpacked["results"] == plain.json()["results"]
    assert len(unpacked["results"]) == 50
    assert all("policy" not in row["evidence"] for row in unpacked["results"]), "named by its hash, not repeated"


def test_a_short_answer_is_not(api: Api) -> None:
    response = api.request("GET", "/v1/market/clock/", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in response.headers
