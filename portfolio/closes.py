"""What a book was worth when each session ended, and how it fell from its peaks: the material of its statistics."""

from datetime import datetime

from django.db import connection

from papertrade.lib.times import EXCHANGE_ZONE
from portfolio.history import session_points, sessions_of
from portfolio.models import Book
from portfolio.performance import DailyClose, Drawdown

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
    """The last instant of which the book tells anything: now, or the end of its generation."""
    return book.closed_at or now


def session_closes(book: Book, *, until: datetime) -> list[DailyClose]:
    """The equity at the end of each session of the run, sessions without a position included.

    Sessions of months that were taken out are left out. A generation that ended while the market was open has its last day too.
    """
    sessions = [
        session
        for session in sessions_of(book, after=book.generation.opened_at, until=until)
        if session.close <= until or until == book.closed_at
    ]
    points = session_points(book=book, sessions=sessions, until=until)
    return [DailyClose(point.timestamp.astimezone(EXCHANGE_ZONE).date(), point.equity) for point in points]


def deepest_drawdowns(book: Book, *, most: int) -> list[Drawdown]:
    """The falls from a peak that the book's snapshots saw, the deepest first."""
    with connection.cursor() as cursor:
        cursor.execute(_DRAWDOWNS, [book.pk, most])
        return [Drawdown(*row) for row in cursor.fetchall()]
