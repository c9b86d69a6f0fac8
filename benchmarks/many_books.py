"""Very many books that an audit finds right: some are traded through the engine, the rest are their copies by SQL.

What a ledger hashes holds no generated id, so that a copy under new ids has the same chain, and is as right as what it was
made of.
"""

import os
from datetime import timedelta

from benchmarks import data
from benchmarks.figures import say
from marketdata import clock
from marketdata.feeds.universe import TICKERS
from papertrade.lib.postgres import raw_cursor
from papertrade.trading.clock import advance

BOOKS, ORDERS_A_BOOK, SYMBOLS_A_BOOK, MINUTES = 400, 100, 10, 60

_NEW_ID = "md5({column}::text || '/' || n)::uuid"
_NEW_BOOK = "{column} + n * 1000000"
# Of each table the columns that differ in a copy; what is left out of it is numbered by the database.
TABLES: dict[str, dict[str, str]] = {
    "accounts_paperaccount": {"id": _NEW_ID, "name": "{column} || '/' || n"},
    "accounts_generation": {"id": _NEW_ID, "account_id": _NEW_ID},
    "portfolio_book": {"id": _NEW_BOOK, "generation_id": _NEW_ID, "account_id": _NEW_ID},
    "orders_order": {"id": _NEW_ID, "account_id": _NEW_ID, "book_id": _NEW_BOOK},
    "portfolio_accountevent": {
        "account_id": _NEW_ID, "book_id": _NEW_BOOK, "order_id": _NEW_ID, "fill_id": _NEW_ID,
    },
    "portfolio_ledgertransaction": {"id": _NEW_ID, "book_id": _NEW_BOOK},
    "portfolio_ledgerentry": {"transaction_id": _NEW_ID},
    "orders_fill": {
        "id": _NEW_ID, "order_id": _NEW_ID, "account_id": _NEW_ID, "book_id": _NEW_BOOK, "ledger_transaction_id": _NEW_ID,
    },
    "portfolio_position": {"id": _NEW_ID, "book_id": _NEW_BOOK},
    "portfolio_equitysnapshot": {"book_id": _NEW_BOOK},
}  # fmt: skip
NUMBERED = ("portfolio_accountevent", "portfolio_ledgerentry", "portfolio_equitysnapshot")


def make(copies: int) -> int:
    """Books with 100 filled orders and an hour of minute snapshots each; how many orders there are."""
    from benchmarks.market import simulated

    simulated(seconds_after_open=-10)
    symbols = [symbol for symbol, ticker in TICKERS.items() if ticker.price < 1000][:SYMBOLS_A_BOOK]
    say(f"{BOOKS * ORDERS_A_BOOK:,} orders through the engine")
    data.place_orders(data.open_books(BOOKS), data.PayloadsOf(symbols, ORDERS_A_BOOK))
    opens = clock.read().now + timedelta(seconds=10)
    advance(to=opens + timedelta(minutes=MINUTES))
    say(f"{copies} copies of {BOOKS} books")
    for table, changed in TABLES.items():
        _copy(table, changed, copies)
    return BOOKS * ORDERS_A_BOOK * (1 + copies)


def _copy(table: str, changed: dict[str, str], copies: int) -> None:
    with raw_cursor() as cursor:
        names = [
            name
            for (name,) in cursor.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped"
                " ORDER BY attnum",
                [table],
            ).fetchall()
            if name != "id" or table not in NUMBERED
        ]
        values = [changed.get(name, "{column}").format(column=f"r.{name}") for name in names]
        cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(names)}) OVERRIDING SYSTEM VALUE SELECT {', '.join(values)}"
            f" FROM {table} r, generate_series(1, {copies}) AS n ORDER BY n, r.id"
        )
        cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
    with raw_cursor() as cursor:
        cursor.execute(f"VACUUM ANALYZE {table}")


def processor_seconds() -> float:
    """What this process and the servers that it started have used so far; Linux."""
    ticks = os.sysconf("SC_CLK_TCK")
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(name)] = int(fields[1])
        used[int(name)] = sum(map(int, fields[11:15])) / ticks  # with those of children that have ended
    family, grown = {os.getpid()}, True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in family} - family
        grown = bool(more)
        family |= more
    return sum(used.get(pid, 0.0) for pid in family)
