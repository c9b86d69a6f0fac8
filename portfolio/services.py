"""Opening and closing books, snapshots, marks and settlement: the use cases of the books themselves.

Fills reach the books through `orders.engine`, which holds the same locked books.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import psycopg
from django.db import transaction

from accounts.models import Generation
from accounts.policy import policy_from_json
from marketdata.gate import pass_gate
from marketdata.instruments import OptionRight, parse_symbol
from marketdata.quotes import Quote
from papertrade.errors import BadRequest, NotFound
from papertrade.postgres import raw_cursor
from portfolio.audit import Difference
from portfolio.books import OpenBook, OpenPosition
from portfolio.bulk import Writer, write_all
from portfolio.models import AuditReport, Book, EventType, LedgerTransaction, Position
from portfolio.models import Mark as MarkRow
from portfolio.money import PRICE_DECIMALS, ZERO, ZERO_MONEY, round_money
from portfolio.store import collect, lock_books

SNAPSHOT_CHUNK_BOOKS = 1000
DIFFERENCES_KEPT = 1000  # of one audit; where there are more the cause is one and the same
MAX_SETTLEMENT_PRICE = Decimal(10) ** 9
MAX_SETTLEMENT_REASON = LedgerTransaction._meta.get_field("description").max_length


@dataclass(frozen=True, slots=True)
class Mark:
    """The mark of a symbol, USD per share, and the quote of a regular session that gave it."""

    price: Decimal
    quote: Quote


def open_book(
    cursor: psycopg.Cursor, *, generation: Generation, at: datetime, event: str, reason: str = "",
    previous: OpenBook | None = None,
) -> None:  # fmt: skip
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
    book.open(initial_cash, at)
    book.record(event, at, reason=reason)
    write_books(cursor, [book])


def write_books(cursor: psycopg.Cursor, books: Iterable[OpenBook]) -> None:
    """Write everything that waits in locked books."""
    writer = Writer()
    collect(writer, books)
    write_all(cursor, writer)


def keep_marks(marks: dict[str, Mark]) -> None:
    """Store the marks of these symbols, in one statement; an older one never replaces a newer."""
    if not marks:
        return
    rows = [
        (symbol, mark.price, q.bid, q.ask, q.bid_size, q.ask_size, q.quoted_at, q.feed)
        for symbol, mark in sorted(marks.items())
        for q in (mark.quote,)
    ]
    with raw_cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO portfolio_mark (symbol, price, bid, ask, bid_size, ask_size, quoted_at, feed)
            SELECT * FROM unnest(%s::text[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[], %s::numeric[],
                                 %s::timestamptz[], %s::text[])
            ON CONFLICT (symbol) DO UPDATE SET price = excluded.price, bid = excluded.bid, ask = excluded.ask,
                bid_size = excluded.bid_size, ask_size = excluded.ask_size, quoted_at = excluded.quoted_at,
                feed = excluded.feed
            WHERE portfolio_mark.quoted_at <= excluded.quoted_at
            """,
            [list(column) for column in zip(*rows, strict=True)],
        )


def forget_marks() -> None:
    """Drop the marks of symbols, when another market or recording begins; positions keep their own."""
    MarkRow.objects.all().delete()


# Scalar subqueries are probed book by book; EXISTS may become a join over every position or snapshot there is.
_NEXT_HOLDING_BOOKS = """
    SELECT b.id FROM portfolio_book b
    WHERE b.id > %(after)s AND b.closed_at IS NULL
      AND (SELECT true FROM portfolio_position p WHERE p.book_id = b.id AND p.qty > 0 LIMIT 1)
      AND coalesce((SELECT max(s.at) FROM portfolio_equitysnapshot s WHERE s.book_id = b.id) < %(at)s, true)
    ORDER BY b.id LIMIT %(limit)s FOR NO KEY UPDATE OF b
"""

_SNAPSHOT_BOOKS = """
    WITH valued AS (
        SELECT b.id, b.cash, b.realized_pl, b.peak_equity, sum(p.cost_basis) AS cost_basis,
               b.cash + sum(portfolio_round_half_even(p.qty * p.multiplier
                   * CASE WHEN m.quoted_at > p.mark_at THEN m.price ELSE p.mark_price END, 4)) AS equity
        FROM portfolio_book b
        JOIN portfolio_position p ON p.book_id = b.id AND p.qty > 0
        LEFT JOIN portfolio_mark m ON m.symbol = p.symbol
        WHERE b.id = ANY(%(books)s)
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
    SELECT id, %(at)s, equity, cash, equity - cash, realized_pl, equity - cash - cost_basis, drawdown FROM judged
"""


