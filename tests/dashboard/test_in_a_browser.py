"""What the dashboard must show (issue 4), in a real browser at both widths: trade, watch, cancel, read why, reset, archive."""

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest
from playwright.sync_api import expect
from pytest_django.live_server_helper import LiveServer

from orders.models import Order
from portfolio.audit import verify_ledger
from portfolio.models import Book
from portfolio.selectors import summary
from tests.api_kit import Api
from tests.browser import NARROW, WIDE, needs_chromium
from tests.dashboard.browser import PASSWORD, Trader
from tests.factories import TokenFactory
from tests.market_kit import MarketKit

pytestmark = [needs_chromium, pytest.mark.slow, pytest.mark.xdist_group("browser")]

PAGES = ("", "positions/", "orders/", "fills/", "ledger/", "generations/", "manage/")


def test_it_works(trader: Trader, open_market: MarketKit) -> None:
    """Sign in, create an account, buy, see the fill and the chart move, rest an order, cancel it, read why, reset, archive."""
    page = trader.page
    trader.context.clear_cookies()
    trader.sign_in("ada", PASSWORD)
    home = trader.open_account_by_hand("Pairs")
    page.wait_for_selector("#first-steps h2:has-text('First steps')")
    assert page.locator("#charts").is_hidden()
    trader.order("IBM", "10")
    page.wait_for_selector("#positions td:has-text('IBM')")
    page.wait_for_selector("#fills td:has-text('buy')")
    page.wait_for_selector("#charts[data-fill-count='1']")
    assert int(page.locator("#charts").get_attribute("data-points")) >= 1
    assert page.locator("[data-chart=equity] .scatterlayer .trace").count() == 2  # the line, and the buy

    trader.order("IBM", "5", limit="95")
    page.wait_for_selector("#orders .status-new")
    trader.go(f"{home}orders/")
    page.click("tr:has(.status-new) td[data-column=number] a")
    page.wait_for_selector("text=The market has not reached the limit")
    expect(page.locator(".timeline")).to_contain_text("not_marketable")
    assert page.locator(".timeline svg.scale .limit").count() == 1

    trader.go(f"{home}orders/")
    assert trader.in_sight("#orders button:has-text('Cancel')")
    page.click("button:has-text('Cancel')")
    page.wait_for_selector("#orders .status-canceled")
    assert page.locator("#orders .status-new").count() == 0

    trader.go(f"{home}manage/")
    page.fill("[name=typed_name]", "Pears")
    page.click("button:has-text('Reset Pairs')")
    page.wait_for_selector("text=This is not the account's name.")
    trader.problems.clear()  # the browser reports the refused form (400) by itself
    page.fill("[name=typed_name]", "Pairs")
    page.fill("[name=reason]", "a second try")
    page.click("button:has-text('Reset Pairs')")
    page.wait_for_selector(".tag:has-text('Generation 2')")
    assert trader.figure("equity") == "100000.0000"

    page.click(".tag:has-text('Generation 2')")
    page.click("h3 a:has-text('Generation 1')")
    page.wait_for_selector("text=An earlier generation.")
    assert page.locator("#ticket").count() == 0
    page.wait_for_selector("#fills td:has-text('IBM')")

    trader.go(f"{home}manage/")
    page.check("[name=understood]")
    page.click("button:has-text('Archive Pairs')")
    page.wait_for_selector("text=Show 1 archived")
    page.click("text=Show 1 archived")
    page.wait_for_selector(".card.archived h2:has-text('Pairs')")


def test_values_follow_the_market_without_a_reload(trader: Trader, open_market: MarketKit) -> None:
    """A quote moves the mark; the page shows it by itself, and page, API and books say the same to the last decimal."""
    home = trader.open_account("Live")
    trader.order("IBM", "7")
    trader.page.wait_for_selector("#positions td:has-text('IBM')")
    trader.page.evaluate("window.stillHere = true")
    before = trader.figure("unrealized_pl")
    assert before == "-0.7000"
    open_market.advance("14:01:30")
    account_id = home.split("/")[2]
    api = Api(TokenFactory(user=Book.objects.get(account_id=account_id).account.user))
    trader.page.wait_for_selector("[data-clock]:has-text('10:01:30')")
    on_wire = api.summary(account_id)
    in_books = summary(book=Book.objects.select_related("generation").get(account_id=account_id))
    for name in (
        "equity",
        "cash",
        "buying_power",
        "market_value",
        "realized_pl",
        "unrealized_pl",
        "drawdown",
        "win_rate",
    ):
        assert trader.figure(name) == on_wire[name], name
        assert Decimal(on_wire[name]) == getattr(in_books, name), name
    assert trader.page.evaluate("window.stillHere") is True
    assert verify_ledger(book=Book.objects.get(account_id=account_id)).ok


