"""A real browser on a live server: Debian's chromium through playwright, with every console error remembered."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip
WIDE, NARROW = (1440, 900), (390, 844)
TIMEOUT_MS = 30_000  # of a loaded machine
# What axe calls these hurts somebody; the rest is advice.
SERIOUS = {"serious", "critical"}

needs_chromium = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium, as .ci/run does"
)


@contextmanager
def chromium() -> Iterator[Any]:
    """A running browser. Playwright keeps an event loop in this thread, and Django must still read the database."""
    from playwright.sync_api import sync_playwright

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class Trader:
    """Somebody at a browser window."""

    def __init__(self, browser: Any, base: str, size: tuple[int, int]) -> None:
        self.context = browser.new_context(
            viewport={"width": size[0], "height": size[1]}, timezone_id="Europe/Berlin", reduced_motion="reduce"
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        self.base = base
        self.problems: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.problems.append(message.text)

    def go(self, path: str) -> None:
        self.page.goto(self.base + path)

    def sign_in(self, username: str, password: str) -> None:
        """From the sign-in page to the accounts."""
        self.go("/login/")
        self.page.fill("[name=username]", username)
        self.page.fill("[name=password]", password)
        self.page.click("main button[type=submit]")
        self.page.wait_for_selector("h1:has-text('Accounts')")

    def open_account(self, name: str) -> str:
        """The address of a new account, on which the browser is then."""
        self.page.click("a:has-text('New account')")
        self.page.fill("[name=name]", name)
        self.page.click("button:has-text('Open the account')")
        self.page.wait_for_selector(f"h1:has-text('{name}')")
        self.page.wait_for_selector("#ticket[data-ready]")
        return self.page.url.removeprefix(self.base)

    def order(self, symbol: str, qty: str, *, side: str = "buy", limit: str | None = None) -> None:
        """Fill in the ticket and send it; waits for the answer."""
        page = self.page
        page.wait_for_selector("#ticket[data-ready]")
        page.locator(f".segments label:has(input[value={side}])").click()
        page.fill("#ticket-symbol", symbol)
        page.keyboard.press("Tab")
        page.fill("#ticket-qty", qty)
        page.locator(f".segments label:has(input[value={'limit' if limit else 'market'}])").click()
        if limit:
            page.fill("#ticket-limit", limit)
        page.click("#send-order")
        page.wait_for_selector(f"#ticket-done:has-text('{symbol}')")

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
