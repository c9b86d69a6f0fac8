"""/v1/paper/accounts/{id}/fills/."""

from typing import Any

import pytest

from tests.api.contract import EVIDENCE, FILL, POLICY, is_error, is_list, matches
from tests.api_kit import Api
from tests.market_kit import CALL, MarketKit


@pytest.fixture
def account_id(api: Api, market_kit: MarketKit) -> str:
    """Bought 10 at 14:00:01, sold 4 of them and bought a call at 14:00:03; quotes are a second old."""
    market_kit.play(
        "14:00:00 IBM 100.00 100.10 500 300", f"14:00:02 {CALL} 4.00 4.20 20 10", "14:00:02 IBM 101.00 101.20 500 300",
        start="14:00:00",
    )  # fmt: skip
    account_id = api.open_account()
    market_kit.advance("14:00:01")
    api.buy(account_id, qty="10")
    market_kit.advance("14:00:03")
    api.sell(account_id, qty="4")
    api.buy(account_id, symbol=CALL)
    return account_id


def test_it_works(api: Api, account_id: str) -> None:
    call, sell, buy = is_list(api.get(f"{account_id}/fills/"), FILL)
    assert (buy["symbol"], buy["side"], buy["qty"], buy["gross_amount"]) == ("IBM", "buy", "10.000000", "1001.0000")
    assert (float(buy["price"]), buy["realized_pl"]) == (100.10, "0.0000")
    assert (buy["market_timestamp"], buy["created_at"]) == (
        "2013-10-07T14:00:00.000000Z",
        "2013-10-07T14:00:01.000000Z",
    )
    # cost of 4 of 10: 1001 x 4 / 10 = 400.40; 4 x 101 - 400.40
    assert (sell["side"], float(sell["price"]), sell["gross_amount"], sell["realized_pl"]) == (
        "sell",
        101.0,
        "404.0000",
        "3.6000",
    )
    assert (call["asset_class"], call["gross_amount"]) == ("us_option", "420.0000")


def test_evidence_is_the_quote_and_the_policy(api: Api, account_id: str) -> None:
    evidence = is_list(api.get(f"{account_id}/fills/"))[-1]["evidence"]
    matches(evidence, EVIDENCE)
    assert evidence.keys() == EVIDENCE.keys()
    assert {name: float(evidence[name]) for name in ("bid", "ask", "bid_size", "ask_size", "age_ms", "spread")} == {
        "bid": 100.00, "ask": 100.10, "bid_size": 500, "ask_size": 300, "age_ms": 1000, "spread": 0.10,
    }  # fmt: skip
    assert evidence["quoted_at"] == "2013-10-07T14:00:00.000000Z"
    assert evidence["feed"] == "test"
    [generation] = is_list(api.get(f"{account_id}/generations/"))
    assert evidence["policy_hash"] == generation["policy_hash"], "the policy itself is at the generation"
    assert generation["policy"].keys() >= POLICY.keys()


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ({"symbol": "IBM"}, ["sell", "buy"]),
        ({"symbol": CALL}, ["call"]),
        ({"after": "2013-10-07T14:00:01Z"}, ["call", "sell"]),
        ({"until": "2013-10-07T14:00:01Z"}, ["buy"]),
        ({"after": "2013-10-07T14:00:00.999999Z", "until": "2013-10-07T14:00:01Z"}, ["buy"]),
        ({"limit": "1"}, ["call"]),
        ({"generation": "1"}, ["call", "sell", "buy"]),
    ],
    ids=str,
)
def test_filter(api: Api, account_id: str, query: dict[str, str], kept: list[str]) -> None:
    rows = dict(zip(("call", "sell", "buy"), is_list(api.get(f"{account_id}/fills/")), strict=True))
    assert is_list(api.get(f"{account_id}/fills/", **query), FILL) == [rows[name] for name in kept]


def test_of_one_order(api: Api, account_id: str) -> None:
    order = api.buy(account_id, qty="2")
    [fill] = is_list(api.get(f"{account_id}/fills/", order_id=order["id"]), FILL)
    assert fill["order_id"] == order["id"]


@pytest.mark.parametrize(
    "query", [{"order_id": "x"}, {"after": "x"}, {"until": "\x00"}, {"limit": "0"}, {"generation": "-1"}], ids=str
)
def test_values_that_cannot_be(api: Api, account_id: str, query: dict[str, Any]) -> None:
    is_error(api.get(f"{account_id}/fills/", **query), 400, "bad_request")


def test_pages(api: Api, account_id: str) -> None:
    assert api.all(f"{account_id}/fills/", limit=1) == is_list(api.get(f"{account_id}/fills/"))


def test_after_a_reset(api: Api, account_id: str) -> None:
    api.post(f"{account_id}/reset/", {"confirm": True})
    assert is_list(api.get(f"{account_id}/fills/")) == []
    assert len(is_list(api.get(f"{account_id}/fills/", generation=1), FILL)) == 3