def test_the_ticket_warns_and_puts_errors_at_their_field(trader: Trader) -> None:
    page = trader.page
    trader.open_account("Warned")
    page.fill("#ticket-symbol", "IBM")
    page.keyboard.press("Tab")
    page.wait_for_selector("[data-quote=ask]:has-text('100.10')")
    page.fill("#ticket-qty", "400")
    page.wait_for_selector("#warnings li:has-text('Only 300 of 400 are on display')")
    expect(page.locator("[data-estimate=estimated_cost]")).to_have_text("40,040.00")
    page.fill("#ticket-qty", "5000")
    page.wait_for_selector("#warnings li:has-text('It would be rejected.')")
    trader.problems.clear()
    page.fill("#ticket-qty", "-1")
    page.wait_for_selector("#ticket-qty-error:not(:empty)")
    assert page.locator("#ticket-qty").get_attribute("aria-invalid") == "true"
    trader.problems.clear()  # the refused preview (400) is in the console by itself
    assert Order.objects.count() == 0


def test_an_option_is_picked_from_the_chain(trader: Trader) -> None:
    page = trader.page
    trader.open_account("Options")
    page.fill("#ticket-symbol", "IBM")
    page.keyboard.press("Tab")
    page.click("#open-chain")
    page.click("#chain button:has-text('Choose')")
    page.wait_for_selector("#ticket-symbol-words:has-text('IBM Oct 19 2013 100 call')")
    page.wait_for_selector("[data-quote=ask]:has-text('4.20')")
    page.click("#send-order")
    page.wait_for_selector("#positions td:has-text('100 call')")


def test_the_chain_works_with_the_keyboard(trader: Trader) -> None:
    """Escape leaves it without a choice, Tab walks to a strike and Enter takes it."""
    page = trader.page
    trader.open_account("Chain keys")
    page.fill("#ticket-symbol", "IBM")
    page.keyboard.press("Tab")
    page.wait_for_selector("#open-chain:enabled")
    page.focus("#open-chain")
    page.keyboard.press("Enter")
    page.wait_for_selector("#chain button:has-text('Choose')")
    page.keyboard.press("Escape")
    page.wait_for_selector("#chain", state="hidden")
    assert page.input_value("#ticket-symbol") == "IBM"
    page.keyboard.press("Enter")
    page.wait_for_selector("#chain button:has-text('Choose')")
    assert trader.in_sight("#chain button:has-text('Choose')")
    focused = "document.activeElement.textContent.trim()"
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate(focused) == "Choose":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("#ticket-symbol-words:has-text('IBM Oct 19 2013 100 call')")


def send_and_lose_the_answer(page: Any) -> None:
    """Buy IBM with the ticket; the server takes the order and its answer does not arrive."""
    page.fill("#ticket-symbol", "IBM")
    page.keyboard.press("Tab")
    lost: list[str] = []

    def lose(route: Any) -> None:
        if not lost and route.request.method == "POST" and route.request.url.endswith("/orders/"):
            lost.append(route.request.post_data)
            route.fetch()
            route.abort()
        else:
            route.continue_()

    page.route("**/orders/**", lose)
    page.click("#send-order")
    page.wait_for_selector("#ticket-error:has-text('sending it again is safe')")
    page.unroute("**/orders/**")


def test_the_same_form_sent_twice_is_one_order(trader: Trader) -> None:
    """The first answer is lost; the second submit carries the same id."""
    page = trader.page
    trader.open_account("Twice")
    send_and_lose_the_answer(page)
    page.click("#send-order")
    page.wait_for_selector("#ticket-done:has-text('filled')")
    assert Order.objects.count() == 1
    trader.problems.clear()  # the lost answer


def test_another_form_after_a_lost_answer_tells_of_the_first_order(trader: Trader) -> None:
    """What was sent first is shown, what the form says now is not sent until it is sent again."""
    page = trader.page
    trader.open_account("Changed")
    send_and_lose_the_answer(page)
    page.fill("#ticket [name=qty]", "7")
    page.click("#send-order")
    page.wait_for_selector("#ticket-error:has-text('earlier order was taken')")
    page.wait_for_selector("#ticket-done:has-text('filled')")
    assert Order.objects.count() == 1
    page.click("#new-order")
    page.click("#send-order")
    page.wait_for_selector("#ticket-done:has-text('Buy 7 IBM')")
    assert sorted(int(order.qty) for order in Order.objects.all())[-1:] == [7] and Order.objects.count() == 2
    trader.problems.clear()  # the lost answer and the refusal


