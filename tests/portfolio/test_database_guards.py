"""The database keeps the ledger's rules by itself, against SQL that does not pass through the ORM (section 7)."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import Error, connection, transaction

from tests.desk import Desk

APPEND_ONLY = [
    "portfolio_ledgertransaction",
    "portfolio_ledgerentry",
    "portfolio_accountevent",
    "portfolio_equitysnapshot",
    "orders_fill",
    "marketdata_quoterecord",
]
COLUMN = {
    "portfolio_ledgertransaction": "symbol = 'X'",
    "portfolio_ledgerentry": "account = 'capital'",
    "portfolio_accountevent": "reason = 'x'",
    "portfolio_equitysnapshot": "equity = 0",
    "orders_fill": "qty = 1",
    "marketdata_quoterecord": "bid = 1",
}


@pytest.fixture(autouse=True)
def _a_fill(desk: Desk) -> None:
    desk.buy("10")


def refused(*statements: tuple[str, list[Any]]) -> str:
    """The database's refusal of these statements, in one transaction that would commit."""
    with pytest.raises(Error) as refusal, transaction.atomic(), connection.cursor() as cursor:
        for statement, arguments in statements:
            cursor.execute(statement, arguments)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return str(refusal.value)


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_rows_are_never_changed(table: str) -> None:
    refused((f"UPDATE {table} SET {COLUMN[table]}", []))


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_rows_are_never_deleted(table: str) -> None:
    refused((f"DELETE FROM {table}", []))


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_tables_are_never_emptied(table: str) -> None:
    refused((f"TRUNCATE {table} CASCADE", []))


def transaction_of(desk: Desk, *entries: tuple[str, str, str]) -> list[tuple[str, list[Any]]]:
    """Statements that book a transaction with these (account, debit, credit), entries first."""
    key = uuid4()
    booked = [
        (
            "INSERT INTO portfolio_ledgerentry (transaction_id, line, account, debit, credit) VALUES (%s, %s, %s, %s, %s)",
            [key, line, *entry],
        )
        for line, entry in enumerate(entries, start=1)
    ]
    return [
        *booked,
        (
            "INSERT INTO portfolio_ledgertransaction"
            " (id, book_id, sequence, kind, at, symbol, description, previous_hash, hash)"
            " VALUES (%s, %s, 99, 'buy', now(), '', '', 'a', 'b')",
            [key, desk.book.pk],
        ),
    ]


def test_a_balanced_transaction_is_taken(desk: Desk) -> None:
    with connection.cursor() as cursor:
        for statement in transaction_of(desk, ("cash", "5", "0"), ("capital", "0", "5")):
            cursor.execute(*statement)
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([("cash", "5", "0"), ("capital", "0", "4")], id="unbalanced"),
        pytest.param([("cash", "5", "0")], id="single entry"),
        pytest.param([], id="no entry"),
        pytest.param([("cash", "5", "0"), ("capital", "0", "5"), ("cash", "0", "0")], id="neither debit nor credit"),
        pytest.param([("cash", "5", "5"), ("capital", "5", "5")], id="both debit and credit"),
        pytest.param([("cash", "-5", "0"), ("capital", "0", "-5")], id="negative"),
        pytest.param([("cash", "0.00001", "0"), ("capital", "0", "0.00001")], id="less than 4 decimals show"),
    ],
)
def test_a_transaction_that_is_not_one_is_refused(desk: Desk, entries: list[tuple[str, str, str]]) -> None:
    refused(*transaction_of(desk, *entries))


@pytest.mark.parametrize(
    ("symbol", "qty", "price", "taken"),
    [
        ("IBM", "0.000001", "0.5013", True),
        ("IBM", "0.000001", "100", True),  # a whole unit of 0.0001, which rounding may have booked before
        ("IBM", "0.000002", "100", False),
        ("IBM", "1", "100", False),
        ("O:IBM131007C00100000", "1", "0.01", False),
        ("O:IBM131007C00100000", "1", "0", True),
    ],
)
def test_a_transaction_may_lack_entries_where_its_money_rounds_to_nothing(
    desk: Desk, symbol: str, qty: str, price: str, taken: bool
) -> None:
    statement = (
        "INSERT INTO portfolio_ledgertransaction"
        " (id, book_id, sequence, kind, at, symbol, qty, price, description, previous_hash, hash)"
        " VALUES (%s, %s, 99, 'buy', now(), %s, %s, %s, '', 'a', 'b')",
        [uuid4(), desk.book.pk, symbol, qty, price],
    )
    if taken:
        with connection.cursor() as cursor:
            cursor.execute(*statement)
    else:
        assert "at least two entries" in refused(statement)


