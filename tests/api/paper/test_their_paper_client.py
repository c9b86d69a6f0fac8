"""The paper namespace of the hosted product's TypeScript client, as its users call it: each method, defaults left out.

The client itself is driven where node and the package cutemarkets-typescript are. Its requests, which are written down here, are
sent in any case: the Python package has no paper namespace yet (its market data: tests/api/market/test_their_client.py).
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from tests.api.contract import ACCOUNT, FILL, ORDER, POSITION, SNAPSHOT, SUMMARY, is_error, is_list, is_object, matches
from tests.api_kit import PAPER, Api
from tests.factories import TokenFactory, UserFactory
from tests.market_kit import MarketKit

PACKAGE = "cutemarkets-typescript"
SCRIPT = """
import { CuteMarketsClient } from "cutemarkets-typescript";
const { paper } = new CuteMarketsClient({ paperApiKey: process.env.KEY, baseUrl: process.env.ORIGIN, maxRetries: 0 });
const said = {};
const { account } = await paper.accounts.create({ name: "ts", initial_cash: 100000 });
said.defaults = (await paper.accounts.create()).account.name;
said.got = (await paper.accounts.get(account.id)).account.id === account.id;
said.renamed = (await paper.accounts.update(account.id, { name: "renamed" })).account.name;
const order = await paper.orders.submit(account.id, { symbol: "IBM", qty: 2, side: "buy", type: "market", client_order_id: "a" });
said.order = [order.status, order.time_in_force, order.filled_qty];
said.same = (await paper.orders.byClientOrderId(account.id, "a")).id === order.id;
said.again = (await paper.orders.get(account.id, order.id)).id === order.id;
const waiting = await paper.orders.submit(account.id, { symbol: "IBM", qty: 1, side: "buy", type: "limit", limit_price: 50 });
said.canceled = (await paper.orders.cancel(account.id, waiting.id)).status;
said.orders = (await paper.orders.list(account.id, { status: "closed", limit: 1 })).results.length;
said.all = 0;
for await (const row of paper.orders.listAll(account.id, { limit: 1 })) said.all += row.id ? 1 : 0;
said.positions = (await paper.positions(account.id)).results.map(({ qty }) => qty);
said.fills = (await paper.fills(account.id)).results.length;
said.history = (await paper.portfolioHistory(account.id)).results.length > 0;
said.summary = (await paper.account(account.id)).cash;
said.refused = await paper.orders.submit(account.id, { symbol: "IBM", qty: -1, side: "buy", type: "market" }).catch((e) => e.message);
said.reset = (await paper.accounts.reset(account.id)).account.generation;
await paper.accounts.delete(account.id);
said.left = (await paper.accounts.list()).results.map(({ name }) => name);
console.log(JSON.stringify(said));
"""


@pytest.fixture
def node_package(tmp_path: Path) -> Path:
    """A folder in which node finds the package."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("the TypeScript client needs node and npm")
    asked = subprocess.run(
        ["npm", "install", "--silent", "--no-audit", "--no-fund", PACKAGE],
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
    )
    if asked.returncode != 0 or not (tmp_path / "node_modules" / PACKAGE).exists():
        pytest.skip(f"the package {PACKAGE} cannot be had from npm here")
    return tmp_path


@pytest.mark.slow
def test_the_client_itself(server: LiveServer, node_package: Path, market_kit: MarketKit) -> None:
    market_kit.play("14:00:00 IBM 100.00 100.10 500 300", start="14:00:00")
    (node_package / "drive.mjs").write_text(SCRIPT)
    environment = {"KEY": TokenFactory(user=UserFactory()), "ORIGIN": server.url, "PATH": os.environ["PATH"]}
    ran = subprocess.run(
        ["node", "drive.mjs"], cwd=node_package, env=environment, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == {
        "defaults": "Paper Account", "got": True, "renamed": "renamed", "order": ["filled", "day", "2.000000"], "same": True,
        "again": True, "canceled": "canceled", "orders": 1, "all": 2, "positions": ["2.000000"], "fills": 1, "history": True,
        "summary": "99799.8000", "refused": "The order is not well formed. qty: must be greater than 0.", "reset": 2,
        "left": ["Paper Account"],
    }  # fmt: skip


class TestItsRequests:
    """Method, path and body as the client sends them, one test for each of its methods."""

    @pytest.fixture
    def account_id(self, open_market: MarketKit, api: Api) -> str:
        return api.post(PAPER, {"name": "Paper Account", "initial_cash": "100000"}).json()["account"]["id"]

    def submit(self, api: Api, account_id: str, **more: Any) -> Any:
        body = {"symbol": "IBM", "qty": "1", "side": "buy", "type": "market", **more}
        return api.post(f"{account_id}/orders/", body)

    def test_accounts(self, api: Api, account_id: str) -> None:
        assert [row["id"] for row in is_list(api.get(PAPER, limit=100), ACCOUNT)] == [account_id]
        matches(api.get(f"{account_id}/").json()["account"], ACCOUNT)
        assert api.patch(f"{account_id}/", {"name": "renamed"}).json()["account"]["name"] == "renamed"
        is_object(api.get(f"{account_id}/account/"), SUMMARY)
        assert api.post(f"{account_id}/reset/", {"confirm": True}).status_code == 200
        assert api.request("DELETE", f"{account_id}/").status_code == 204
        assert is_list(api.get(PAPER)) == []

    def test_orders(self, api: Api, account_id: str) -> None:
        order = is_object(self.submit(api, account_id, client_order_id="ts-1"), ORDER, 201)
        assert order["time_in_force"] == "day", "its own type has it optional"
        found = api.get(f"{account_id}/orders:by_client_order_id", client_order_id="ts-1")
        assert is_object(found, ORDER)["id"] == order["id"]
        is_object(api.get(f"{account_id}/orders/{order['id']}/"), ORDER)
        waiting = self.submit(api, account_id, type="limit", limit_price="50").json()
        assert api.request("DELETE", f"{account_id}/orders/{waiting['id']}/").json()["status"] == "canceled"
        assert len(is_list(api.get(f"{account_id}/orders/", status="closed"), ORDER)) == 2

    def test_what_the_account_has(self, api: Api, account_id: str) -> None:
        self.submit(api, account_id)
        assert len(is_list(api.get(f"{account_id}/positions/"), POSITION)) == 1
        assert len(is_list(api.get(f"{account_id}/fills/"), FILL)) == 1
        assert is_list(api.get(f"{account_id}/portfolio/history/"), SNAPSHOT)

    def test_a_refusal_is_all_in_its_message(self, api: Api, account_id: str) -> None:
        response = self.submit(api, account_id, qty="-1")
        is_error(response, 400, "bad_request")
        assert response.json()["error"]["message"] == "The order is not well formed. qty: must be greater than 0."
