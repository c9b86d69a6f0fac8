"""Every column of every table: changed with all defences down, and found by just the means that claim to find it."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.db import transaction
from django.test import override_settings

from orders import audit
from portfolio.models import Book
from tests.market_kit import MarketKit
from tests.proof.history import History
from tests.proof.places import placed
from tests.proof.tampering import ANOTHER_ID, columns, lay_defences_down, statement, tampered

pytestmark = pytest.mark.django_db

PLACED = placed()
CLAIMED = [place for place, means in PLACED.items() if means]
NOT_CLAIMED = [place for place, means in PLACED.items() if not means]
DOCUMENT = Path(__file__).parents[2] / "docs" / "proof.md"

# What one column alone does not tell: rows that are gone, and lies that fit each other.
KINDS = {
    "an entry is gone": (
        "DELETE FROM portfolio_ledgerentry WHERE id = (SELECT max(id) FROM portfolio_ledgerentry)",
        "audit bundle",
    ),
    "cash and securities change places": (
        """UPDATE portfolio_ledgerentry SET debit = credit, credit = debit
           WHERE transaction_id = (SELECT ledger_transaction_id FROM orders_fill WHERE side = 'buy' ORDER BY seq DESC LIMIT 1)""",
        "audit bundle",
    ),
    "the last event is gone": (
        "DELETE FROM portfolio_accountevent WHERE seq = (SELECT max(seq) FROM portfolio_accountevent)",
        "audit heads bundle",
    ),
    "the last event is gone, and its number": (
        """DELETE FROM portfolio_accountevent WHERE seq = (SELECT max(seq) FROM portfolio_accountevent);
           UPDATE portfolio_book SET event_seq = event_seq - 1 WHERE closed_at IS NULL""",
        "audit heads bundle",
    ),
    "an order is gone": ("DELETE FROM orders_order WHERE number = 6", "audit heads bundle"),
    "a fill is gone": ("DELETE FROM orders_fill WHERE side = 'sell'", "audit heads bundle"),
    "a quote is gone": (
        "DELETE FROM marketdata_quoterecord WHERE id = (SELECT quote_id FROM orders_fill ORDER BY seq LIMIT 1)",
        "audit bundle",
    ),
    "a snapshot is gone": (
        "DELETE FROM portfolio_equitysnapshot WHERE at = '2013-10-07T15:00:00Z'",
        "heads",
    ),
    "a snapshot is worth more, with all that follows from it": (
        """UPDATE portfolio_equitysnapshot s SET equity = equity + 1, market_value = market_value + 1,
           unrealized_pl = unrealized_pl + 1, drawdown = portfolio_round_half_even(1 - (equity + 1) / (
               SELECT max(x.equity) FROM portfolio_equitysnapshot x WHERE x.book_id = s.book_id AND x.at <= s.at), 6)
           WHERE at = '2013-10-07T15:00:00Z'""",
        "heads",
    ),
    "an audit report is gone": ("DELETE FROM portfolio_auditreport", "heads"),
    "a key is another user's": ("UPDATE accounts_apikey SET user_id = (SELECT max(id) FROM accounts_user)", "heads"),
    "an account is another user's, and says so": (
        """UPDATE accounts_paperaccount SET user_id = (SELECT max(id) FROM accounts_user);
           UPDATE accounts_generation SET owner = (SELECT username FROM accounts_user ORDER BY id DESC LIMIT 1)""",
        "audit heads bundle",
    ),
    "an order holds more, and so does its book": (
        """UPDATE orders_order SET held_cash = held_cash + 5 WHERE number = 10;
           UPDATE portfolio_book SET held_cash = held_cash + 5 WHERE closed_at IS NULL""",
        "audit bundle",
    ),
    "a market order holds more, and so does its book": (
        """UPDATE orders_order SET held_cash = held_cash + 5 WHERE number = 14;
           UPDATE portfolio_book SET held_cash = held_cash + 5 WHERE closed_at IS NULL""",
        "audit bundle",
    ),
    "a sell holds less, and so does its position": (
        """UPDATE orders_order SET held_qty = 0 WHERE number = 11;
           UPDATE portfolio_position SET held_qty = 0 WHERE held_qty > 0""",
        "audit bundle",
    ),
    "an order never was": (
        """DELETE FROM portfolio_accountevent WHERE order_id = (SELECT id FROM orders_order WHERE number = 14);
           DELETE FROM orders_order WHERE number = 14;
           UPDATE portfolio_book b SET order_seq = 13, event_seq = (SELECT max(seq) FROM portfolio_accountevent),
               held_cash = (SELECT sum(held_cash) FROM orders_order) WHERE closed_at IS NULL""",
        "heads",
    ),
}


# Rows that an increment does not read again: they were there when the book was sealed.
OLD_ROWS = [
    "UPDATE orders_fill SET qty = qty + 1 WHERE seq = (SELECT min(seq) FROM orders_fill)",
    "UPDATE orders_order SET booked = booked + 1 WHERE number = 1",
    "UPDATE portfolio_accountevent SET at = at - interval '1 hour' WHERE seq = 2",
    "UPDATE portfolio_ledgertransaction SET qty = qty + 1 WHERE kind = 'buy' AND book_id = (SELECT min(id) FROM portfolio_book)",
    "UPDATE portfolio_equitysnapshot SET equity = equity + 1 WHERE id = (SELECT min(id) FROM portfolio_equitysnapshot)",
]


def after_the_last(table: str, order: str, **changed: str) -> str:
    """One row more: the last one again, with other values in SQL of it."""
    pairs = ", ".join(f"'{column}', {value}" for column, value in changed.items())
    return (
        f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(r, jsonb_build_object({pairs}))).*"
        f" FROM {table} r ORDER BY {order} DESC LIMIT 1"
    )


LATER_ID = "r.id + 1000"
A_MINUTE_LATER = {"id": LATER_ID, "at": "r.at + interval '1 minute'"}
# What may be done to a book that has stood still since its seal: its rows are compared by their hash, and how far they reach.
OF_A_BOOK_THAT_STANDS = [
    "UPDATE orders_order SET limit_price = limit_price + 1 WHERE number = 10",
    "UPDATE portfolio_position SET held_qty = held_qty + 1 WHERE held_qty > 0",
    "UPDATE portfolio_book SET peak_equity = peak_equity + 1 WHERE closed_at IS NULL",
    "UPDATE portfolio_book SET max_drawdown = max_drawdown + 0.1 WHERE closed_at IS NULL",
    after_the_last("portfolio_accountevent", "seq", id=LATER_ID, seq="r.seq + 1"),
    after_the_last("portfolio_ledgertransaction", "book_id, sequence", id=ANOTHER_ID, sequence="r.sequence + 1"),
    after_the_last("orders_order", "number", id=ANOTHER_ID, number="r.number + 1", client_order_id="'another'"),
    after_the_last("orders_fill", "seq", id=ANOTHER_ID, seq="r.seq + 1000", ledger_transaction_id="NULL"),
    after_the_last(
        "portfolio_equitysnapshot", "id", **A_MINUTE_LATER, cash="r.cash + 1", market_value="r.market_value - 1"
    ),
    after_the_last("portfolio_equitysnapshot", "id", **A_MINUTE_LATER, drawdown="r.drawdown + 0.1"),
]


@pytest.fixture(scope="module")
def history(
    django_db_setup: None, django_db_blocker: object, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[History]:
    """Built once, in one transaction that is rolled back in the end."""
    folder = tmp_path_factory.mktemp("history")
    with override_settings(), django_db_blocker.unblock(), transaction.atomic():
        built = History.build(MarketKit(folder, settings), folder)
        assert built.found() == {}, "all is well before anybody tampers"
        lay_defences_down()
        yield built
        transaction.set_rollback(True)


def test_every_column_has_a_place() -> None:
    assert sorted(columns()) == sorted(PLACED)


def test_what_is_not_claimed_is_named_in_the_document() -> None:
    told = DOCUMENT.read_text().split("## Not proven")[1].split("\n## ")[0]
    named = {
        f"{table}.{column}"
        for table, rest in re.findall(r"^- `(\w+)`: (.+(?:\n  .+)*)$", told, re.MULTILINE)
        for column in re.findall(r"`(\w+)`", rest)
    }
    assert named == set(NOT_CLAIMED)


def claimed(means: Iterable[str]) -> set[str]:
    """An audit that goes on from a seal finds what a full one does: all that is tampered with here is newer than the seal."""
    return {*means, "increment"} if "audit" in means else {*means}


@pytest.mark.parametrize("place", CLAIMED)
def test_a_change_is_found_by_those_that_claim_it(history: History, place: str) -> None:
    with tampered(statement(place)):
        assert (found := history.found()).keys() == claimed(PLACED[place]), found


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_tampering_is_found_by_those_that_claim_it(history: History, kind: str) -> None:
    statements, means = KINDS[kind]
    with tampered(statements):
        assert (found := history.found()).keys() == claimed(means.split()), found


@pytest.mark.parametrize("change", OLD_ROWS)
def test_what_stands_behind_the_seal_is_found_by_a_full_audit_alone(history: History, change: str) -> None:
    with tampered(change):
        assert history.by_increment() == []
        assert history.by_audit() != []


@pytest.mark.parametrize("change", OF_A_BOOK_THAT_STANDS)
def test_what_is_done_to_a_book_that_stands_is_found_by_an_increment(history: History, change: str) -> None:
    with tampered(change):
        assert history.by_increment(from_last=True) != []


def test_of_a_book_that_stands_a_minute_more_is_read_and_nothing_else(
    history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    monkeypatch.setattr(audit, "verify_ledgers", lambda books, **_: read.extend(book.pk for book in books) or {})
    with tampered(after_the_last("portfolio_equitysnapshot", "id", **A_MINUTE_LATER)):
        books = list(Book.objects.values_list("pk", flat=True))
        later = audit.audit_chunk(books, sealed=history.last_seals)
        assert later.differences == [] == read
        monkeypatch.undo()
        assert later.seals == audit.audit_chunk(books).seals


def test_what_is_not_claimed_is_not_found(history: History) -> None:
    with tampered("; ".join(map(statement, NOT_CLAIMED))):
        assert history.found() == {}