def test_nothing_is_added_to_a_booked_transaction(desk: Desk) -> None:
    first = desk.book.ledger_transactions.earliest("sequence").pk
    insert = (
        "INSERT INTO portfolio_ledgerentry (transaction_id, line, account, debit, credit) VALUES (%s, %s, %s, %s, %s)"
    )
    refused((insert, [first, 8, "cash", "5", "0"]), (insert, [first, 9, "capital", "0", "5"]))


def test_entries_without_a_transaction_are_refused() -> None:
    insert = (
        "INSERT INTO portfolio_ledgerentry (transaction_id, line, account, debit, credit) VALUES (%s, %s, %s, %s, %s)"
    )
    refused((insert, [uuid4(), 1, "cash", "5", "0"]))


def test_a_sequence_is_used_once(desk: Desk) -> None:
    one, other = (transaction_of(desk, ("cash", "5", "0"), ("capital", "0", "5")) for _ in range(2))
    refused(*one, *other)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("UPDATE portfolio_book SET held_cash = cash + 1", id="buying power negative"),
        pytest.param("UPDATE portfolio_book SET held_cash = -1", id="held cash negative"),
        pytest.param("UPDATE portfolio_position SET qty = -1", id="short position"),
        pytest.param("UPDATE portfolio_position SET held_qty = qty + 1", id="more held than there is"),
        pytest.param("UPDATE portfolio_position SET qty = 0, held_qty = 0", id="flat with a cost"),
        pytest.param("UPDATE orders_order SET filled_qty = qty + 1", id="filled more than ordered"),
        pytest.param("UPDATE orders_order SET held_cash = 5", id="a closed order holds"),
        pytest.param("UPDATE orders_order SET status = 'rejected'", id="rejected without a reason"),
    ],
)
def test_books_and_orders_that_cannot_be_are_refused(change: str) -> None:
    refused((change, []))


@pytest.mark.parametrize("table", ["portfolio_book", "orders_order"])
@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET id = DEFAULT", "TRUNCATE {} CASCADE"])
def test_what_others_point_at_is_kept(table: str, change: str) -> None:
    refused((change.format(table), []))


@pytest.mark.parametrize(
    ("table", "column", "nowhere"),
    [
        ("portfolio_accountevent", "book_id", 0),
        ("portfolio_equitysnapshot", "book_id", 0),
        ("portfolio_position", "book_id", 0),
        ("portfolio_ledgertransaction", "book_id", 0),
        ("portfolio_ledgertransaction", "quote_id", uuid4()),
        ("orders_fill", "order_id", uuid4()),
        ("orders_fill", "quote_id", uuid4()),
        ("orders_fill", "ledger_transaction_id", uuid4()),
    ],
)
def test_a_row_that_points_at_nothing_is_refused(table: str, column: str, nowhere: object) -> None:
    """A copy of a real row, pointed elsewhere: what else is wrong with it is found later than this, or by name."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {table} LIMIT 1")
        names = [described.name for described in cursor.description]
        row = dict(zip(names, cursor.fetchone(), strict=True)) | {column: nowhere}
        if "id" in row:
            row["id"] = uuid4() if not isinstance(row["id"], int) else 10**9
    marks = ", ".join(["%s"] * len(row))
    fresh = {"seq": 999, "sequence": 999, "ledger_transaction_id": None, "symbol": "ZZZ"}
    row |= {name: value for name, value in fresh.items() if name in row and name != column}
    if table == "orders_fill":
        row |= {"gross_amount": 0, "realized_pl": 0}
    message = refused((f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", list(row.values())))
    assert f"{table}.{column} points at no row" in message
