"""What a book was worth when each session ended, and how it fell from its peaks: the material of its statistics."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from django.db import connection

from marketdata.sessions import Session, calendar
from portfolio.models import Book
from portfolio.performance import DailyClose, Drawdown

# One probe of an index for each session, however many snapshots and months of them there are; where a month has none, another
# one over all before it.
_CLOSES = """
    SELECT coalesce(
        (SELECT equity FROM portfolio_equitysnapshot WHERE book_id = %(book)s AND at <= close
         AND at > close - interval '1 month' ORDER BY at DESC, id DESC LIMIT 1),
        (SELECT equity FROM portfolio_equitysnapshot WHERE book_id = %(book)s AND at <= close - interval '1 month'
         ORDER BY at DESC, id DESC LIMIT 1))
    FROM unnest(%(closes)s::timestamptz[]) WITH ORDINALITY AS sessions(close, number) ORDER BY number
"""

# A fall begins at the last snapshot that had no drawdown and ends at the next that has none.
_DRAWDOWNS = """
    WITH numbered AS (
        SELECT at, id, drawdown, count(*) FILTER (WHERE drawdown = 0) OVER (ORDER BY at, id) AS peak
        FROM portfolio_equitysnapshot WHERE book_id = %s
    ), falls AS (
        SELECT peak, min(at) AS began_at, max(drawdown) AS depth FROM numbered GROUP BY peak HAVING max(drawdown) > 0
        ORDER BY depth DESC, began_at LIMIT %s
    )
    SELECT f.began_at,
           (SELECT min(n.at) FROM numbered n WHERE n.peak = f.peak AND n.drawdown = f.depth),
           (SELECT min(n.at) FROM numbered n WHERE n.peak = f.peak + 1),
           f.depth
    FROM falls f ORDER BY f.depth DESC, f.began_at
"""


def last_instant(book: Book, now: datetime) -> datetime:
    """Up to when the book tells something: now, or when its generation ended."""
    return book.closed_at or now


def session_closes(book: Book, *, until: datetime) -> list[DailyClose]:
    """The equity at the end of each session of the run, sessions without a position included.

    A generation that ended while the market was open has its last day too.
    """
    sessions = _ended_sessions(book, until)
    with connection.cursor() as cursor:
        cursor.execute(_CLOSES, {"book": book.pk, "closes": [session.close for session in sessions]})
        equities: list[Decimal] = [row[0] for row in cursor.fetchall()]
    return [DailyClose(session.date, equity) for session, equity in zip(sessions, equities, strict=True)]


def _ended_sessions(book: Book, until: datetime) -> Sequence[Session]:
    days = calendar()
    ended = days.ended(book.generation.opened_at, until)
    cut_short = days.session_at(book.closed_at) if book.closed_at else None
    return [*ended, cut_short] if cut_short else ended


def deepest_drawdowns(book: Book, *, most: int) -> list[Drawdown]:
    """The falls from a peak that the book's snapshots saw, the deepest first."""
    with connection.cursor() as cursor:
        cursor.execute(_DRAWDOWNS, [book.pk, most])
        return [Drawdown(*row) for row in cursor.fetchall()]
