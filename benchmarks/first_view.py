"""`python -m benchmarks.first_view`: an account page in a real browser, on a whole server that it starts (or `--var` of one).

Bytes over the wire and seconds until the charts are drawn, with an empty cache and with a warm one; then bytes of an open
tab in a minute. Bars: 600 KB, 1.5 s, 60 KB a minute where nothing of the account changes. Ends with status 1 above one.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, say

CHROMIUM = "/usr/bin/chromium"
PROJECT = Path(__file__).resolve().parents[1]
REPEATS = 5
MINUTE_SECONDS = 60
START_SECONDS = 240
WATCHED = ("AAPL", "MSFT", "NVDA", "SPY", "TSLA")
FIRST_VIEW_KB, DRAWN_SECONDS, MINUTE_KB = 600, 1.5, 60
# The instant at which the charts were drawn, as the page saw it itself.
CLOCK = """new MutationObserver((_, watch) => {
  if (!document.querySelector("#charts[data-points]")) return;
  window.drawnAt = performance.now();
  watch.disconnect();
}).observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["data-points"] });"""


@contextmanager
def demo_server() -> Iterator[Path]:
    """A server with accounts that have traded for weeks; its var folder."""
    folder = Path(tempfile.mkdtemp(prefix="papertrade-bench-"))
    folder.chmod(0o755)
    say("a server with demonstration accounts")
    log = folder / "log"
    with log.open("w") as output:
        environment = {**os.environ, "PAPERTRADE_VAR": str(folder / "var"), "PAPERTRADE_PORT": "45990"}
        server = subprocess.Popen(
            [sys.executable, "bin/papertrade", "demo"], cwd=PROJECT, env=environment, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while "credentials  " not in log.read_text():
            if time.monotonic() > deadline or server.poll() is not None:
                raise RuntimeError(f"the server did not start:\n{log.read_text()[-2000:]}")
            time.sleep(1)
        yield folder / "var"
    finally:
        server.terminate()
        server.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


class Tab:
    """A page, and how many bytes came for it over the wire."""

    def __init__(self, context: Any) -> None:
        self.page = context.new_page()
        self.page.add_init_script(CLOCK)
        self.received = 0
        network = context.new_cdp_session(self.page)
        network.send("Network.enable")
        network.on("Network.loadingFinished", self._finished)

    def _finished(self, event: dict[str, Any]) -> None:
        self.received += int(event["encodedDataLength"])

    def view(self, address: str) -> tuple[float, float]:
        """KB and seconds of one view of an account page."""
        self.received = 0
        self.page.goto(address)
        self.page.wait_for_selector("#charts[data-points]")
        seconds = self.page.evaluate("window.drawnAt") / 1000
        self.page.wait_for_timeout(1_000)  # what comes after the charts counts too
        return self.received / 1000, seconds

    def minute(self) -> float:
        """KB of an open tab in a minute, as an active one asks."""
        self.received = 0
        self.page.wait_for_timeout(MINUTE_SECONDS * 1_000)
        return self.received / 1000


def sign_in(browser: Any, known: dict[str, str]) -> Any:
    """The cookies of a session."""
    context = browser.new_context(base_url=known["origin"])
    page = context.new_page()
    page.goto("/login/")
    page.fill("[name=username]", known["dashboard_user"])
    page.fill("[name=password]", known["dashboard_password"])
    page.click("main button[type=submit]")
    page.wait_for_selector("h1:has-text('Accounts')")
    return context.storage_state()


def quiet_account(context: Any, known: dict[str, str]) -> str:
    """The page of a new account that holds nothing, with a watchlist; a symbol is in its ticket."""
    headers = {"Authorization": f"Bearer {known['paper_key']}"}
    accounts = f"{known['base_url']}/paper/accounts/"
    opened = context.request.post(accounts, headers=headers, data={"name": "Quiet"}).json()["account"]["id"]
    lists = f"{accounts}{opened}/watchlists/"
    context.request.post(lists, headers=headers, data={"name": "Watchlist", "symbols": list(WATCHED)})
    return f"/accounts/{opened}/?symbol={WATCHED[0]}"


def measure(known: dict[str, str]) -> list[Figure]:
    """Everything, in one browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        session = sign_in(browser, known)

        def fresh() -> Any:
            return browser.new_context(
                base_url=known["origin"], storage_state=session, viewport={"width": 1440, "height": 900}
            )

        page = fresh().new_page()
        page.goto("/")
        home = page.locator(".card h2 a").first.get_attribute("href")
        say("first views")
        first = [Tab(fresh()).view(home) for _ in range(REPEATS)]
        kept = Tab(fresh())
        again = [kept.view(home) for _ in range(REPEATS + 1)][1:]
        say("a minute of a tab whose position moves with the market")
        busy = kept.minute()
        say("a minute of a tab in which nothing changes but the quotes")
        context = fresh()
        tab = Tab(context)
        tab.page.goto(quiet_account(context, known))
        tab.page.wait_for_selector("#watchlist[data-ready]")
        tab.page.wait_for_timeout(2_000)
        quiet = tab.minute()
        browser.close()
    kb, drawn = (statistics.median(column) for column in zip(*first, strict=True))
    warm_kb, warm = (statistics.median(column) for column in zip(*again, strict=True))
    return [
        Figure("V1", "first view of an account page", f"{kb:.0f} KB", f"< {FIRST_VIEW_KB} KB", kb < FIRST_VIEW_KB),
        Figure("V2", "its charts drawn, cold", f"{drawn:.2f} s", f"<= {DRAWN_SECONDS} s", drawn <= DRAWN_SECONDS),
        Figure("V3", "the next view, warm", f"{warm_kb:.0f} KB, {warm:.2f} s", "", True),
        Figure("V4", "a quiet tab, a minute", f"{quiet:.0f} KB", f"< {MINUTE_KB} KB", quiet < MINUTE_KB),
        Figure("V5", "a tab with a position, a minute", f"{busy:.0f} KB", "", True),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--var", type=Path, help="of a running server with accounts that traded; else one is started")
    options = parser.parse_args()

    def run(var: Path) -> list[Figure]:
        return measure(json.loads((var / "credentials.json").read_text()))

    print(f"load {os.getloadavg()[0]:.2f}, {os.cpu_count()} cores")
    if options.var:
        found = run(options.var)
    else:
        with demo_server() as var:
            found = run(var)
    for row in found:
        print(f"{row.name}  {row.what:<34} {row.figure:>16}  {row.bar}{'' if row.ok else '  ABOVE'}", flush=True)
    return 0 if all(row.ok for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
