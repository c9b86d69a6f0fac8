"""What people saw go wrong on the pages, in a real browser: each of these failed once."""

import gzip
import re
import subprocess
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.templatetags.static import static
from django.test import Client
from playwright._impl._driver import compute_driver_executable
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import ApiKey, PaperAccount
from orders.models import Order
from papertrade.reports.tearsheet import PLOTLY
from papertrade.trading.accounts import open_account, reset_account
from tests.browser import NARROW, WIDE, needs_chromium
from tests.dashboard.browser import Trader
from tests.desk import Desk
from tests.market_kit import CALL, MarketKit

pytestmark = [needs_chromium, pytest.mark.slow, pytest.mark.xdist_group("browser")]


@pytest.fixture
def account(user: Any) -> PaperAccount:
    return open_account(user=user, name="Books", initial_cash="100000")


def test_a_ticket_sends_once(wide: Trader, account: PaperAccount) -> None:
    """Two presses, however far apart, and Enter twice: one order. Changed, or asked for anew, it sends the next.

    As on a page that came over plain http, where browsers make no UUIDs.
    """
    page = wide.page
    page.add_init_script("delete Crypto.prototype.randomUUID")
    wide.go(f"/accounts/{account.pk}/")
    page.wait_for_selector("#ticket[data-ready]")
    page.fill("#ticket-symbol", "IBM")
    page.keyboard.press("Tab")
    page.wait_for_selector("[data-quote=ask]:has-text('100.10')")
    page.evaluate(
        """() => { const press = () => document.getElementById("send-order").click();
                   for (const after of [0, 90, 200, 420, 900]) setTimeout(press, after); }"""
    )
    page.wait_for_selector("#ticket-done:has-text('filled at 100.10')")
    page.wait_for_timeout(1_000)
    page.focus("#ticket-qty")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_timeout(200)
    assert Order.objects.count() == 1
    assert page.locator("#send-order").is_disabled()

    page.fill("#ticket-qty", "2")
    page.focus("#ticket-qty")
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    page.wait_for_selector("#ticket-done:has-text('Buy 2 IBM')")
    assert Order.objects.count() == 2
    page.click("#new-order")
    assert page.locator("#ticket-done").inner_text() == ""
    page.click("#send-order")
    page.wait_for_selector("#ticket-done:has-text('Buy 2 IBM')")
    assert Order.objects.count() == 3
    assert len({order.client_order_id for order in Order.objects.all()}) == 3


def test_two_presses_send_a_form_once(wide: Trader, user: Any) -> None:
    """Pressed again while the answer is awaited, a form opens one account; come back to, it opens another."""
    page = wide.page
    sent: list[Any] = []
    wide.go("/accounts/new/")
    page.fill("[name=name]", "Once")
    page.route(
        "**/accounts/new/", lambda route: sent.append(route) if route.request.method == "POST" else route.continue_()
    )
    page.evaluate(
        """() => new Promise((pressed) => {
             const button = document.querySelector("main button[type=submit]");
             button.click();
             setTimeout(() => { button.click(); setTimeout(pressed, 50); }, 50);
           })"""
    )
    while not sent:
        page.wait_for_timeout(20)
    assert len(sent) == 1
    sent[0].continue_()
    page.wait_for_selector("h1:has-text('Once')")
    page.unroute("**/accounts/new/")
    page.go_back()
    page.fill("[name=name]", "Again")
    page.click("button:has-text('Open the account')")
    page.wait_for_selector("h1:has-text('Again')")
    assert PaperAccount.objects.filter(user=user).count() == 2


def test_the_answer_stays_true(wide: Trader, account: PaperAccount, open_market: MarketKit) -> None:
    """A partly filled order fills meanwhile, and the line says so; nothing is said of a next order that nobody asked for."""
    times = [f"14:00:{second:02d}" for second in range(0, 60, 10)]
    open_market.play(
        *(f"{time} IBM 100.00 100.{n}0 500 300" for n, time in enumerate(times, start=1)), start="14:00:00"
    )
    page = wide.page
    wide.go(f"/accounts/{account.pk}/")
    wide.order("IBM", "500", limit="101")
    page.wait_for_selector("#ticket-done:has-text('partly filled, 300 filled at 100.10')")
    open_market.advance("14:00:10")
    page.wait_for_selector("#ticket-done:has-text('Buy 500 IBM: filled at 100.14')")
    assert page.locator("#warnings li").count() == 0
    page.fill("#ticket-qty", "900000")  # what is asked now is answered now
    page.wait_for_selector("#warnings li:has-text('It would be rejected')")
    page.locator(".segments label:has(input[value=market])").click()
    page.fill("#ticket-qty", "100")
    expect(page.locator("[data-estimate=estimated_cost]")).to_have_text("10,020.00")
    unknown = {"error": {"code": "outcome_unknown", "message": "It may be stored, or not."}}
    page.route("**/orders/", lambda route: route.fulfill(status=503, json=unknown))
    page.click("#send-order")
    expect(page.locator("#ticket-error")).to_have_text("It may be stored, or not.")
    open_market.advance("14:00:20")  # another quote, another estimate; what became of sending is not over with it
    expect(page.locator("[data-estimate=estimated_cost]")).to_have_text("10,030.00")
    expect(page.locator("#ticket-error")).to_have_text("It may be stored, or not.")
    page.fill("#ticket-qty", "200")
    expect(page.locator("#ticket-error")).to_be_empty()
    wide.problems.clear()  # the refusal (503)


