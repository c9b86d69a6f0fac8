"""What stands beside the page: the watchlist, the ticket as a sheet on a phone, notes and tags."""

from typing import Any

import pytest
from playwright.sync_api import expect

from accounts.models import Generation, Watchlist
from orders.models import Order
from tests.browser import needs_chromium
from tests.dashboard.browser import Trader
from tests.desk import Desk
from tests.market_kit import CALL, MarketKit

pytestmark = [needs_chromium, pytest.mark.slow, pytest.mark.xdist_group("browser")]


def test_a_watchlist(trader: Trader, open_market: MarketKit) -> None:
    """Symbols onto it and off it, by hand and by keyboard; its quotes live; a press puts one into the ticket."""
    open_market.play(
        "14:00:00 IBM 100.00 100.10", f"14:00:00 {CALL} 4.00 4.20 20 10", "14:00:10 IBM 101.00 101.10", start="14:00:00"
    )
    page = trader.page
    page.clock.install()
    trader.open_account("Watching")
    trader.close_ticket()
    page.wait_for_selector("#watchlist[data-ready]")
    expect(page.locator("#watch-note")).to_contain_text("Nothing here yet")
    for typed in ("ibm", CALL):
        page.fill("#watch-symbol", typed)
        page.focus("#watch-symbol")
        page.keyboard.press("Enter")
        expect(page.locator("#watch-symbol")).to_have_value("")
    stock, option = page.locator("#watched [data-symbol=IBM]"), page.locator(f"#watched [data-symbol='{CALL}']")
    expect(stock.locator(".ask")).to_have_text("100.10")
    expect(option.locator("b")).to_have_text("IBM Oct 19 2013 100 call")
    open_market.advance("14:00:10")
    page.clock.fast_forward(5_000)
    expect(stock.locator(".ask")).to_have_text("101.10")
    expect(stock).to_have_attribute("data-moved", "up")
    assert trader.accessibility_problems() == [] and trader.overflow() <= 0

    stock.locator(".pick").click()
    expect(page.locator("#ticket-symbol")).to_have_value("IBM")
    assert page.locator("#ticket-symbol").is_visible()
    assert page.evaluate("document.activeElement.id") == "ticket-qty"
    expect(page.locator("#watch-this")).to_have_attribute("aria-pressed", "true")
    page.click("#watch-this")
    expect(stock).to_have_count(0)
    trader.close_ticket()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("w")
    expect(page.locator("#watched li")).to_have_count(2)
    option.locator(".pick").focus()
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.closest('li').dataset.symbol") == "IBM"
    page.keyboard.press("Delete")
    expect(stock).to_have_count(0)
    assert page.evaluate("document.activeElement.closest('li').dataset.symbol") == CALL
    assert Watchlist.objects.get().symbols == [CALL]


def test_the_ticket_is_a_sheet_on_a_phone(narrow: Trader, open_market: MarketKit) -> None:
    """Out of the way until it is asked for, then over the page; every tab in sight without scrolling."""
    page, home = narrow.page, narrow.open_account("Phone")
    assert narrow.accessibility_problems() == [] and narrow.overflow() <= 0
    assert page.locator("#sheet").evaluate("(sheet) => sheet.getBoundingClientRect().bottom <= innerHeight + 1")
    page.keyboard.press("Escape")
    assert not page.locator("#ticket").is_visible()
    page.click(".trade-bar [data-trade=sell]")
    assert page.locator("#ticket [name=side]:checked").get_attribute("value") == "sell"
    page.mouse.click(195, 40)  # beside it
    assert not page.locator("#ticket").is_visible()
    for tab in page.locator(".tabs a").all():
        box = tab.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= page.viewport_size["width"]
    assert page.locator(".tabs").evaluate("(tabs) => tabs.scrollWidth - tabs.clientWidth") <= 0

    narrow.go(f"{home}?symbol=IBM")
    page.wait_for_selector("[data-quote=ask]:has-text('100.10')")
    assert page.locator("#ticket").is_visible()
    page.click("#open-chain")
    page.click("#chain button:has-text('Choose')")
    page.click("#send-order")
    page.wait_for_selector("#ticket-done:has-text('filled at 4.20')")
    page.click("#close-sheet")
    page.wait_for_selector("#positions td:has-text('100 call')")
    assert narrow.in_sight("#positions button:has-text('Close')")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.wait_for_selector("aside #ticket", state="visible")


