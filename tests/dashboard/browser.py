"""A trader in front of the dashboard, in a real browser."""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from papertrade.trading.accounts import open_account
from tests.browser import Window

PASSWORD = "correct-horse-9"
# What axe calls these hurts somebody; the rest is advice.
SERIOUS = {"serious", "critical"}


class Trader(Window):
    """Somebody who trades at a browser window."""

    def go(self, path: str) -> None:
        self.page.goto(path)

    def enter(self, user: Any) -> None:
        """Be signed in, without the page for it; then at the accounts."""
        session = SessionStore()
        session[SESSION_KEY], session[BACKEND_SESSION_KEY] = str(user.pk), settings.AUTHENTICATION_BACKENDS[0]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.save()
        cookie = {"name": settings.SESSION_COOKIE_NAME, "value": session.session_key, "url": self.base}
        self.context.add_cookies([cookie])
        self.user = user

    def sign_in(self, username: str, password: str) -> None:
        """From the sign-in page to the accounts."""
        self.go("/login/")
        self.page.fill("[name=username]", username)
        self.page.fill("[name=password]", password)
        self.page.click("main button[type=submit]")
        self.page.wait_for_selector("h1:has-text('Accounts')")

    def open_account(self, name: str) -> str:
        """The address of a new account, on which the browser is then, ready to trade."""
        self.account = open_account(user=self.user, name=name, initial_cash="100000")
        home = f"/accounts/{self.account.pk}/"
        self.go(home)
        self.open_ticket()
        return home

    def open_ticket(self) -> None:
        """The ticket at hand: on a narrow window it is a sheet."""
        self.page.wait_for_selector("#ticket[data-ready]", state="attached")
        bar = self.page.locator(".trade-bar [data-trade=buy]")
        if bar.is_visible() and not self.page.locator("#sheet[open]").count():
            bar.click()

    def close_ticket(self) -> None:
        """The page itself at hand again."""
        if self.page.locator("#sheet[open]").count():
            self.page.click("#close-sheet")

    def open_account_by_hand(self, name: str) -> str:
        """The same by the pages for it."""
        self.go("/")
        self.page.click("a:has-text('New account')")
        self.page.fill("[name=name]", name)
        self.page.click("button:has-text('Open the account')")
        self.page.wait_for_selector(f"h1:has-text('{name}')")
        self.page.wait_for_selector("#ticket[data-ready]", state="attached")
        return urlsplit(self.page.url).path

    def order(self, symbol: str, qty: str, *, side: str = "buy", limit: str | None = None) -> None:
        """Fill in the ticket and send it; waits for the answer."""
        page = self.page
        self.open_ticket()
        page.locator(f"#ticket .segments label:has(input[value={side}])").click()
        page.fill("#ticket-symbol", symbol)
        page.keyboard.press("Tab")
        page.fill("#ticket-qty", qty)
        page.locator(f".segments label:has(input[value={'limit' if limit else 'market'}])").click()
        if limit:
            page.fill("#ticket-limit", limit)
        page.click("#send-order")
        page.wait_for_selector(f"#ticket-done:has-text('{qty} {symbol}:')")
        self.close_ticket()

    def exported(self) -> list[str]:
        """The lines of the CSV file of the table in sight, the heads first."""
        with self.page.expect_download() as download:
            self.page.click("text=Export CSV")
        return download.value.path().read_text().splitlines()

    def figure(self, name: str) -> str:
        """The exact value of a figure on the page."""
        return self.page.locator(f"[data-figure={name}] data").first.get_attribute("value")

    def accessibility_problems(self) -> list[str]:
        """What axe finds on the page that is serious."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [
            f"{rule['id']}: {node['html'][:160]}"
            for rule in found
            if rule["impact"] in SERIOUS
            for node in rule["nodes"]
        ]

    def overflow(self) -> int:
        """By how many pixels the page is wider than the window."""
        return self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")

    def layout_shift(self) -> float:
        """How much the page has moved by itself since it was opened: 0 is not at all, browsers call up to 0.1 good."""
        return self.page.evaluate(
            """() => new Promise((found) => {
                 new PerformanceObserver((list) => found(list.getEntries().reduce((sum, { value }) => sum + value, 0)))
                   .observe({ type: "layout-shift", buffered: true });
                 setTimeout(() => found(0), 200);
               })"""
        )

    def in_sight(self, selector: str) -> bool:
        """Whether a press in the middle of the element reaches it: neither scrolled away, cut off nor covered."""
        return self.page.locator(selector).first.evaluate(
            """(element) => {
                 element.scrollIntoView({ block: "center", inline: "nearest" });
                 for (let box = element.parentElement; box; box = box.parentElement) box.scrollLeft = 0;
                 const { x, y, width, height } = element.getBoundingClientRect();
                 return element.contains(document.elementFromPoint(x + width / 2, y + height / 2));
               }"""
        )

    def whole(self, selector: str) -> bool:
        """Whether all of the element is within the window, and nothing lies over it, without scrolling sideways."""
        return self.page.locator(selector).first.evaluate(
            """(element) => {
                 element.scrollIntoView({ block: "center", inline: "nearest" });
                 for (let box = element.parentElement; box; box = box.parentElement) box.scrollLeft = 0;
                 const { left, right, top, height } = element.getBoundingClientRect();
                 const seen = (x) => element.contains(document.elementFromPoint(x, top + height / 2));
                 return left >= 0 && right <= window.innerWidth && seen(left + 2) && seen(right - 2);
               }"""
        )