def test_a_name_is_taken_for_its_stock(wide: Trader, account: PaperAccount, open_market: MarketKit) -> None:
    """`apple` and Enter is AAPL; `app` may be a ticker, and stays one; a wrong quantity is told in a sentence."""
    open_market.play("14:00:00 AAPL 100.00 100.10 500 300", "14:00:00 IBM 100.00 100.10", start="14:00:00")
    page = wide.page
    wide.go(f"/accounts/{account.pk}/")
    page.wait_for_selector("#ticket[data-ready]")
    page.fill("#ticket-symbol", "app")
    page.focus("#ticket-symbol")
    expect(page.locator("#ticket-found li")).to_have_text(["AAPLApple", "APPas typed"])
    page.keyboard.press("Enter")
    expect(page.locator("#ticket-symbol")).to_have_value("APP")
    page.fill("#ticket-symbol", "apple")
    page.focus("#ticket-symbol")
    page.keyboard.press("Enter")
    expect(page.locator("#ticket-symbol")).to_have_value("AAPL")
    page.wait_for_selector("[data-quote=ask]:has-text('100.10')")
    assert Order.objects.count() == 0
    page.fill("#ticket-qty", "0")
    page.wait_for_selector("#ticket-qty-error:not(:empty)")
    assert re.fullmatch(r"Quantity .+\.", page.locator("#ticket-qty-error").inner_text())
    wide.problems.clear()  # the refused preview (400) is in the console by itself
    page.fill("#ticket-qty", "2,000")
    page.locator(".segments label:has(input[value=limit])").click()
    page.fill("#ticket-limit", "$40.50")
    page.click("#send-order")
    page.wait_for_selector("#ticket-done:has-text('Buy 2,000 AAPL: working')")
    assert Order.objects.get().limit_price == Decimal("40.50")


def test_charts_tell_time(wide: Trader, account: PaperAccount, open_market: MarketKit) -> None:
    """Where the pointer is, in words; steps; real distances; room for the digits of millions; choices in the address."""
    rich = open_account(user=account.user, name="Rich", initial_cash="50000000")
    Desk.at(rich).buy("100")
    open_market.advance("14:01:30")
    page = wide.page
    wide.go(f"/accounts/{rich.pk}/")
    page.wait_for_selector("#charts[data-points]")
    expect(page.locator("[data-readout=equity]")).to_contain_text("Mon Oct 7, 2013, 10:01 ET")
    box = page.locator("[data-chart=equity] .nsewdrag").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.3, box["y"] + 40)
    page.mouse.move(box["x"] + box["width"] * 0.05, box["y"] + 40)
    expect(page.locator("[data-readout=equity]")).to_contain_text("10:00 ET")
    expect(page.locator("[data-readout=equity]")).to_contain_text("buy 100 IBM at 100.1")
    page.mouse.move(box["x"] + box["width"] * 0.95, box["y"] + 40)  # nothing was bought there
    expect(page.locator("[data-readout=equity]")).to_contain_text("10:01 ET")
    expect(page.locator("[data-readout=equity]")).not_to_contain_text("buy")
    shapes = "(name) => document.querySelector(`[data-chart=${name}]`).data.map((trace) => trace.line.shape)"
    assert page.evaluate(shapes, "parts") == ["hv", "linear"]
    for name in ("equity", "parts", "pl", "drawdown"):
        assert clipped(page, name) == [], name
    left = "(name) => document.querySelector(`[data-chart=${name}] .nsewdrag`).getBoundingClientRect().left"
    assert page.evaluate(left, "equity") == page.evaluate(left, "drawdown"), "a time stands at one place in both"
    page.locator(".segments label:has(input[value='1D'])").click()
    page.select_option("#timeframe", "5Min")
    page.wait_for_url("**/?period=1D&timeframe=5Min")
    page.reload()
    page.wait_for_selector("#charts[data-points]")
    assert page.locator("input[name=period]:checked").get_attribute("value") == "1D"
    assert page.locator(".segments label:has(input[value='1Y']) span").inner_text() == "1Y"
    page.fill("#benchmark", "IBM")
    page.keyboard.press("Tab")
    page.wait_for_selector(".chart-note:has-text('these prices are recorded')")


