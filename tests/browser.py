"""A real browser on a live server: Debian's chromium through playwright, with every console error remembered."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
WIDE, NARROW = (1440, 900), (390, 844)
TIMEOUT_MS = 60_000  # of a loaded machine

needs_chromium = pytest.mark.skipif(
    not CHROMIUM.exists(), reason=f"no browser at {CHROMIUM}: apt-get install chromium, as .ci/run does"
)


@contextmanager
def chromium() -> Iterator[Any]:
    """A running browser. Playwright keeps an event loop in this thread, and Django must still read the database."""
    from django.db import connections
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=TIMEOUT_MS)
    beside_another = "DJANGO_ALLOW_ASYNC_UNSAFE" in os.environ
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()
        connections.close_all()  # Django keeps connections by event loop too: those of this one are out of sight after it
    if not beside_another:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class Window:
    """A browser window of somebody; `problems` is what its console has complained of."""

    def __init__(self, browser: Any, base: str, size: tuple[int, int]) -> None:
        self.base = base
        self.context = browser.new_context(
            base_url=base,
            viewport={"width": size[0], "height": size[1]},
            timezone_id="Europe/Berlin",
            reduced_motion="reduce",
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(TIMEOUT_MS)
        self.problems: list[str] = []
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))

    def stand_still(self) -> None:
        """From here on time passes for the page only as it is told (`page.clock.run_for`), however long anything takes."""
        self.page.clock.pause_at(self.page.evaluate("Date.now()") / 1_000 + 60)

    def _heard(self, message: Any) -> None:
        if message.type == "error":
            self.problems.append(message.text)