def test_a_lost_connection_shows_and_heals(trader: Trader) -> None:
    """Cut off half way, an order is not lost in silence, and the page goes on by itself once the server is back."""
    page = trader.page
    page.clock.install()
    trader.open_account("Cut off")
    page.fill("#ticket-symbol", "IBM")
    page.keyboard.press("Tab")
    trader.context.set_offline(True)
    page.clock.fast_forward(3_000)
    page.wait_for_selector("#offline:has-text('Connection lost')")
    page.click("#send-order")
    page.wait_for_selector("#ticket-error:has-text('sending it again is safe')")
    trader.context.set_offline(False)
    page.clock.fast_forward(10_000)
    page.wait_for_selector("#offline", state="hidden")
    page.click("#send-order")
    page.wait_for_selector("#ticket-done:has-text('filled')")
    assert Order.objects.count() == 1
    trader.problems.clear()  # what was asked meanwhile


def test_an_idle_tab_asks_seldom_and_a_hidden_one_nothing(wide: Trader, open_market: MarketKit) -> None:
    """With all that a page asks for by itself: its HTML, the ticket's quote, the watchlist's, and an open chain.

    While the market is closed quotes are asked for seldom too, but for one that has not come yet.
    """
    page = wide.page
    page.clock.install()
    wide.open_account("Hidden")
    page.fill("#watch-symbol", "IBM")
    page.keyboard.press("Tab")
    page.wait_for_selector("#watched [data-symbol=IBM] .ask:has-text('100.10')")
    page.fill("#ticket-symbol", "IBM")
    page.keyboard.press("Tab")
    page.click("#open-chain")
    page.wait_for_selector("#chain button:has-text('Choose')")
    asked: Counter[str] = Counter()
    unanswered: set[Any] = set()
    page.on("request", lambda request: (asked.update([request.url]), unanswered.add(request)))
    page.on("requestfinished", lambda request: unanswered.discard(request))
    page.on("requestfailed", lambda request: unanswered.discard(request))

    def pass_by(seconds: int) -> Counter[str]:
        asked.clear()
        for _ in range(seconds):  # step by step, so that what is asked is answered, and can be asked again
            page.clock.run_for(1_000)
            page.wait_for_timeout(20)
            while unanswered:
                page.wait_for_timeout(10)
            page.evaluate("0")  # what was answered has been read
        return Counter(asked)

    wide.stand_still()
    pass_by(3)
    kinds = pass_by(6)
    assert len(kinds) == 3 and sum(kinds.values()) >= 4, kinds
    page.clock.fast_forward(120_000)
    pass_by(6)
    idle = pass_by(40)
    assert len(idle) == 3 and max(idle.values()) <= 6, idle  # ticket and watchlist ask for the same
    page.keyboard.press("Escape")  # leaves the chain, and is a touch
    open_market.advance("20:00:00")
    for _ in range(30):
        if not page.locator("#market .dot.closed").count():
            pass_by(1)
    page.wait_for_selector("#market .dot.closed")
    page.fill("#ticket-symbol", "ZZZ")
    page.keyboard.press("Tab")
    expect(page.locator("[data-quote=ask]")).to_have_text("–")
    closed = {url.rpartition("=")[2]: times for url, times in pass_by(10).items() if "quotes" in url}
    assert closed.get("IBM", 0) <= 1 < closed["ZZZ"], closed
    page.evaluate(
        "Object.defineProperty(document, 'hidden', {value: true}); document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.wait_for_timeout(300)
    assert pass_by(60) == {}
    wide.context.grant_permissions(["notifications"])
    page.evaluate(
        "localStorage.setItem('papertrade-notify', 'yes'); document.dispatchEvent(new Event('visibilitychange'))"
    )
    (news,) = pass_by(45).items()
    assert news[0].endswith("/events/?after_seq=1") and news[1] == 2


def test_every_page_fits_and_is_accessible(trader: Trader) -> None:
    """Nothing is wider than the window, and axe finds nothing serious: the wide window in light, the narrow in dark."""
    home = trader.open_account("Pages")
    trader.order("IBM", "3")
    trader.order("IBM", "3", limit="90")
    order = Order.objects.first()
    wide = trader.page.viewport_size["width"] == WIDE[0]
    trader.context.add_cookies([{"name": "theme", "value": "light" if wide else "dark", "url": trader.page.url}])
    tabs = [home + tab for tab in PAGES]
    for path in ["/", "/keys/", "/password/", "/accounts/new/", f"{home}orders/{order.pk}/", *tabs]:
        trader.go(path)
        trader.page.wait_for_selector("#charts[data-points]" if path == home else "html.scripted")
        assert trader.accessibility_problems() == [], path
        assert trader.overflow() <= 0, path
        assert trader.layout_shift() < 0.02, path
    main, menu = (trader.page.locator(part).bounding_box() for part in ("main", ".menu"))
    assert menu["x"] + menu["width"] <= main["x"] + main["width"] - (24 if wide else 14), (
        "the header keeps the page's edge"
    )


def test_the_keyboard_is_enough(trader: Trader, open_market: MarketKit) -> None:
    """From the symbol to the sent order without a mouse; the combobox takes the first match with an arrow."""
    page = trader.page
    trader.open_account("Keys")
    page.focus("#ticket-symbol")
    page.keyboard.insert_text("ib")  # at once: what is found for the first letter would move the list
    page.wait_for_selector("#ticket-found li:has-text('IBM')")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#ticket-symbol")).to_have_value("IBM")
    page.focus("#ticket-qty")
    page.keyboard.press("Control+A")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    page.wait_for_selector("#ticket-done:has-text('filled at 100.10')")


def test_a_key_works_as_pasted(narrow: Trader, user: Any) -> None:
    """It is shown once, works, and is refused once it is revoked. It can be copied where the page has no clipboard."""
    page = narrow.page
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    narrow.go("/keys/")
    page.fill("[name=name]", "bot")
    page.click("button:has-text('Create the key')")
    token = page.locator("#token").inner_text()
    assert Api(token).get("/v1/paper/accounts/").status_code == 200
    page.click("[data-copy='#token']")
    expect(page.locator("[data-copy='#token']")).not_to_have_text("Copy")
    assert page.evaluate("getSelection().toString()") == token
    expect(page.locator("#curl")).to_contain_text(f'-H "Authorization: Bearer {token}"')
    narrow.go("/keys/")
    assert page.locator(f"text={token}").count() == 0
    page.click("button:has-text('Revoke')")
    page.click("#confirm-yes")
    page.wait_for_selector("text=Requests with it are refused from now on.")
    assert Api(token).get("/v1/paper/accounts/").status_code == 401


def test_tables_sort_filter_and_export(trader: Trader, user: Any) -> None:
    page = trader.page
    home = trader.open_account("Sorted")
    for qty in ("3", "9", "5"):
        trader.order("IBM", qty)
    trader.go(f"{home}orders/")
    if page.viewport_size["width"] == WIDE[0]:
        page.click("th a:has-text('Quantity')")
        page.wait_for_selector("th[aria-sort=descending]:has-text('Quantity')")
    else:  # rows are cards there, and have no heads to press
        page.select_option("#sort", "-qty")
        page.wait_for_selector("th[aria-sort=descending]:has-text('Quantity')", state="attached")
    expect(page.locator("td[data-column=qty]")).to_have_text(["9", "5", "3"])
    page.fill("#search", "NOPE")
    page.wait_for_selector("text=Nothing matches.")
    page.fill("#search", "ibm")
    page.wait_for_selector("td:has-text('IBM')")
    lines = trader.exported()
    assert [line.split(",")[3] for line in lines[1:]] == ["9.000000", "5.000000", "3.000000"]


def test_fills_show_the_quote_behind_them(trader: Trader) -> None:
    """On the page with its sizes; in the CSV each in a column of its own."""
    page = trader.page
    home = trader.open_account("Quoted")
    trader.order("IBM", "3")
    trader.go(f"{home}fills/")
    expect(page.locator("td[data-column=ask]")).to_have_text("100.10 × 300")
    heads, row = (line.split(",") for line in trader.exported())
    wanted = {"bid": "100.000000", "ask": "100.100000", "bid_size": "500.000000", "ask_size": "300.000000"}
    assert wanted.items() <= dict(zip(heads, row, strict=True)).items()


def test_sign_in_says_what_is_wrong(browser: Any, server: LiveServer, user: Any) -> None:
    trader = Trader(browser, server.url, NARROW)
    trader.go("/login/")
    trader.page.fill("[name=username]", "ada")
    trader.page.fill("[name=password]", "wrong")
    trader.page.click("main button[type=submit]")
    trader.page.wait_for_selector("[role=alert]:has-text('correct username and password')")
    assert trader.accessibility_problems() == []
    trader.context.close()


@pytest.mark.parametrize("path", ["/docs/", "/admin/login/"])
def test_other_pages_live_with_the_policy(browser: Any, server: LiveServer, user: Any, path: str) -> None:
    """Swagger UI and Django's admin work under the same content security policy."""
    trader = Trader(browser, server.url, WIDE)
    trader.go(path)
    trader.page.wait_for_selector(".swagger-ui .opblock" if path == "/docs/" else "#login-form")
    trader.context.close()
    assert trader.problems == []
