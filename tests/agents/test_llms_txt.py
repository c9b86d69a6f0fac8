"""`/llms.txt` given to a scripted agent that knows nothing else: it may call only addresses that the page names, and send only
bodies that the page shows, with other values.

The agent trades a stock and an option, waits for the open, takes a refusal, explains a fill, closes, and starts anew.
"""

import json
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from marketdata.instruments import parse_symbol
from marketdata.markets.current import drop_market
from orders.reasons import CODES
from orders.states import Status
from papertrade.trading.clock import start_market
from tests.api_kit import Api
from tests.factories import TokenFactory, UserFactory
from tests.market_kit import MarketKit, at

CALL = re.compile(r"\b(GET|POST|PATCH|DELETE) (/v1/[^\s,;:)]*)")
FINAL = {"filled", "canceled", "expired", "rejected"}


class Page:
    """What the page names: calls as (method, address with places), and the fields of the bodies that it shows."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.calls = {(method, address.partition("?")[0].rstrip(".")) for method, address in CALL.findall(text)}
        self.queries = set(re.findall(r"[?&]([a-z_.]+)=", text))
        self.fields = set(re.findall(r'"([a-z_]+)"', text))

    def allows(self, method: str, path: str) -> bool:
        return any(
            method == known
            and re.fullmatch(
                re.sub(r"\{[a-z_]+\}", "[^/]+", re.escape(address).replace(r"\{", "{").replace(r"\}", "}")), path
            )
            for known, address in self.calls
        )

    def contract(self) -> str:
        found = re.search(r"such as (O:\w+), which trades now", self.text)
        assert found is not None
        return found[1]


@dataclass
class Agent:
    """It reads the page, and calls what it read."""

    page: Page
    api: Api

    def call(self, method: str, path: str, body: dict[str, Any] | None = None, **query: str) -> Any:
        assert self.page.allows(method, path), f"the page does not name {method} {path}"
        assert set(query) <= self.page.queries, f"the page shows no ?{set(query) - self.page.queries}="
        assert set(body or {}) <= self.page.fields, f"the page shows no field {set(body or {}) - self.page.fields}"
        response = self.api.request(method, path, body, query=query)
        return response.json() if response.content else None

    def wait_for_the_open(self) -> None:
        while not self.call("GET", "/v1/market/clock/")["is_open"]:
            self.call("POST", "/v1/market/clock/advance/", {"seconds": 60})


# A day like others, a half day on which contracts expire, and the last of a year.
DAYS = ["2026-11-18", "2026-11-27", "2026-12-31"]


@pytest.fixture(params=DAYS)
def agent(market_kit: MarketKit, settings: Any, request: pytest.FixtureRequest) -> Agent:
    """On a simulated market that stands shortly before the open of a day."""
    settings.PAPERTRADE_MARKET, settings.PAPERTRADE_SPEED = "simulated", Decimal(0)
    settings.PAPERTRADE_START = at(f"{request.param}T13:00:00Z")
    drop_market()
    start_market()
    token = TokenFactory(user=UserFactory(), scopes=["paper", "market"])
    return Agent(Page(Client().get("/llms.txt").content.decode()), Api(token))


def test_it_says_which_market_this_is_and_every_code(agent: Agent) -> None:
    assert "This server: simulated market. Every price is invented" in agent.page.text
    assert "time stands still and moves only when told to" in agent.page.text
    for code in (*CODES, *Status):
        assert f"- {code}: " in agent.page.text, code
    assert "{{" not in agent.page.text and "{%" not in agent.page.text and not re.search(r"&#?\w+;", agent.page.text)


def test_it_is_enough_to_trade_stocks_and_options(agent: Agent) -> None:
    (account,) = [
        agent.call("POST", "/v1/paper/accounts/", {"name": "agent", "initial_cash": "100000"})["account"]["id"]
    ]
    assert [row["id"] for row in agent.call("GET", "/v1/paper/accounts/")["results"]] == [account]
    here = f"/v1/paper/accounts/{account}"
    stock = {"symbol": "AAPL", "qty": "10", "side": "buy", "type": "market", "time_in_force": "day"}

    early = agent.call("POST", f"{here}/orders/", {**stock, "client_order_id": "agent-1"})
    assert early["status"] == "accepted", "the market is closed"
    agent.wait_for_the_open()
    assert agent.call("GET", f"{here}/orders/{early['id']}/")["status"] == "filled"
    again = agent.call("POST", f"{here}/orders/", {**stock, "client_order_id": "agent-1"})
    assert again["id"] == early["id"]
    events = agent.call("GET", f"{here}/orders/{early['id']}/events/")["results"]
    assert events[-1]["type"] == "order_filled"

    assert agent.call("GET", "/v1/tickers/search/", query="apple")["results"][0]["symbol"] == "AAPL"
    (quote,) = agent.call("GET", "/v1/market/quotes/", symbols="SPY")["results"]
    expiry = agent.call("GET", "/v1/tickers/expirations/SPY/")["results"][3]
    chain = agent.call("GET", "/v1/options/chain/SPY/", contract_type="call", expiration_date=expiry, limit="250")[
        "results"
    ]
    nearest = min(chain, key=lambda item: abs(item["details"]["strike_price"] - float(quote["ask"])))
    contract = nearest["details"]["ticker"]
    option = {
        "symbol": contract,
        "qty": "1",
        "side": "buy",
        "type": "limit",
        "time_in_force": "day",
        "limit_price": f"{nearest['last_quote']['ask'] + 1:.2f}",
        "position_intent": "buy_to_open",
    }
    preview = agent.call("POST", f"{here}/orders/preview/", option)
    assert preview["admitted"] and Decimal(preview["would_fill_qty"]) > 0
    bought = agent.call("POST", f"{here}/orders/", {**option, "client_order_id": "agent-2"})
    assert bought["status"] in FINAL and bought["filled_avg_price"], bought

    short = agent.call("POST", f"{here}/orders/", {**stock, "side": "sell", "qty": "11", "client_order_id": "agent-3"})
    assert short["status"] == "rejected" and f"- {short['rejected_reason']}: " in agent.page.text
    far = agent.call(
        "POST", f"{here}/orders/", {**stock, "type": "limit", "limit_price": "1", "client_order_id": "agent-4"}
    )
    assert f"- {far['no_fill_reason']}: " in agent.page.text
    assert agent.call("DELETE", f"{here}/orders/{far['id']}/")["status"] == "canceled"

    held = {row["symbol"] for row in agent.call("GET", f"{here}/positions/")["results"]}
    assert held == {"AAPL", contract}
    for symbol in held:
        assert agent.call("DELETE", f"{here}/positions/{symbol}/")["status"] == "filled"
    seen = agent.call("GET", f"{here}/events/", after_seq="0")["results"]
    assert [event["seq"] for event in seen] == list(range(1, len(seen) + 1))
    assert Decimal(agent.call("GET", f"{here}/account/")["equity"]) > 0
    assert agent.call("GET", f"{here}/portfolio/history/")["results"]
    assert agent.call("POST", f"{here}/reset/", {"confirm": True})["summary"]["cash"] == "100000.0000"
    assert agent.call("GET", f"{here}/account/", generation="1")["realized_pl"] != "0.0000", (
        "the old run stays readable"
    )


def test_the_contract_that_it_shows_trades_now(agent: Agent) -> None:
    agent.wait_for_the_open()
    account = agent.call("POST", "/v1/paper/accounts/", {"name": "agent"})["account"]["id"]
    order = {"symbol": agent.page.contract(), "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    placed = agent.call("POST", f"/v1/paper/accounts/{account}/orders/", order)
    assert placed["status"] == "filled", placed
    expiry, today = parse_symbol(order["symbol"]).expiry, agent.call("GET", "/v1/market/clock/")["timestamp"][:10]
    assert expiry is not None and expiry > date.fromisoformat(today)


def test_what_it_does_not_name_is_refused_to_the_agent(agent: Agent) -> None:
    with pytest.raises(AssertionError, match="does not name"):
        agent.call("GET", "/v1/paper/accounts")
    with pytest.raises(AssertionError, match="no field"):
        agent.call("POST", "/v1/paper/accounts/", {"title": "agent"})


def test_the_bodies_that_it_shows_are_json(agent: Agent) -> None:
    shown = re.findall(r"^ +(?:Stock|Option): (\{.*\})$", agent.page.text, re.MULTILINE)
    assert len(shown) == 2 and all(json.loads(body)["client_order_id"] for body in shown)
