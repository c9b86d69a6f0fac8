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
        "14:00:00 IBM 100.00 100.10 500 300",
        f"14:00:02 {CALL} 4.00 4.20 20 10",
        "14:00:02 IBM 101.00 101.20 500 300",
        start="14:00:00",
    )
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
        "bid": 100.00,
        "ask": 100.10,
        "bid_size": 500,
        "ask_size": 300,
        "age_ms": 1000,
        "spread": 0.10,
    }
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


class TestSettlements:
    """An option that was settled stands among the fills, so that positions rebuilt from them are right."""

    TODAY = "O:IBM131007C00100000"

    @pytest.fixture
    def settled(self, api: Api, market_kit: MarketKit) -> str:
        """Two calls bought at 4.20, and at the close settled at 105.50 - 100; then a share bought the next morning."""
        market_kit.play(
            f"19:00:00 {self.TODAY} 4.00 4.20",
            "19:30:00 IBM 105.50 105.60",
            "2013-10-08T13:30:01Z IBM 105.00 105.10",
            start="19:00:00",
        )
        account_id = api.open_account()
        api.buy(account_id, symbol=self.TODAY, qty="2")
        market_kit.advance("2013-10-08T13:30:01Z")
        api.buy(account_id, qty="1")
        return account_id

    def test_it_is_listed_where_fills_are(self, api: Api, settled: str) -> None:
        share, settlement, call = is_list(api.get(f"{settled}/fills/"))
        assert [row["kind"] for row in (share, settlement, call)] == ["fill", "settlement", "fill"]
        told = {
            name: settlement[name]
            for name in (
                "order_id",
                "symbol",
                "asset_class",
                "side",
                "qty",
                "price",
                "gross_amount",
                "realized_pl",
                "created_at",
            )
        }
        assert told == {
            "order_id": None,
            "symbol": self.TODAY,
            "asset_class": "us_option",
            "side": "sell",
            "qty": "2.000000",
            "price": "5.50",
            "gross_amount": "1100.0000",
            "realized_pl": "260.0000",
            "created_at": "2013-10-07T20:00:00.000000Z",
        }
        assert float(settlement["evidence"]["bid"]) == 105.5
        assert settlement["market_timestamp"] == "2013-10-07T19:30:00.000000Z"

    def test_positions_rebuilt_from_them_are_right(self, api: Api, settled: str) -> None:
        held: dict[str, float] = {}
        for row in api.all(f"{settled}/fills/", limit=1):
            sign = 1 if row["side"] == "buy" else -1
            held[row["symbol"]] = held.get(row["symbol"], 0) + sign * float(row["qty"])
        positions = {row["symbol"]: float(row["qty"]) for row in is_list(api.get(f"{settled}/positions/"))}
        assert {symbol: qty for symbol, qty in held.items() if qty} == positions == {"IBM": 1}

    @pytest.mark.parametrize(
        ("query", "kinds"),
        [
            ({"symbol": TODAY}, ["settlement", "fill"]),
            ({"symbol": "IBM"}, ["fill"]),
            ({"after": "2013-10-07T20:00:00Z"}, ["fill"]),
            ({"until": "2013-10-07T20:00:00Z"}, ["settlement", "fill"]),
            ({"limit": "2"}, ["fill", "settlement"]),
            ({"order_id": "01890a5d-ac96-774b-bcce-b302099a8057"}, []),
            ({"generation": "1"}, ["fill", "settlement", "fill"]),
        ],
        ids=str,
    )
    def test_filters_and_pages(self, api: Api, settled: str, query: dict[str, str], kinds: list[str]) -> None:
        assert [row["kind"] for row in is_list(api.get(f"{settled}/fills/", **query))] == kinds

    def test_its_event_says_what_was_done(self, api: Api, settled: str) -> None:
        [event] = [row for row in is_list(api.get(f"{settled}/events/")) if row["type"] == "position_settled"]
        told = {name: event[name] for name in ("qty", "price", "amount", "filled_qty", "remaining_qty", "position_qty")}
        assert told == {
            "qty": "2.000000",
            "price": "5.50",
            "amount": "1100.0000",
            "filled_qty": None,
            "remaining_qty": None,
            "position_qty": "0.000000",
        }

    def test_a_worthless_one(self, api: Api, market_kit: MarketKit) -> None:
        market_kit.play(f"19:00:00 {self.TODAY} 4.00 4.20", "19:30:00 IBM 95.50 95.60", start="19:00:00")
        account_id = api.open_account()
        api.buy(account_id, symbol=self.TODAY)
        market_kit.advance("20:00:00")
        settlement, _ = is_list(api.get(f"{account_id}/fills/"))
        assert (float(settlement["price"]), settlement["gross_amount"], settlement["realized_pl"]) == (
            0,
            "0.0000",
            "-420.0000",
        )
