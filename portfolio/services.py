"""Opening and closing books, snapshots, marks and settlement: the use cases of the books themselves.

Fills reach the books through `orders.engine`, which holds the same locked books.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import psycopg
from django.db import transaction

from accounts.models import Generation
from accounts.policy import policy_from_json
from marketdata.sessions import calendar
from papertrade.lib.batch import Batch, Executes
from papertrade.lib.postgres import raw_cursor
from portfolio.audit import Difference
from portfolio.books import OpenBook
from portfolio.bulk import Writer, write_all
from portfolio.marks import MARK_PRICE, MARKED
from portfolio.models import AuditReport, Book
from portfolio.money import ZERO_MONEY
from portfolio.selectors import frame_of
from portfolio.store import collect

SNAPSHOT_CHUNK_BOOKS = 1000
FEW_BOOKS = 100  # see plan_for_few_books
LAST_BOOK = 2**63 - 1  # no book has a larger id
DIFFERENCES_KEPT = 1000  # of one audit; where there are more the cause is one and the same


def open_book(
    cursor: psycopg.Cursor,
    *,
    generation: Generation,
    at: datetime,
    event: str,
    reason: str = "",
    previous: OpenBook | None = None,
) -> None:
    """Open and fund the book of a new generation; numbers of orders and events run on from the previous one."""
    initial_cash = generation.initial_cash
    row = Book.objects.create(
        generation=generation,
        generation_number=generation.number,
        account_id=generation.account_id,
        cash=initial_cash,
        peak_equity=initial_cash,
        last_at=at,
    )
    book = OpenBook(
        id=row.pk, account_id=generation.account_id, generation_id=generation.pk, generation_number=generation.number,
        policy=policy_from_json(generation.policy), cash=initial_cash, held_cash=ZERO_MONEY, realized_pl=ZERO_MONEY,
        peak_equity=initial_cash, max_drawdown=row.max_drawdown, closed_trades=0, winning_trades=0,
        order_seq=previous.order_seq if previous else 0, event_seq=previous.event_seq if previous else 0,
        ledger_seq=0, ledger_head=row.ledger_head, last_at=at,
    )  # fmt: skip
    book.open(initial_cash, at, frame_of(generation))
    book.record(event, at, reason=reason)
    write_books(cursor, [book])


def write_books(cursor: psycopg.Cursor, books: Iterable[OpenBook]) -> None:
    """Write everything that waits in locked books."""
    writer = Writer()
    collect(writer, books)
    write_all(cursor, writer)


SNAPSHOT_EVERY = timedelta(minutes=1)


def is_minute(at: datetime) -> bool:
    """Whether the instant is a whole minute of a session, at which books that hold something get a snapshot."""
    session = calendar().session_at(at)
    return session is not None and (at - session.open) % SNAPSHOT_EVERY == timedelta(0)


# Scalar subqueries are probed book by book; EXISTS may become a join over every position or snapshot there is.
_HAS_LATER_SNAPSHOT = (
    "coalesce((SELECT true FROM portfolio_equitysnapshot s WHERE s.book_id = b.id AND s.at > %s LIMIT 1), false)"
)

_NEXT_HOLDING_BOOKS = f"""
    SELECT b.id FROM portfolio_book b
    WHERE b.id > %s AND b.id <= %s AND b.closed_at IS NULL
      AND (SELECT true FROM portfolio_position p WHERE p.book_id = b.id AND p.qty > 0 LIMIT 1)
      AND NOT {_HAS_LATER_SNAPSHOT}
    ORDER BY b.id LIMIT %s FOR NO KEY UPDATE OF b
