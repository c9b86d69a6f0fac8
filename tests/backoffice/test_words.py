"""How the admin words things: every page of every list that is registered, with one row of each kind and with large numbers.

A new list comes in by being registered. What is looked at is text that stands on the page: no part of a hash, no number
without its thousands apart, no zeros that say nothing, no "1 books", no date in another form.
"""

import re
from collections.abc import Iterator
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import ApiKey, User
from orders.models import Order, Sweep
from papertrade.lib import tracing
from papertrade.lib.admin.history import HistoryAdmin
from papertrade.lib.words import counted, short
from portfolio.models import Audit, LedgerTransaction, Position
from portfolio.services import keep_audit_report
from tests.desk import Desk
from tests.factories import TokenFactory

NAMES = {
    "code",
    "time",
    "option",
    "input",
    "select",
    "script",
    "style",
}  # inside of them nothing is a number to be read
MAIN = "main"

WRONG = {
    "thousands stand together": re.compile(r"(?<![\w.:/#-])[-\N{MINUS SIGN}]?\d{5,}(?:\.\d+)?(?![\w:/*-])"),
    "a decimal of thousands stands together": re.compile(r"(?<![\w.:/#,-])\d{4,}\.\d+"),
    "zeros that say nothing": re.compile(r"\d\.\d*?0{3,}(?!\d)"),
    "one of several": re.compile(r"(?<![\d.,:#/-])1 (?!is |was |has |s |ms )[a-z]+s\b"),
    "a date in another form": re.compile(r"\b[A-Z][a-z]{2,8}\.? \d{1,2}, \d{4}"),
    "a midnight of words": re.compile(r"\b(?:a\.m\.|p\.m\.|midnight|noon)"),
    "a plural that is none": re.compile(r"\b\w+(?:[^aeiou]ys|sss)\b"),
    "a value of the code": re.compile(r"\b(?:None|True|False|Decimal|datetime)\b"),
}