def clipped(page: Any, name: str) -> list[str]:
    """The labels of a chart's axes that do not lie within it, or are turned."""
    return page.locator(f"[data-chart={name}]").evaluate(
        """(chart) => {
             const frame = chart.getBoundingClientRect();
             return [...chart.querySelectorAll(".xtick text, .ytick text")].filter((label) => {
               const { left, right, top, bottom } = label.getBoundingClientRect();
               const turned = /rotate\\((?!0)/.test(label.getAttribute("transform") ?? "");
               return turned || left < frame.left - 0.5 || right > frame.right + 0.5 || top < frame.top - 0.5 || bottom > frame.bottom + 0.5;
             }).map((label) => label.textContent);
           }"""
    )


def test_tables_show_what_matters(browser: Any, server: LiveServer, user: Any, account: PaperAccount) -> None:
    """At 1440 an order's time beside its button; at 390 a position's mark and result; all rows are counted."""
    Desk.at(account).buy("3", symbol=CALL)
    Desk.at(account).buy("3", limit="90")
    for size in (WIDE, NARROW):
        trader = Trader(browser, server.url, size)
        trader.enter(user)
        home = f"/accounts/{account.pk}/"
        trader.go(f"{home}orders/")
        assert trader.whole("#orders tr:has(button) td[data-column=submitted_at]")
        assert trader.in_sight("#orders button:has-text('Cancel')")
        assert "limit not reached" in trader.page.locator("#orders tr:has(button)").inner_text()
        trader.go(f"{home}positions/")
        for column in ("market_price", "market_value", "unrealized_pl"):
            assert trader.whole(f"#positions td[data-column={column}]"), (size, column)
        trader.open_ticket()
        trader.page.fill("#ticket-symbol", CALL)
        trader.page.keyboard.press("Tab")
        trader.page.wait_for_selector("#send-order:has-text('Buy 1 IBM Oct 19 2013 100 call')")
        assert trader.overflow() <= 0
        assert trader.page.locator("#ticket").evaluate("(form) => form.scrollWidth - form.clientWidth") <= 0
        trader.context.close()
        assert trader.problems == []


def test_times_have_a_zone_and_a_year(wide: Trader, account: PaperAccount) -> None:
    """Exchange time unless the viewer wants their own; the year where it is not this one."""
    Desk.at(account).buy("3")
    page = wide.page
    wide.go(f"/accounts/{account.pk}/fills/")
    expect(page.locator("td[data-column=created_at]")).to_have_text("Oct 07 2013, 10:00:00 ET")
    page.click("[data-zone-toggle]")
    expect(page.locator("td[data-column=created_at]")).to_have_text("Oct 07 2013, 16:00:00 CEST")
    expect(page.locator("#market .market-state")).to_contain_text("22:00:00 CEST")
    expect(page.locator("[data-clock]")).to_have_text("Mon Oct 07 2013, 10:00:00 ET")
    page.click("[data-zone-toggle]")
    expect(page.locator("td[data-column=created_at]")).to_have_text("Oct 07 2013, 10:00:00 ET")


def test_the_last_session_of_a_past_book(wide: Trader, account: PaperAccount, open_market: MarketKit) -> None:
    """A run that ended keeps what its last session came to."""
    Desk.at(account).buy("100")
    reset_account(account=account, confirm=True)
    wide.go(f"/accounts/{account.pk}/?generation=1")
    change = wide.page.locator(".headline div:has(dt:has-text('Last session')) data").first
    assert change.get_attribute("value") == "-10.0000"  # bought at 100.10, worth 100.00


def test_small_things(wide: Trader, account: PaperAccount, server: LiveServer, browser: Any) -> None:
    """A reload makes no second key; amounts as people write them; a page that is not there; long names; no scripts."""
    page = wide.page
    wide.go("/keys/")
    page.fill("[name=name]", "bot")
    page.click("button:has-text('Create the key')")
    page.wait_for_selector("#token")
    page.reload()
    page.wait_for_selector(".note:has-text('That form has made its key')")
    assert ApiKey.objects.count() == 1

    wide.go("/accounts/new/")
    page.fill("[name=name]", "W" * 90)
    page.fill("[name=initial_cash]", "$250,000")
    page.click("button:has-text('Open the account')")
    page.wait_for_selector("#ticket[data-ready]")
    assert wide.figure("equity") == "250000.0000"
    wide.go("/")
    assert wide.overflow() <= 0
    assert (
        page.locator(".card").evaluate_all(
            "(cards) => cards.filter((card) => card.scrollWidth > card.clientWidth + 1).length"
        )
        == 0
    )

    page.click("[data-theme-toggle]")
    theme = page.locator("html").get_attribute("data-theme")
    wide.go("/nowhere/")
    assert page.locator("html").get_attribute("data-theme") == theme
    assert page.locator(".top .menu").count() == 1
    assert wide.accessibility_problems() == []
    page.goto("about:blank")  # the page asks for itself again and again
    wide.problems.clear()  # the page that is not there (404)

    plain = browser.new_context(
        base_url=server.url, java_script_enabled=False, storage_state=wide.context.storage_state()
    )
    still = plain.new_page()
    still.goto(f"/accounts/{account.pk}/")
    for dead in ("#send-order", "[data-theme-toggle]", "#open-chain", ".chart-choices"):
        assert not still.locator(dead).is_visible(), dead
    plain.close()


