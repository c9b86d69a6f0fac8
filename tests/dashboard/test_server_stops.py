"""The whole server stops while a trader looks at an account, and starts again: the page says so, and goes on by itself."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser import WIDE, needs_chromium
from tests.dashboard.browser import Trader
from tests.stack.prepared import prepared
from tests.stack.server import Server

pytestmark = [needs_chromium, pytest.mark.slow, pytest.mark.xdist_group("browser")]

MANUAL = {"PAPERTRADE_SPEED": "0"}


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="papertrade-stops-"))
    made.chmod(0o755)  # PostgreSQL under root is another
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_the_page_outlives_the_server(folder: Path, browser: Any) -> None:
    first = Server(prepared(folder), **MANUAL)
    again = None
    try:
        first.wait_for("credentials")
        first.call("POST", "/market/clock/advance/", {"seconds": 60})
        known = json.loads((folder / "credentials.json").read_text())
        trader = Trader(browser, known["base_url"].removesuffix("/v1"), WIDE)
        trader.sign_in(known["dashboard_user"], known["dashboard_password"])
        trader.open_account("Outlives")
        trader.page.fill("#ticket-symbol", "AAPL")
        trader.page.keyboard.press("Tab")
        trader.page.evaluate("window.stillHere = true")
        first.stop()
        trader.page.wait_for_selector("#offline:has-text('Connection lost')")
        trader.page.click("#send-order")
        trader.page.wait_for_selector("#ticket-error:has-text('sending it again is safe')")
        again = Server(folder, port=first.port, **MANUAL)
        again.wait_for("credentials  ")
        trader.page.wait_for_selector("#offline", state="hidden")
        trader.page.click("#send-order")
        trader.page.wait_for_selector("#ticket-done:has-text('filled')")
        assert trader.page.evaluate("window.stillHere") is True
    finally:
        (again or first).stop()
