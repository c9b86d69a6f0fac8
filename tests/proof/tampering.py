"""How each column of each table is tampered with: one row changed by SQL with the triggers off, as a plausible lie."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.apps import apps
from django.db import connection, models, transaction

APPS = ("accounts", "marketdata", "portfolio", "orders")

# The row that is changed, where it is not the last by key.
ROWS = {
    "accounts_paperaccount": "name = 'Renamed'",
    "accounts_generation": "number = 2",
    "accounts_user": "id = (SELECT min(user_id) FROM accounts_paperaccount)",
    "marketdata_quoterecord": "id = (SELECT quote_id FROM orders_fill ORDER BY id LIMIT 1)",
    "marketdata_tradingsession": "date = '2013-10-07'",
    "portfolio_accountevent": "type = 'order_filled' AND seq = (SELECT max(seq) FROM orders_fill)",
    "portfolio_book": "generation_number = 2",
    "portfolio_equitysnapshot": "id = (SELECT max(id) FROM portfolio_equitysnapshot WHERE unrealized_pl <> 0)",
    "portfolio_ledgerentry": "id = (SELECT max(id) FROM portfolio_ledgerentry)",
    "portfolio_ledgertransaction": "kind = 'sell'",
    "portfolio_position": "qty > 0 AND symbol = 'IBM' AND book_id = (SELECT max(id) FROM portfolio_book)",
    "orders_fill": "side = 'sell'",
    "orders_order": "number = 3",
    "accounts_generation.summary": "number = 1",
    "accounts_apikey.revoked_at": "revoked_at IS NOT NULL",
}
# What the column becomes, where it is not what its type gives below (a check would refuse it, or it says more like this).
VALUES = {
    "accounts_paperaccount.user_id": "(SELECT max(id) FROM accounts_user)",
    "accounts_apikey.user_id": "(SELECT max(id) FROM accounts_user)",
    "accounts_apikey.revoked_at": "NULL",
    "accounts_paperaccount.currency": "'EUR'",
    # Later than they are they cannot be told from the right ones (docs/proof.md).
    "portfolio_book.last_at": "last_at - interval '1 day'",
    "portfolio_position.mark_at": "mark_at - interval '1 hour'",
    "portfolio_position.updated_at": "updated_at - interval '1 day'",
}
# Behind every id there is, each time: a random one would at times sort before them.
ANOTHER_ID = "'ffffffff-ffff-4fff-bfff-ffffffffffff'::uuid"


def tables() -> dict[str, type[models.Model]]:
    """Every table of the four apps, those between two others too."""
    return {
        model._meta.db_table: model
        for app in APPS
        for model in apps.get_app_config(app).get_models(include_auto_created=True)
    }


def columns() -> list[str]:
    """Every column, as `table.column`."""
    return [f"{table}.{field.column}" for table, model in tables().items() for field in model._meta.concrete_fields]


def another(table: str, column: str) -> str:
    """SQL for another value of the column."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attrelid = %s::regclass AND attname = %s",
            [table, column],
        )
        (kind,) = cursor.fetchone()
    if kind == "character varying":
        return f"CASE WHEN {column} = '' THEN 'x' ELSE left({column}, -1) END"
    return {
        "boolean": f"NOT {column}",
        "uuid": ANOTHER_ID,
        "jsonb": """'{"size_cap": false}'""",
        "date": f"coalesce({column}, '2013-10-07') + 100000",
        "bigint": f"coalesce({column}, 0) + 1000",
        "integer": f"coalesce({column}, 0) + 1000",
        "timestamp with time zone": f"coalesce({column}, '2013-10-07T15:00:00Z') + interval '1 second'",
        "character varying[]": "'{market}'",
    }.get(kind, f"coalesce({column}, 0) + 1")


def lay_defences_down() -> None:
    """Triggers off, checks and foreign keys dropped, for the rest of the transaction: what the owner of the tables can do."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        for table in tables():
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(
            "SELECT conrelid::regclass::text, conname FROM pg_constraint WHERE contype IN ('f', 'c') AND conrelid = ANY(%s::regclass[])",
            [list(tables())],
        )
        for table, constraint in cursor.fetchall():
            cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")


@contextmanager
def tampered(statements: str) -> Iterator[None]:
    """Run the statements, and undo them afterwards."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statements)
        yield
        transaction.set_rollback(True)


def statement(place: str) -> str:
    """The change of one column."""
    table, column = place.split(".")
    where = ROWS.get(place) or ROWS.get(table) or f"ctid = (SELECT max(ctid) FROM {table})"
    return f"UPDATE {table} SET {column} = {VALUES.get(place) or another(table, column)} WHERE {where}"
