"""What a person watches and does beside the ticket: activity, settlements, limits, the chain, keys of the keyboard."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.sync_api import expect

from accounts.models import ApiKey, PaperAccount
from orders.models import Order
from papertrade.trading.accounts import open_account
from tests.browser import needs_chromium
from tests.dashboard.browser import Trader
from tests.desk import Desk
from tests.factories import TokenFactory
from tests.market_kit import CALL, MarketKit, at

pytestmark = [needs_chromium, pytest.mark.slow, pytest.mark.xdist_group("browser")]
FRIDAY = "2013-10-18T"


def desk_of(user: Any) -> Desk:
    return Desk.at(open_account(user=user, name="Watched", initial_cash="100000"))


def test_activity_and_settlements(wide: Trader, user: Any, open_market: MarketKit) -> None:
    """An option's settlement stands in the activity, in the fills and in the trades, and what the bot did last is said."""
    open_market.play(
        f"{FRIDAY}14:00:00 IBM 104.00 104.10",
        f"{FRIDAY}14:00:00 {CALL} 4.00 4.20 20 10",
        f"{FRIDAY}19:59:00 IBM 105.00 105.10",
        start=f"{FRIDAY}14:00:00",
    )
    desk = desk_of(user)
    desk.buy("1", symbol=CALL)
    open_market.advance(at(f"{FRIDAY}20:00:00") + timedelta(minutes=1))
    page, home = wide.page, f"/accounts/{desk.account.pk}/"
    wide.go(f"{home}activity/")
    expect(page.locator("#activity tbody tr").first).to_contain_text("Option settled")
    expect(page.locator("#activity td[data-column=detail]").first).to_have_text("1 at 5.00")
    expect(page.locator("#activity td[data-column=detail]").nth(1)).to_have_text("buy 1 at 4.20")
    expect(page.locator("#last-seen")).to_contain_text("Last order Oct 18 2013, 10:00:00 ET")
    expect(page.locator("#last-seen")).to_contain_text("never")
    expect(page.locator("#notify")).to_be_visible()
    TokenFactory(user=user)
    ApiKey.objects.update(last_used_at=datetime.now(UTC))
    expect(page.locator("#last-seen")).not_to_contain_text("never")
    expect(page.locator("#notify")).to_be_visible()  # brought up to date around it
    page.select_option("#choice-kind", "fills")
    expect(page.locator("#activity tbody tr")).to_have_count(1)
    expect(page.locator("#activity tbody tr")).to_contain_text("Filled")
    assert wide.accessibility_problems() == []
    wide.go(f"{home}fills/")
    settled = page.locator("#fills tbody tr").first
    expect(settled).to_contain_text("500.00")
    expect(settled).to_contain_text("settled")
    expect(page.locator("#fills tbody tr")).to_have_count(2)
    for sort, first in (("-price", "5.00"), ("price", "4.20"), ("side", "4.20")):
        wide.go(f"{home}fills/?sort={sort}")
        expect(page.locator("#fills td[data-column=price]").first).to_have_text(first)
    heads, *rows = (line.split(",") for line in wide.exported())
    assert [dict(zip(heads, row, strict=True))["kind"] for row in rows] == ["fill", "settlement"]
    wide.go(home)
    expect(page.locator("#fills tbody tr").first).to_contain_text("settled")
    wide.go(f"{home}trades/")
    expect(page.locator("#trades tbody tr")).to_contain_text("settled")


def test_limits_and_all_at_once(wide: Trader, user: Any, open_market: MarketKit) -> None:
    """How far the market is from a limit, beside the order and on its page; edit; cancel all and close all ask first."""
    times = ("14:00:00", "14:00:10")
    open_market.play(
        *(f"{time} IBM 100.00 100.10 500 {size}" for time, size in zip(times, (300, 700), strict=True)), start=times[0]
    )
    desk = desk_of(user)
    order = desk.buy("5", limit="95")
    desk.buy("5", limit="90")
    desk.buy("10")
    page, home = wide.page, f"/accounts/{desk.account.pk}/"
    wide.go(f"{home}orders/")
    expect(page.locator("#orders tr", has_text="95.00").first).to_contain_text("5.09% away")
    wide.go(f"{home}orders/{order.pk}/")
    expect(page.locator(".now [data-figure=distance]")).to_have_text("5.09%")
    expect(page.locator(".now")).to_contain_text("100.10 × 300")
    open_market.advance("14:00:10")  # the same prices, another size and time
    expect(page.locator(".now")).to_contain_text("100.10 × 700")
    expect(page.locator(".now")).to_contain_text("10:00:10 ET")
    page.click("#order [data-edit]")
    page.fill("#edit-limit", "96,5")  # a decimal comma is not taken for one that parts thousands
    page.click("text=Replace the order")
    expect(page.locator("#edit-limit-error")).to_contain_text("Limit price")
    wide.problems.clear()  # the refused edit (400)
    page.fill("#edit-limit", "$96")
    page.click("text=Replace the order")
    page.wait_for_selector("h2:has-text('at 96.00 or better')")
    assert sorted(str(row.limit_price) for row in Order.objects.filter(status="new")) == ["90.000000", "96.000000"]
    wide.go(f"{home}orders/")
    page.locator("#orders tr", has_text="90.00").locator("[data-edit]").click()
    page.fill("#edit-qty", "1,000")
    page.select_option("#edit-force", "gtc")
    assert wide.accessibility_problems() == []
    page.click("text=Replace the order")
    expect(page.locator("#orders tr", has_text="1,000")).to_contain_text("gtc")
    assert Order.objects.get(status="new", time_in_force="gtc").qty == 1_000
    page.click("button:has-text('Cancel all')")
    page.click("#confirm-yes")
    page.wait_for_selector(".toast:has-text('All open orders were canceled.')")
    assert Order.objects.filter(status="canceled").count() == 2
    wide.go(f"{home}positions/")
    page.click("button:has-text('Close all')")
    page.click("#confirm-yes")
    page.wait_for_selector("#positions .empty")


