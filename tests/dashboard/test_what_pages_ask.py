"""When a page is sent again, what a typed number is, and which ticker a text means: without a browser."""

import re
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from playwright._impl._driver import compute_driver_executable

from accounts.models import ApiKey
from marketdata.listing import meant_by, search
from orders.models import Order
from papertrade.dashboard.forms import MoneyField
from papertrade.dashboard.live import state_of
from papertrade.dashboard.tables import page_number
from tests.desk import Desk
from tests.factories import TokenFactory, UserFactory
from tests.market_kit import MarketKit

# (the page, what changes of what it shows without any event or figure of the account)
STALE: list[tuple[str, Callable[[Desk, MarketKit], Any]]] = [
    ("activity/", lambda desk, market: ApiKey.objects.update(last_used_at=datetime.now(UTC))),
    ("orders/", lambda desk, market: Order.objects.update(tags=["v2"])),
    ("orders/ORDER/", lambda desk, market: Order.objects.update(note="why not")),
    ("orders/ORDER/", lambda desk, market: market.advance("14:00:10")),
    ("/symbols/IBM/", lambda desk, market: market.advance("14:00:10")),
    ("positions/", lambda desk, market: market.advance("14:01:00")),
    ("", lambda desk, market: market.advance("14:01:00")),
    ("generations/", lambda desk, market: desk.account.generations.update(note="too fast")),
]


@pytest.fixture
def desk(open_market: MarketKit) -> Desk:
    return Desk(UserFactory())


@pytest.mark.parametrize(("page", "change"), STALE, ids=[f"{page}-{n}" for n, (page, _) in enumerate(STALE)])
def test_a_page_is_sent_again_when_what_it_shows_changed(
    page: str,
    change: Callable[[Desk, MarketKit], Any],
    desk: Desk,
    open_market: MarketKit,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "papertrade.dashboard.live.market_bar", lambda: None
    )  # which shows the time, that stands still here
    TokenFactory(user=desk.account.user)
    desk.buy("3")
    waits = desk.buy("3", limit="90")
    client.force_login(desk.account.user)
    address = page if page.startswith("/") else f"/accounts/{desk.account.pk}/{page.replace('ORDER', str(waits.pk))}"

    def ask(version: str) -> Any:
        return client.get(address, headers={"If-None-Match": version})

    first = re.search(r'name="version" content="(\w+)"', ask("").content.decode())
    assert first is not None
    assert ask(first[1]).status_code == 304
    change(desk, open_market)
    assert ask(first[1]).status_code == 200


def test_a_page_says_what_it_shows() -> None:
    """A type that nobody has thought of is not shown and forgotten."""
    with pytest.raises(TypeError, match="does not know its state"):
        state_of(object())


# (what somebody types, what it is taken for): what is no number for certain is left to the server to refuse.
TYPED = {
    "1000": "1000",
    "1,000": "1000",
    "$1,000.50": "1000.50",
    " $ 12,345,678 ": "12345678",
    "1,5": "1,5",
    "1,50": "1,50",
    "1.500,000": "1.500,000",
    "0.123,456": "0.123,456",
    "12,34,567": "12,34,567",
    "1000,000": "1000,000",
    "-1,000": "-1,000",
    "1,000,00": "1,000,00",
    "": "",
}


@pytest.mark.parametrize("typed", TYPED)
def test_a_typed_number_in_forms(typed: str) -> None:
    assert MoneyField(required=False).clean(typed) == TYPED[typed]


def test_a_typed_number_in_scripts() -> None:
    """The same rule, and every field of the pages for a number is read by it."""
    node, _ = compute_driver_executable()
    script = Path("static/dashboard/numbers.js").read_text().replace("export ", "")
    say = f"{script}; for (const text of {list(TYPED)!r}) console.log(plainNumber(text))"
    said = subprocess.run([node, "-e", say], capture_output=True, text=True, check=True).stdout
    assert said.split("\n")[:-1] == list(TYPED.values())
    pages = "".join(path.read_text() for path in Path("templates/dashboard").rglob("*.html"))
    fields = set(re.findall(r'name="(\w+)" inputmode="decimal"', pages))
    scripts = "".join(path.read_text() for path in Path("static/dashboard").glob("*.js"))
    assert fields == {"qty", "limit_price"}
    for read in ('number("qty")', 'number("limit_price")', "plainNumber(qty.value)", "plainNumber(limit.value)"):
        assert read in scripts


@pytest.mark.parametrize(
    ("typed", "page"),
    [("", 1), ("0", 1), ("3", 3), ("-1", 1), ("x", 1), ("\N{SUPERSCRIPT TWO}", 1), ("9" * 5_000, 999_999_999)],
    ids=["none", "zero", "three", "negative", "a letter", "no digit of ours", "thousands of digits"],
)
def test_which_page_a_query_names(typed: str, page: int) -> None:
    assert page_number(typed) == page


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("ibm", "IBM"),
        ("apple", "AAPL"),  # a word of a company's name
        ("app", "APP"),  # only the beginning of one, and a ticker
        ("net", "NET"),
        ("o'reil", ""),
        ("bank of", "BAC"),
        ("", ""),
    ],
)
def test_what_a_text_means(
    typed: str, meant: str, desk: Desk, open_market: MarketKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a market that may have tickers which its list does not know."""
    stocks = ["AAPL", "BAC", "IBM", "NFLX"]
    monkeypatch.setattr("marketdata.markets.base.Market.stocks", lambda market: stocks)
    assert meant_by(typed, search(typed)) == meant
