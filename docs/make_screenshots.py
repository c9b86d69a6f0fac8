"""Screenshots of every page of a running server, light and dark, at 1440 and 390 pixels.

    make demo                                            # in one terminal
    .venv/bin/python docs/make_screenshots.py var-demo var-demo/pictures
    .venv/bin/python docs/make_screenshots.py --readme var-demo docs/images

The first argument is the server's var folder (its credentials.json says where it is and who may sign in), the second
where the pictures go. `--readme` takes only the few that README and docs/dashboard.md show. Needs Debian's chromium.
"""

import argparse
import json
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WIDTHS = {1440: 900, 390: 844}
THEMES = ("light", "dark")
README = {
    ("accounts", "dark", 1440),
    ("overview", "light", 1440),
    ("performance", "light", 1440),
    ("compare", "dark", 1440),
    ("order", "light", 1440),
    ("chain", "dark", 1440),
    ("sheet", "dark", 390),
}
SETTLE_MS = 600
TABS = ("performance", "trades", "positions", "orders", "fills", "ledger", "activity", "generations", "manage")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("var", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--readme", action="store_true", help="only the pictures of the README")
    options = parser.parse_args()
    known = json.loads((options.var / "credentials.json").read_text())
    options.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for theme in THEMES:
            for width, height in WIDTHS.items():
                Camera(browser, known, options, theme, width, height).tour()
        browser.close()


class Camera:
    """One signed-in browser window of one size and theme."""

    def __init__(
        self, browser: Browser, known: dict[str, str], options: argparse.Namespace, theme: str, width: int, height: int
    ) -> None:
        parts = urlsplit(known["base_url"])
        self.base = f"{parts.scheme}://{parts.netloc}"
        self.known, self.options = known, options
        self.theme, self.width = theme, width
        self.suffix = theme if options.readme else f"{theme}-{width}"
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, timezone_id="America/New_York"
        )
        self.page: Page = context.new_page()

    def tour(self) -> None:
        """Every page, in the order in which a trader meets them."""
        page = self.page
        self.shoot("login", "/login/")
        page.fill("[name=username]", self.known["dashboard_user"])
        page.fill("[name=password]", self.known["dashboard_password"])
        page.click("main button[type=submit]")
        page.wait_for_url(f"{self.base}/")
        self.shoot("accounts", "/?show=archived")
        account = self._address_of(".card h2 a")
        self.patient = self._address_of(".card h2 a:has-text('Core holdings')")
        self.shoot("overview", account)
        for tab in TABS:
            self.shoot(tab, f"{account}{tab}/")
        self.shoot("past", f"{account}?generation=1")
        self.shoot("compare", "/compare/?benchmark=SPY")
        self.shoot("symbol", "/symbols/AAPL/")
        self._order_that_waits()
        self._ticket(account)
        for name, path in {"new-account": "/accounts/new/", "keys": "/keys/", "password": "/password/"}.items():
            self.shoot(name, path)
        page.context.close()

    def _address_of(self, selector: str) -> str:
        return self.page.locator(selector).first.get_attribute("href") or ""

    def _order_that_waits(self) -> None:
        """An open limit order, whose page says what the market must do."""
        self.page.goto(f"{self.base}{self.patient}orders/")
        self.shoot("order", self._address_of("td[data-column=number] a"))

    def _ticket(self, account: str) -> None:
        """The ticket filled in, and the option chain."""
        page = self.page
        page.goto(f"{self.base}{account}")
        page.wait_for_selector("#watchlist[data-ready]")
        bar = page.locator(".trade-bar [data-trade=buy]")
        sheet = bar.is_visible()
        if sheet:
            bar.click()
        page.fill("#ticket-symbol", "AAPL")
        page.keyboard.press("Tab")
        page.fill("#ticket-qty", "100")
        page.wait_for_timeout(2 * SETTLE_MS)
        page.locator("#ticket").scroll_into_view_if_needed()
        self._save("sheet" if sheet else "ticket", full_page=False)
        page.click("#open-chain")
        page.wait_for_timeout(2 * SETTLE_MS)
        self._save("chain", full_page=False)

    def shoot(self, name: str, path: str) -> None:
        """Go there, wait until it is drawn, and take the picture."""
        self.page.goto(f"{self.base}{path}")
        if self.page.locator("#charts:not([hidden])").count():
            self.page.wait_for_selector("#charts[data-points]")
        for chart in ("#compared[data-curves]", "#priced[data-points]"):
            if self.page.locator(chart.partition("[")[0]).count():
                self.page.wait_for_selector(chart)
        self.page.wait_for_timeout(SETTLE_MS)
        self._save(name, full_page=not self.options.readme)

    def _save(self, name: str, *, full_page: bool) -> None:
        if not self.options.readme or (name, self.theme, self.width) in README:
            self.page.screenshot(path=self.options.folder / f"{name}-{self.suffix}.png", full_page=full_page)


if __name__ == "__main__":
    main()