def snapshot_books(*, at: datetime) -> int:
    """Snapshot every open book that holds a position, a chunk of books a transaction; how many.

    A book that already has a snapshot of that instant or a later one is passed over, so repeating it adds nothing.
    """
    done = after = 0
    while True:
        with transaction.atomic(), raw_cursor() as cursor:
            page = {"after": after, "at": at, "limit": SNAPSHOT_CHUNK_BOOKS}
            books = [book_id for (book_id,) in cursor.execute(_NEXT_HOLDING_BOOKS, page).fetchall()]
            if not books:
                return done
            done += cursor.execute(_SNAPSHOT_BOOKS, {"books": books, "at": at}).rowcount
            after = books[-1]


def held_symbols() -> list[str]:
    """The symbols that open books hold, and the stocks of held options (whose settlement needs their quotes)."""
    with raw_cursor() as cursor:
        held = [symbol for (symbol,) in cursor.execute(_HELD_SYMBOLS).fetchall()]
    return sorted({*held, *(parse_symbol(symbol).underlying for symbol in held)})


# A loose index scan: one probe per symbol, however many positions hold it; then one that looks for an open book among them.
_HELD_SYMBOLS = """
    WITH RECURSIVE held AS (
        (SELECT symbol FROM portfolio_position WHERE qty > 0 ORDER BY symbol LIMIT 1)
        UNION ALL
        SELECT (SELECT p.symbol FROM portfolio_position p WHERE p.qty > 0 AND p.symbol > held.symbol
                ORDER BY p.symbol LIMIT 1)
        FROM held WHERE held.symbol IS NOT NULL
    )
    SELECT symbol FROM held WHERE symbol IS NOT NULL
      AND (SELECT true FROM portfolio_position p JOIN portfolio_book b ON b.id = p.book_id
           WHERE p.symbol = held.symbol AND p.qty > 0 AND b.closed_at IS NULL LIMIT 1)
"""


def intrinsic_value(position: OpenPosition, quote: Quote) -> Decimal:
    """USD per share that exercising would bring now: call max(bid - strike, 0), put max(strike - ask, 0)."""
    strike = position.instrument.strike
    gain = quote.bid - strike if position.instrument.right == OptionRight.CALL else strike - quote.ask
    return max(gain, ZERO)


def settle_option(book: OpenBook, position: OpenPosition, quote: Quote | None, at: datetime) -> None:
    """End a long option at its contract's last close: in cash at intrinsic value, or flagged where no quote says what."""
    symbol = position.instrument.symbol
    if quote is None:
        if not position.unsettled:
            position.unsettled, position.changed_at = True, at
            book.record(EventType.POSITION_UNSETTLED, at, symbol=symbol, reason="no_underlying_quote")
        return
    _settle(book, position, intrinsic_value(position, quote), quote, at, reason="expired")


def settle_by_hand(*, position_id: UUID, price: Decimal, reason: str, at: datetime) -> None:
    """End an unsettled option at `price` USD per share, for the reason given. Raises NotFound, BadRequest."""
    row = Position.objects.filter(pk=position_id, unsettled=True, qty__gt=0).first()
    if row is None:
        raise NotFound("There is no such unsettled position.")
    if not 0 <= price < MAX_SETTLEMENT_PRICE or round(price, PRICE_DECIMALS) != price:
        raise BadRequest("The price must be at least 0, with at most 6 decimals.", price="is not such a price")
    reason = reason.strip()
    if not 0 < len(reason) <= MAX_SETTLEMENT_REASON:
        raise BadRequest(
            f"Say a reason in at most {MAX_SETTLEMENT_REASON} characters.", reason=f"has {len(reason)} characters"
        )
    with transaction.atomic(), raw_cursor() as cursor:
        pass_gate(cursor)
        books = lock_books(cursor, [row.book_id])
        position = books[0].positions.get(row.symbol) if books else None
        if position is None or not position.unsettled:
            raise NotFound("There is no such unsettled position.")
        _settle(books[0], position, price, None, books[0].time(at), reason=reason)
        write_books(cursor, books)


def _settle(
    book: OpenBook, position: OpenPosition, price: Decimal, quote: Quote | None, at: datetime, *, reason: str
) -> None:
    instrument = position.instrument
    proceeds = round_money(position.holding.qty * price * instrument.multiplier)
    position.mark, position.mark_at = price, at
    book.settle(instrument.symbol, proceeds, quote=quote, price=price, at=at, description=reason)
    book.record(EventType.POSITION_SETTLED, at, symbol=instrument.symbol, reason=reason, quote=quote)
    book.snapshot(at)


def keep_audit_report(
    *, scope: str, by: str, started_at: datetime, books: int, differences: Sequence[Difference]
) -> AuditReport:
    """Keep what an audit found: the count of all differences, and the first of them."""
    return AuditReport.objects.create(
        scope=scope,
        by=by,
        started_at=started_at,
        books=books,
        difference_count=len(differences),
        differences=[[difference.row, difference.problem] for difference in differences[:DIFFERENCES_KEPT]],
    )
