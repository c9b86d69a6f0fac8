"""Long answers are compressed for clients that take it, and are the same answers."""

import gzip
import json
import zlib

import pytest

from papertrade.lib.compression import API_LEVEL, GZIP
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
    text = gzip.decompress(small.content)
    assert small.content == zlib.compress(text, API_LEVEL, GZIP), "without padding, at the level that costs little"
    unpacked = json.loads(text)
    assert unpacked["results"] == plain.json()["results"]
    assert len(unpacked["results"]) == 50
    assert all("policy" not in row["evidence"] for row in unpacked["results"]), "named by its hash, not repeated"


def test_a_short_answer_is_not(api: Api) -> None:
    """Neither of ours nor of Alpaca's API, whose answer to an order is more than Django's own limit."""
    account_id = api.open_account()
    pair = {"APCA-API-KEY-ID": account_id, "APCA-API-SECRET-KEY": str(api.token)}
    order = {"symbol": "IBM", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    ours = api.request("GET", "/v1/market/clock/", headers={"Accept-Encoding": "gzip"})
    theirs = api.request("POST", "/v2/orders", order, headers={"Accept-Encoding": "gzip", **pair})
    assert theirs.status_code == 200 and len(theirs.content) > 500
    for response in (ours, theirs):
        assert "Content-Encoding" not in response.headers
