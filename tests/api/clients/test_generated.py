"""Clients that tools generate from the OpenAPI document: they compile, and they trade on a real server."""

import compileall
import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pytest_django.live_server_helper import LiveServer

from tests.api.openapi import document
from tests.factories import TokenFactory
from tests.market_kit import MarketKit

HERE = Path(__file__).parent
TYPESCRIPT = ("trade.ts", "node.d.ts", "tsconfig.json", "package.json")
INSTALL_SECONDS = 300

pytestmark = pytest.mark.slow


@pytest.fixture
def described(tmp_path: Path) -> Path:
    """The document as a file."""
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document()))
    return path


@pytest.fixture
def generated(described: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The package that openapi-python-client makes of it."""
    place = described.parent / "generated_client"
    tool = Path(sys.executable).with_name("openapi-python-client")
    done = subprocess.run(
        [tool, "generate", "--path", described, "--output-path", place, "--meta", "none"],
        capture_output=True,
        text=True,
        env={"PATH": f"{tool.parent}:/usr/bin:/bin", "HOME": str(described.parent)},
    )
    assert done.returncode == 0 and "Warning" not in done.stdout + done.stderr, done.stdout + done.stderr
    assert compileall.compile_dir(str(place), quiet=1)
    monkeypatch.syspath_prepend(place.parent)
    yield importlib.import_module("generated_client")
    for name in [name for name in sys.modules if name.partition(".")[0] == "generated_client"]:
        del sys.modules[name]


def part(generated: ModuleType, name: str) -> Any:
    """A call's module, or the models."""
    return importlib.import_module(f"{generated.__name__}.{name}")


def test_python(server: LiveServer, open_market: MarketKit, trader: Any, generated: ModuleType) -> None:
    models, key = part(generated, "models"), TokenFactory(user=trader)
    client = generated.AuthenticatedClient(server.url, token=key, raise_on_unexpected_status=True)
    of_account = "api.paper.post_paper_accounts_account_id"
    opened = part(generated, "api.paper.post_paper_accounts").sync(
        client=client, body=models.OpenAccount(name="generated", initial_cash="100000")
    )
    account = opened.account.id
    body = models.OrderRequest(
        symbol="IBM",
        qty="2",
        side=models.Side.BUY,
        type_=models.OrderType.MARKET,
        client_order_id="g-1",
        time_in_force=models.TimeInForce.DAY,
    )
    order = part(generated, f"{of_account}_orders").sync(account, client=client, body=body)
    assert order.status is models.OrderStatus.FILLED and order.filled_qty == "2.000000"
    assert isinstance(order.evidence.age_ms, int)
    short = part(generated, f"{of_account}_orders").sync(
        account,
        client=client,
        body=models.OrderRequest.from_dict({**body.to_dict(), "side": "sell", "qty": 9, "client_order_id": "g-2"}),
    )
    assert short.rejected_reason is models.RejectedReason.SHORT_SELL_NOT_ALLOWED
    (held,) = part(generated, "api.paper.get_paper_accounts_account_id_positions").sync(account, client=client).results
    assert (held.symbol, held.qty) == ("IBM", "2.000000")
    refused = part(generated, f"{of_account}_orders").sync("nobody", client=client, body=body)
    assert refused.error.code is models.ErrorCode.NOT_FOUND


@pytest.mark.torture  # it fetches 45 MB of npm packages
@pytest.mark.skipif(not shutil.which("npm"), reason="no node and npm here")
def test_typescript(server: LiveServer, open_market: MarketKit, trader: Any, described: Path) -> None:
    folder = described.parent
    for name in TYPESCRIPT:
        shutil.copy(HERE / name, folder)

    def run(*command: str) -> str:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    run("npm", "install", "--silent", "--no-audit", "--no-fund")
    run("npx", "openapi-typescript", "openapi.json", "--output", "schema.d.ts")
    run("npx", "tsc")
    said = json.loads(run("node", "trade.js", server.url, TokenFactory(user=trader)))
    assert said == {"status": "filled", "held": [["IBM", "2.000000"]], "open": 0}