def test_the_chain_side_by_side(wide: Trader, account: PaperAccount, open_market: MarketKit) -> None:
    """Calls and puts by strike, with spread, delta and volatility; it keeps itself true while it is open."""
    page = wide.page
    wide.go(f"/accounts/{account.pk}/")
    page.wait_for_selector("#ticket[data-ready]")
    page.fill("#ticket-symbol", "IBM")
    page.keyboard.press("Tab")
    page.wait_for_selector("#open-chain:enabled")
    page.click("#open-chain")
    row = page.locator("#chain tbody tr[data-strike='100']")
    expect(row.locator(".call[data-figure=ask]")).to_have_text("4.20")
    expect(row.locator(".call[data-figure=spread]")).to_have_text("0.20 5%")
    assert 0.4 < float(row.locator(".call[data-figure=delta]").inner_text()) < 0.7
    expect(page.locator("#chain-spot")).to_have_text("IBM 100.05")
    open_market.play(f"14:00:00 {CALL} 5.00 5.20 20 10", "14:00:00 IBM 100.00 100.10", start="14:00:00")
    expect(row.locator(".call[data-figure=ask]")).to_have_text("5.20")
    assert wide.accessibility_problems() == []
    page.keyboard.press("Escape")
    wide.problems.clear()  # what was asked while the market was played anew (503)


def test_news_while_the_server_is_slow(wide: Trader, account: PaperAccount) -> None:
    """A stream that is refused for a moment is asked for again; a page under way is not given up for what it tells."""
    page, home = wide.page, f"/accounts/{account.pk}/"
    news = 2 * 'id: 2\ndata: {"seq": 2, "type": "order_filled", "symbol": "IBM", "reason": ""}\n\n'
    answers = iter([{"status": 503}, {"status": 200, "content_type": "text/event-stream", "body": news}])
    page.route("**/events/", lambda route: route.fulfill(**next(answers, {"status": 204})))
    page.clock.install()
    wide.stand_still()
    with page.expect_response("**/events/"):
        wide.go(home)
    page.wait_for_selector("#ticket[data-ready]")
    asked: list[Any] = []
    page.route(f"**{home}", lambda route: asked.append(route))

    def within(seconds: int) -> int:
        """How often the page has been asked for by then."""
        for _ in range(seconds):
            page.clock.run_for(1_000)
        return len(asked)

    def answer(route: Any) -> None:
        with page.expect_response(f"**{home}"):
            route.continue_()

    assert within(4) == 1
    with page.expect_response("**/events/"):
        page.clock.run_for(2_000)
    expect(page.locator(".toast")).to_have_text("Filled: IBM")  # and not twice
    assert within(1) == 1, "it goes on"
    answer(asked[0])
    assert within(5) == 2, "and once more"
    assert within(14) == 3, "that came too late"
    expect(page.locator("#offline")).to_be_visible()
    assert within(15) == 3, "so it is given longer"
    answer(asked[2])
    expect(page.locator("#offline")).to_be_hidden()
    wide.problems.clear()  # the refusal (503)


def test_keys(wide: Trader, account: PaperAccount) -> None:
    """/ and b and s, g and a letter, and ? for the list of them; none while something is typed."""
    page, home = wide.page, f"/accounts/{account.pk}/"
    wide.go(home)
    page.wait_for_selector("#ticket[data-ready]")
    page.keyboard.press("s")
    assert page.locator("#ticket [name=side]:checked").get_attribute("value") == "sell"
    assert page.evaluate("document.activeElement.id") == "ticket-symbol"
    page.keyboard.type("b?")
    assert page.input_value("#ticket-symbol") == "b?"
    assert page.locator("#ticket [name=side]:checked").get_attribute("value") == "sell"
    page.evaluate("document.activeElement.value = ''; document.activeElement.blur()")
    page.keyboard.press("?")
    page.wait_for_selector("#keys-help:has-text('Buy, sell')")
    page.keyboard.press("Escape")
    page.wait_for_selector("#keys-help", state="hidden")
    page.keyboard.press("g")
    page.keyboard.press("o")
    page.wait_for_url(f"**{home}orders/")


@pytest.fixture
def account(user: Any) -> PaperAccount:
    return open_account(user=user, name="Watched", initial_cash="100000")


def test_a_symbol_in_all_accounts(wide: Trader, user: Any, open_market: MarketKit) -> None:
    """Its quote and chart with fills and limits, what each account holds and wants of it, and a ticket filled in."""
    desk = desk_of(user)
    desk.buy("10")
    desk.buy("5", limit="95")
    page = wide.page
    wide.go(f"/accounts/{desk.account.pk}/positions/")
    page.click("#positions td a:has-text('IBM')")
    page.wait_for_selector("#priced[data-points]")
    expect(page.locator("#symbol-quote [data-figure=ask]")).to_contain_text("100.10")
    expect(page.locator("#symbol-held tbody tr")).to_contain_text("Watched")
    expect(page.locator("#symbol-orders tbody tr")).to_contain_text("95.00")
    assert page.evaluate("document.querySelector('[data-chart=price]').layout.shapes.length") == 1
    assert wide.accessibility_problems() == [] and wide.overflow() <= 0
    page.click(".trade-from a")
    page.wait_for_selector("[data-quote=ask]:has-text('100.10')")
    assert page.input_value("#ticket-symbol") == "IBM"
    page.goto("/symbols/not-a-symbol!/")
    page.wait_for_selector("h1:has-text('Nothing here')")
    wide.problems.clear()  # the page that is not there (404)