def test_notes_and_tags(trader: Trader, user: Any, open_market: MarketKit) -> None:
    """Shown, changed and found by: of an order and of a run; files have them."""
    page, home = trader.page, trader.open_account("Labelled")
    desk = Desk.at(trader.account)
    tagged = desk.buy("3", tags=["v1", "a1b2c3d"], note="first try")
    desk.buy("5")
    trader.go(f"{home}orders/")
    expect(page.locator("#orders tbody tr")).to_have_count(2)
    page.click("#orders .tag:has-text('v1')")
    expect(page.locator("#orders tbody tr")).to_have_count(1)
    expect(page.locator("#choice-tag")).to_have_value("v1")
    heads, row = trader.exported()
    assert heads.endswith(",tags,note") and row.endswith(',"v1, a1b2c3d",first try')
    page.fill("#choice-tag", "v9")
    page.wait_for_selector("text=Nothing matches.")

    trader.go(f"{home}orders/{tagged.pk}/")
    expect(page.locator("#order-labels")).to_contain_text("first try")
    page.click("[data-labels]")
    page.fill("#labels-tags", "v2,  stop exit, " + "x" * 65)
    page.click("#labels button:has-text('Save')")
    page.wait_for_selector("#labels-tags-error:has-text('each of 1 to 64')")
    trader.problems.clear()  # the refused labels (400)
    assert trader.accessibility_problems() == []
    page.fill("#labels-tags", "v2,  stop exit")
    page.fill("#labels-note", "")
    page.click("#labels button:has-text('Save')")
    expect(page.locator("#order-labels .tag")).to_have_text(["v2", "stop exit"])
    assert Order.objects.get(pk=tagged.pk).tags == ["v2", "stop exit"]

    trader.go(f"{home}performance/")
    assert trader.overflow() <= 0
    page.click("#by-tag .tag:has-text('v2')")
    page.wait_for_selector("#trades tbody tr")
    trader.go(f"{home}trades/")
    expect(page.locator("#trades tbody tr")).to_have_count(1)
    page.click("#trades .tag:has-text('stop exit')")
    expect(page.locator("#choice-tag")).to_have_value("stop exit")
    heads, row = trader.exported()
    assert heads.endswith(",tags") and row.endswith(',"v2, stop exit"')
    page.fill("#choice-tag", "v1")
    page.wait_for_selector("text=Nothing matches.")
    assert len(trader.exported()) == 1

    desk.reset(tags=["v2"])
    trader.go(f"{home}orders/?generation=1")
    page.click("#orders .tag:has-text('v2')")
    expect(page.locator("#orders tbody tr")).to_have_count(1)
    trader.go(f"{home}generations/")
    page.click(".run summary >> nth=0")
    page.click(".run summary >> nth=1")
    page.click("[data-labels] >> nth=1")
    page.fill("#labels-tags", "v1")
    page.fill("#labels-note", "too fast")
    page.click("#labels button:has-text('Save')")
    expect(page.locator(".run").nth(1)).to_contain_text("too fast")
    expect(page.locator(".run details[open]")).to_have_count(2)  # what somebody opened stays open
    assert (Generation.objects.get(number=1).tags, Generation.objects.get(number=1).note) == (["v1"], "too fast")
    expect(page.locator(".account-state .tag.label")).to_have_text("v2")
    page.click(".run .tag.label:has-text('v1')")
    expect(page.locator(".run")).to_have_count(1)
    assert trader.overflow() <= 0