class Text(HTMLParser):
    """The text of a page's main part, piece by piece; `pictures` are its images, `whole` what stands to be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[str] = []
        self.whole: list[str] = []
        self.pictures: list[str] = []
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.pictures.append(str(dict(attrs).get("src")))
        if tag not in {"img", "input", "br", "link", "meta", "hr"}:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            del self._open[len(self._open) - 1 - self._open[::-1].index(tag) :]

    def handle_data(self, data: str) -> None:
        if MAIN in self._open and data.strip():
            if "code" in self._open:
                self.whole.append(data.strip())
            if not NAMES & set(self._open):
                self.pieces.append(" ".join(data.split()))


def read(client: Client, address: str) -> Text:
    response = client.get(address)
    assert response.status_code == 200, address
    text = Text()
    text.feed(response.content.decode())
    return text


DIGITS = "660526322866"  # what is made of chance, or chosen by a client, and happens to look like a number


@pytest.fixture
def everything(desk: Desk, operator: Client) -> Desk:
    """A row of every kind, with numbers of which some are large and some are one; and ids that are digits only.

    The rows' own numbers are large in every test (tests/begin_again.py).
    """
    with tracing.tracing(tracing.Trace(DIGITS)):
        desk.buy("300", client_order_id=DIGITS)
    desk.buy("5000", limit="2.5")
    desk.buy("1", limit="90", client_order_id="mine")
    TokenFactory(user=desk.account.user)
    ApiKey.objects.update(prefix=DIGITS)
    for orders in (1, 40_000):
        sweep = Sweep.objects.create(
            kind="open",
            session_date="2013-10-07",
            round=1 + (orders > 1),
            at=desk.account.created_at,
            quotes=[{"symbol": "IBM"}],
        )
        sweep.chunks.create(number=0, first_book_id=1, last_book_id=2, orders=orders, done_at=timezone.now())
    for books in (1, 51_300):
        keep_audit_report(scope="", by="a test", started_at=timezone.now(), books=books, differences=[])
    Audit.objects.create(by="a test", extent="full")
    with connection.cursor() as cursor:  # what no desk of a test is worth
        cursor.execute("UPDATE portfolio_position SET trade_pl = 1234567.5, mark_price = 12345.678")
    operator.post(
        reverse("admin:orders_order_changelist"),
        {"action": "cancel", "_selected_action": str(Order.objects.get(client_order_id="mine").pk), "reason": "asked"},
    )
    desk.reset(initial_cash="12345678.5")
    desk.buy("200")
    return desk


def addresses() -> Iterator[tuple[str, str]]:
    """The list and the page of the first and of the last row of every registered model."""
    for model, page in admin.site._registry.items():
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        yield str(model._meta.label), reverse(f"{name}_changelist")
        rows = page.model._default_manager.order_by("pk")
        for row in {row.pk: row for row in (rows.first(), rows.last()) if row is not None}.values():
            yield str(model._meta.label), reverse(f"{name}_change", args=[row.pk])


def test_every_page_words_things_alike(everything: Desk, superuser: Client, auditor: Client) -> None:
    shown = list(addresses())
    filled = {label for label, address in shown if address.endswith("/change/")}
    assert filled == {model._meta.label for model in admin.site._registry}, "a list without a row here is not looked at"
    found = []
    for client in (superuser, auditor):
        for label, address in shown:
            if client is auditor and label != User._meta.label:  # history looks the same to everybody
                continue
            text = read(client, address)
            for piece in text.pieces:
                found += [
                    f"{label} {address}: {why}: {piece[:200]}" for why, wrong in WRONG.items() if wrong.search(piece)
                ]
            if isinstance(admin.site._registry[_model(label)], HistoryAdmin):
                found += [f"{label} {address}: a picture for a word: {one}" for one in text.pictures if "icon-" in one]
                found += [f"{label} {address}: two words for nothing" for piece in text.pieces if piece == "-"]
    assert not found, "\n".join(dict.fromkeys(found))


def _model(label: str) -> Any:
    return next(model for model in admin.site._registry if model._meta.label == label)


def test_hashes_and_ids_are_whole_to_be_copied(everything: Desk, auditor: Client) -> None:
    row = LedgerTransaction.objects.filter(quote__isnull=False).first()
    text = read(auditor, reverse("admin:portfolio_ledgertransaction_change", args=[row.pk]))
    assert {str(row.pk), row.hash, row.previous_hash} <= set(text.whole)
    position = Position.objects.first()
    assert str(position.pk) in read(auditor, reverse("admin:portfolio_position_change", args=[position.pk])).whole
    generation = everything.account.generations.first()
    page = read(auditor, reverse("admin:accounts_generation_change", args=[generation.pk]))
    assert generation.policy_hash in page.whole


def test_an_order_names_the_quotes_that_filled_it(desk: Desk, open_market: Any, auditor: Client) -> None:
    """Not the one that it was sent on, where that was another."""
    order = desk.buy("1", limit="99.5")
    open_market.play("14:00:00 IBM 100.00 100.10", "14:00:10 IBM 99.20 99.40", start="14:00:00")
    open_market.advance("14:00:10")
    filled = desk.now(order)
    assert filled.status == "filled"
    page = auditor.get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()
    on = re.search(r'field-filled_on.*?<a href="([^"]+)">(.*?)</a>', page, re.DOTALL)
    assert on and on[1] == reverse("admin:marketdata_quoterecord_change", args=[filled.fills.get().quote_id])
    assert on[2] == "IBM 99.20 x 99.40"
    assert "IBM 100.00 x 100.10" in page and "sent on" in page.lower()


def test_the_log_of_acts_has_the_cancel(everything: Desk) -> None:
    assert LogEntry.objects.filter(change_message__contains="canceled: asked").exists()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (counted(0, "book"), "0 books"),
        (counted(1, "book"), "1 book"),
        (counted(51_300, "book"), "51,300 books"),
        (counted(2, "entry", "entries"), "2 entries"),
        (short(Decimal("67.550000"), 2), "67.55"),
        (short(Decimal("1234567.500000")), "1,234,567.5"),
        (short(Decimal("-0.10"), 2), "-0.10"),
        (short(Decimal("100")), "100"),
        (short(None), "\N{EN DASH}"),
    ],
)
def test_words_of_numbers(said: str, expected: str) -> None:
    assert said == expected
