"""The pages that judge a run, in a real browser: one set of figures on page, API and books."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from accounts.models import PaperAccount
from papertrade.trading.accounts import open_account
from portfolio.models import Book
from tests.api_kit import Api
from tests.browser import NARROW, needs_chromium
from tests.dashboard.browser import Trader
from tests.desk import Desk
from tests.factories import TokenFactory
from tests.market_kit import MarketKit

pytestmark = [needs_chromium, pytest.mark.slow, pytest.mark.xdist_group("browser")]

FIGURES = (
    "total_return",
    "max_drawdown",
    "exposure",
    "turnover",
    "share_of_days_up",
    "trades.win_rate",
    "trades.profit_factor",
    "trades.expectancy",
)


@pytest.fixture
def account(user: Any, open_market: MarketKit) -> PaperAccount:
    """Bought and sold at a loss, a limit that waits, and the close of the day."""
    made = open_account(user=user, name="Judged", initial_cash="100000")
    desk = Desk.at(made)
    desk.buy("100")
    open_market.advance("14:01:00")
    desk.sell("60")
    desk.buy("5", limit="95")
    open_market.advance("20:00:00")
    return made


def test_one_set_of_figures(wide: Trader, account: PaperAccount, user: Any) -> None:
    """The performance block is the API's; trades add up to the books; the pages fit both widths and are accessible."""
    page, home = wide.page, f"/accounts/{account.pk}/"
    api = Api(TokenFactory(user=user))
    wire = api.get(f"{account.pk}/performance/").json()
    wide.go(f"{home}performance/")
    for name in FIGURES:
        group, _, last = name.rpartition(".")
        said = (wire[group] if group else wire)[last]
        cell = page.locator(f"[data-figure='{name}']").first
        assert (cell.locator("data").get_attribute("value") if said is not None else cell.inner_text()) == (
            said or "–"
        ), name
    expect(page.locator(".honesty")).to_contain_text(
        "1 session, 0 closed trades, 0 earlier generations of this account"
    )
    expect(page.locator("#execution [data-figure=half_spread] data")).to_have_attribute(
        "value", api.get(f"{account.pk}/execution/").json()["half_spread"]
    )
    expect(page.locator("#execution")).to_contain_text("limit not reached")
    expect(page.locator(".heat.days .heat--4")).to_contain_text("7")

    wide.go(f"{home}trades/")
    results = page.locator("td[data-column=realized_pl] data").evaluate_all(
        "(cells) => cells.map((cell) => cell.value)"
    )
    assert results == [f"{Book.objects.get(account=account).realized_pl:.4f}"]
    page.select_option("#method", "fifo")
    page.wait_for_selector("#trades tbody tr:nth-child(2)")
    heads, *rows = wide.exported()
    assert len(rows) == 2 and heads.startswith("number,symbol,opened_at") and "client_order_ids" in heads

    for size in ((1440, 900), NARROW):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        for path in (f"{home}performance/", f"{home}trades/", "/compare/"):
            wide.go(path)
            page.wait_for_selector("#compared[data-curves]" if path == "/compare/" else "main h2")
            assert wide.accessibility_problems() == [], path
            assert wide.overflow() <= 0, path


def test_runs_side_by_side(wide: Trader, account: PaperAccount, user: Any) -> None:
    """Two accounts and a benchmark on one chart, the choice in the address."""
    open_account(user=user, name="Still", initial_cash="5000")
    page = wide.page
    wide.go("/compare/")
    page.wait_for_selector("#compared[data-curves='2']")
    page.fill("#compare-benchmark", "ibm")
    page.click("#compare-form button")
    page.wait_for_selector("#compared[data-curves='3']")
    assert "benchmark=ibm" in page.url and "run=" in page.url
    expect(page.locator("[data-readout=compared]")).to_contain_text("IBM (recorded)")
    expect(page.locator("#compared-table tbody tr").first).to_contain_text("Judged #1")


def test_a_tearsheet_opens_anywhere(wide: Trader, account: PaperAccount, browser: Any, tmp_path: Path) -> None:
    """A file: it asks for nothing, draws its charts, and complains of nothing."""
    page = wide.page
    wide.go(f"/accounts/{account.pk}/performance/")
    page.fill("#sheet-benchmark", "ibm")
    with page.expect_download() as download:
        page.click("button:has-text('Tearsheet')")
    file = tmp_path / "tearsheet.html"
    download.value.save_as(file)
    alone = browser.new_context(offline=True)
    sheet = alone.new_page()
    heard: list[str] = []
    sheet.on("console", lambda message: heard.append(message.text))
    sheet.on("pageerror", lambda error: heard.append(str(error)))
    sheet.on("request", lambda request: heard.append(request.url) if request.url != file.as_uri() else None)
    sheet.goto(file.as_uri())
    sheet.wait_for_selector("[data-chart=equity] .scatterlayer .trace")
    expect(sheet.locator(".honesty")).to_contain_text("1 session")
    expect(sheet.locator("[data-readout=equity]")).to_contain_text("IBM")
    expect(sheet.locator("body")).to_contain_text("IBM, bought and held from the start of the period")
    assert heard == []
    alone.close()