"""

_SNAPSHOT_BOOKS = f"""
    WITH valued AS (
        SELECT b.id, b.cash, b.realized_pl, b.peak_equity, sum(p.cost_basis) AS cost_basis,
               b.cash + sum(portfolio_round_half_even(p.qty * p.multiplier * {MARK_PRICE}, 4)) AS equity
        FROM portfolio_book b JOIN ({MARKED}) ON p.book_id = b.id AND p.qty > 0
        WHERE b.id = ANY(%s::bigint[]) AND NOT {_HAS_LATER_SNAPSHOT}
        GROUP BY b.id
    ), judged AS (
        SELECT *, greatest(peak_equity, equity) AS peak,
               portfolio_round_half_even(1 - equity / greatest(peak_equity, equity), 6) AS drawdown
        FROM valued
    ), remembered AS (
        UPDATE portfolio_book b SET peak_equity = j.peak, max_drawdown = greatest(b.max_drawdown, j.drawdown)
        FROM judged j
        WHERE b.id = j.id AND (j.peak > b.peak_equity OR j.drawdown > b.max_drawdown)
    )
    INSERT INTO portfolio_equitysnapshot (book_id, at, equity, cash, market_value, realized_pl, unrealized_pl, drawdown)
    SELECT j.id, %s::timestamptz, j.equity, j.cash, j.equity - j.cash, j.realized_pl, j.equity - j.cash - j.cost_basis,
           j.drawdown
    FROM judged j LEFT JOIN (
        SELECT DISTINCT ON (s.book_id) s.book_id, s.equity, s.cash, s.realized_pl, s.unrealized_pl
        FROM portfolio_equitysnapshot s WHERE s.at = %s AND s.book_id = ANY(%s::bigint[]) ORDER BY s.book_id, s.id DESC
    ) said ON said.book_id = j.id
    WHERE (said.equity, said.cash, said.realized_pl, said.unrealized_pl)
        IS DISTINCT FROM (j.equity, j.cash, j.realized_pl, j.equity - j.cash - j.cost_basis)
"""


def snapshot_books(*, at: datetime, after: int = 0) -> int:
    """Snapshot every open book with an id above `after` that holds a position, a chunk of books a transaction; how many.

    A book whose last snapshot of that instant says the same is passed over, so that repeating the call adds nothing; where a
    fill at that very instant has left one, quotes stamped then may have changed the worth since. A book that has a later
    snapshot is passed over too.
    """
    done = 0
    while True:
        with transaction.atomic(), raw_cursor() as cursor:
            books = snapshot_books_between(cursor, after, LAST_BOOK, at=at)
            done += cursor.rowcount if books else 0
        if len(books) < SNAPSHOT_CHUNK_BOOKS:
            return done
        after = books[-1]


def snapshot_books_between(cursor: psycopg.Cursor, after: int, last: int, *, at: datetime) -> list[int]:
    """Lock and snapshot a chunk of the holding books with ids in (after, last]; the ids of those that were locked, in order."""
    with Batch(cursor.connection) as batch:
        holding = ask_for_holding_books(batch, after, last, at=at)
    books = holding()
    if books:
        snapshot(cursor, books, at=at)
    return books


def ask_for_holding_books(batch: Batch, after: int, last: int, *, at: datetime) -> Callable[[], list[int]]:
    """Lock the next chunk of open books that hold something and have no later snapshot, in a batch; once that was sent, what
    is returned gives their ids, in order.
    """
    reply = batch.execute(_NEXT_HOLDING_BOOKS, [after, last, at, SNAPSHOT_CHUNK_BOOKS])
    return lambda: [book_id for (book_id,) in reply.rows()]


def plan_for_few_books(to: Executes) -> None:
    """Snapshots of the rest of the transaction are planned once, for any books.

    PostgreSQL would plan each for its own books, and for few of them that takes five times as long as the snapshot.
    """
    to.execute("SELECT set_config('plan_cache_mode', 'force_generic_plan', true)")


def snapshot(to: Executes, books: list[int], *, at: datetime) -> None:
    """Snapshot those of the locked books that hold something and have no later snapshot."""
    if books:
        to.execute(_SNAPSHOT_BOOKS, [books, at, at, at, books])


def keep_audit_report(
    *,
    scope: str,
    by: str,
    started_at: datetime,
    books: int,
    differences: Sequence[Difference],
    extent: str = AuditReport.Extent.FULL,
    sealed: str = "",
) -> AuditReport:
    """Keep what an audit found: the count of all differences, and the first of them."""
    return AuditReport.objects.create(
        scope=scope,
        by=by,
        started_at=started_at,
        books=books,
        difference_count=len(differences),
        differences=[[difference.row, difference.problem] for difference in differences[:DIFFERENCES_KEPT]],
        extent=extent,
        sealed=sealed,
    )
