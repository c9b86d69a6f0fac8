"""An auditor in a real browser: signs in, walks from an archived account to the quote behind one fill, exports what they see."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from papertrade.backoffice.groups import AUDITOR
from papertrade.trading.accounts import archive_account
from tests.backoffice.conftest import staff
from tests.browser import NARROW, WIDE, Window, chromium, needs_chromium
from tests.desk import Desk
from tests.market_kit import MarketKit

PASSWORD = "correct-horse-9"

pytestmark = [needs_chromium, pytest.mark.slow, pytest.mark.xdist_group("browser")]


@pytest.fixture
def archived(server: LiveServer, open_market: MarketKit, trader: Any) -> Desk:
    """An account that traded and was archived."""
    desk = Desk(trader)
    desk.buy("10")
    desk.buy("5", limit="90")
    open_market.advance("14:01:00")
    archive_account(account=desk.account, reason="strategy retired")
    return desk


@pytest.fixture
def page(server: LiveServer, archived: Desk) -> Iterator[Any]:
    """An auditor's window; a console error, such as of the content security policy, fails the test."""
    staff(AUDITOR, username="ada", password=PASSWORD)
    with chromium() as browser:
        window = Window(browser, server.url, WIDE)
        yield window.page
    assert window.problems == []


def test_it_works(page: Any, archived: Desk, tmp_path: Path) -> None:
    page.goto("/admin/")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", PASSWORD)
    page.click("[type=submit]")
    content, related = page.locator("#content"), page.locator("nav.related")

    content.get_by_role("link", name="Paper accounts").click()
    page.locator("#changelist-filter").get_by_role("link", name="archived").click()
    content.get_by_role("link", name=archived.account.name).click()
    for name in ("equity", "drawdown"):
        page.wait_for_selector(f"[data-chart={name}][data-points] .scatterlayer .trace", state="attached")
    expect(page.locator("[data-readout=equity]")).to_contain_text("equity 99,999.00")
    expect(content.locator("table.pairs")).to_contain_text("Realized P/L")
    page.set_viewport_size(dict(zip(("width", "height"), NARROW, strict=True)))
    page.reload()
    page.wait_for_selector("[data-chart=drawdown][data-points] .scatterlayer .trace", state="attached")
    wider = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wider == 0, "a wide table scrolls by itself"
    page.set_viewport_size(dict(zip(("width", "height"), WIDE, strict=True)))
    here = page.url
    page.get_by_role("button", name="Check the books").click()
    expect(content).to_contain_text(f"full audit of account {archived.account.pk}")  # which the workers do
    page.goto(here)  # back might lead to the audit again, whose page renews itself

    content.get_by_role("link", name="#1").first.click()  # the generation, with its policy and final summary
    expect(content).to_contain_text("stock_quote_max_age_seconds")
    related.get_by_role("link", name="Orders").click()
    content.get_by_role("link", name="#1").first.click()
    related.get_by_role("link", name="Events").click()
    content.get_by_role("link", name="#3").click()
    related.get_by_role("link", name="Fill").click()
    related.get_by_role("link", name="Quote").click()
    expect(content).to_contain_text("100.10")
    related.get_by_role("link", name="Ledger transactions on it").click()
    expect(content).to_contain_text("debit securities 1,001.00")

    page.goto("/admin/orders/order/")
    page.fill("[name=account]", str(archived.account.pk))
    page.locator("form.input-filter:has([name=account]) button").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Export CSV").click()
    download.value.save_as(tmp_path / "orders.csv")
    rows = list(csv.DictReader((tmp_path / "orders.csv").open()))
    assert [(row["number"], row["status"], row["quote__ask"]) for row in rows] == [
        ("2", "canceled", "100.100000"),
        ("1", "filled", "100.100000"),
    ]