def test_an_ended_session_is_told_in_words(wide: Trader, account: PaperAccount) -> None:
    page = wide.page
    wide.go(f"/accounts/{account.pk}/")
    page.wait_for_selector("#ticket[data-ready]")
    page.evaluate("clearInterval(0); window.stop()")
    page.fill("#ticket-symbol", "IBM")
    page.keyboard.press("Tab")
    page.wait_for_selector("[data-quote=ask]:has-text('100.10')")
    wide.context.clear_cookies(name="sessionid")
    page.click("#send-order")
    page.wait_for_selector("#ticket-error:has-text('You are not signed in any more')")
    wide.problems.clear()  # the refusals (401)
    assert Order.objects.count() == 0


def test_a_page_is_light_and_a_quiet_one_silent(wide: Trader, account: PaperAccount) -> None:
    """The first view of an account under 600 KB over the wire and its charts soon; quiet, it asks whether something changed.

    `python -m benchmarks.first_view` has the figures of a whole server: seconds, and bytes of a quiet minute.
    """
    Desk.at(account).buy("3")
    page, answers = wide.page, []
    page.clock.install()
    page.on("response", lambda answer: answers.append(answer))
    page.goto(f"/accounts/{account.pk}/")
    page.wait_for_selector("#charts[data-points]")
    page.wait_for_selector("#watchlist[data-ready]")
    assert sum(map(on_the_wire, [answer.url for answer in answers])) < 600_000
    wide.stand_still()
    answers.clear()
    began = page.evaluate("performance.now()")
    while len(answers) < 10:  # half a minute of a page that was just touched, which asks most often
        page.clock.run_for(500)
        page.wait_for_timeout(20)
    assert page.evaluate("performance.now()") - began > 26_000, "it asks no more often than every three seconds"
    assert [answer.status for answer in answers] == [304] * 10


def on_the_wire(url: str) -> int:
    """How many bytes the server sends for an address, compressed; the tests' own server sends files by another way."""
    answer = Client().get(urlsplit(url).path, headers={"Accept-Encoding": "gzip, br"})
    return len(b"".join(answer.streaming_content) if answer.streaming else answer.content)


def test_files_are_kept_for_good(db: None, client: Client) -> None:
    """The address of a file changes with it, so that a browser need never ask again."""
    answer = client.get(static("dashboard/app.js"))
    assert answer.headers["Cache-Control"] == "max-age=315360000, public, immutable"
    assert re.search(r"/[0-9a-f]{12}/dashboard/app.js$", static("dashboard/app.js"))


def test_a_file_is_sent_whole_compressed_or_not(db: None, client: Client) -> None:
    address, file = static("dashboard/dashboard.css"), Path("static/dashboard/dashboard.css").read_bytes()
    packed = client.get(address, headers={"Accept-Encoding": "gzip"})
    assert (packed.streaming, packed.headers["Content-Encoding"], packed.headers["Vary"]) == (
        False,
        "gzip",
        "Accept-Encoding",
    )
    assert gzip.decompress(packed.content) == file and int(packed.headers["Content-Length"]) == len(packed.content)
    assert b"".join(client.get(address).streaming_content) == file


def test_the_largest_file_lies_there_compressed(db: None, client: Client) -> None:
    """As brotli makes it, for browsers that take that; it is the file beside it."""
    file = Path("static") / PLOTLY
    answer = client.get(static(PLOTLY), headers={"Accept-Encoding": "gzip, deflate, br, zstd"})
    assert answer.headers["Content-Encoding"] == "br" and "Accept-Encoding" in answer.headers["Vary"]
    packed = b"".join(answer.streaming_content)
    assert len(packed) == int(answer.headers["Content-Length"]) < 0.3 * file.stat().st_size
    node, _ = compute_driver_executable()
    unpack = 'process.stdout.write(require("zlib").brotliDecompressSync(require("fs").readFileSync(0)))'
    assert subprocess.run([node, "-e", unpack], input=packed, capture_output=True).stdout == file.read_bytes()
    gzipped = client.get(static(PLOTLY), headers={"Accept-Encoding": "gzip"})
    assert gzipped.headers["Content-Encoding"] == "gzip"
