"""A book's equity curve: the last snapshot of each bucket of time, what it came to by session, or samples of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from marketdata.sessions import Session, calendar
from papertrade.lib.postgres import raw_cursor
from portfolio.models import Book, EquitySnapshot
from portfolio.money import ZERO_MONEY


@dataclass(frozen=True, slots=True)
class HistoryPoint:
    """The last snapshot of a bucket, under the time it was taken; of a session, under its close."""

    timestamp: datetime
    equity: Decimal
    cash: Decimal
    market_value: Decimal
    realized_pl: Decimal
    unrealized_pl: Decimal
    drawdown: Decimal


TIMEFRAMES = {
    "1Min": timedelta(minutes=1),
    "5Min": timedelta(minutes=5),
    "15Min": timedelta(minutes=15),
    "1H": timedelta(hours=1),
    "1D": timedelta(days=1),
}
BY_SESSION = "1D"
# Which of them a chart of at most that length can show: a few hundred points.
_CHART_TIMEFRAMES = [(timedelta(days=2), "1Min"), (timedelta(days=8), "15Min"), (timedelta(days=40), "1H")]


def chart_timeframe(length: timedelta) -> str:
    """The timeframe for a chart of that length."""
    return next((name for limit, name in _CHART_TIMEFRAMES if length <= limit), "1D")


# A loose index scan: two probes a bucket, however many snapshots it holds, so the cost follows the points of the page and
# not the age of the account. Both bounds of a probe let PostgreSQL pass over all months but one. Buckets start at whole
# multiples of the timeframe in New York time.
_HISTORY = """
    WITH RECURSIVE first AS (
        SELECT at FROM portfolio_equitysnapshot
        WHERE book_id = %(book)s AND at > %(after)s AND at <= %(until)s ORDER BY at LIMIT 1
    ), points AS (
        SELECT b.upto, p.*, 1 AS number FROM first f,
            LATERAL (SELECT {bucket_end}) AS b(upto),
            LATERAL ({last_in_bucket}) AS p
        UNION ALL
        SELECT b.upto, p.*, points.number + 1 FROM points,
            LATERAL (SELECT coalesce(
                (SELECT at FROM portfolio_equitysnapshot WHERE book_id = %(book)s AND at >= points.upto
                 AND at < points.upto + interval '1 month' AND at <= %(until)s ORDER BY at LIMIT 1),
                (SELECT at FROM portfolio_equitysnapshot WHERE book_id = %(book)s AND at >= points.upto + interval '1 month'
                 AND at <= %(until)s ORDER BY at LIMIT 1)) AS at) AS f,
            LATERAL (SELECT {bucket_end}) AS b(upto),
            LATERAL ({last_in_bucket}) AS p
        WHERE points.number < %(limit)s AND f.at IS NOT NULL
    )
    SELECT at, equity, cash, market_value, realized_pl, unrealized_pl, drawdown FROM points ORDER BY at
""".format(
    bucket_end="""
        (date_bin(%(width)s, f.at AT TIME ZONE 'America/New_York', timestamp '2000-01-01') + %(width)s)
            AT TIME ZONE 'America/New_York'
    """,
    last_in_bucket="""
        SELECT at, equity, cash, market_value, realized_pl, unrealized_pl, drawdown FROM portfolio_equitysnapshot
        WHERE book_id = %(book)s AND at >= f.at AND at < b.upto AND at <= %(until)s ORDER BY at DESC, id DESC LIMIT 1
    """,
)


def standing(*, book: Book, at: datetime) -> HistoryPoint | None:
    """The last snapshot at or before an instant: what a curve that begins then is measured from."""
    with raw_cursor() as cursor:
        row = cursor.execute(_STANDING, [book.pk, at]).fetchone()
    return None if row is None else HistoryPoint(*row)


_STANDING = """
    SELECT at, equity, cash, market_value, realized_pl, unrealized_pl, drawdown FROM portfolio_equitysnapshot
    WHERE book_id = %s AND at <= %s ORDER BY at DESC, id DESC LIMIT 1
"""


def beginning(*, book: Book) -> HistoryPoint:
    """The money that the run began with, at the instant of its opening."""
    cash = book.generation.initial_cash
    return HistoryPoint(book.generation.opened_at, cash, cash, ZERO_MONEY, ZERO_MONEY, ZERO_MONEY, ZERO_MONEY)


def history(*, book: Book, timeframe: str, after: datetime, until: datetime, limit: int) -> list[HistoryPoint]:
    """The curve in (after, until], oldest first, at most `limit` points; `until` is not later than now or the run's end.

    Of minutes and hours the last snapshot of each bucket: one in which nothing was held or traded has none. By day a point
    for each session, also where nothing was held: the same as `portfolio.closes.session_closes`.
    """
    if timeframe == BY_SESSION:
        points = session_points(book=book, sessions=sessions_of(book, after=after, until=until), until=until)
        return [point for point in points if point.timestamp > after][:limit]
    arguments = {"book": book.pk, "after": after, "until": until, "width": TIMEFRAMES[timeframe], "limit": limit}
    with raw_cursor() as cursor:
        return [HistoryPoint(*row) for row in cursor.execute(_HISTORY, arguments).fetchall()]


def sessions_of(book: Book, *, after: datetime, until: datetime) -> Sequence[Session]:
    """The sessions of the run that ended in (after, until], and the one in progress then."""
    days, opened_at = calendar(), book.generation.opened_at
    running = days.session_at(until) if until >= opened_at else None
    return [*days.ended(max(after, opened_at), until), *([running] if running else [])]


# One probe of an index for each session, however many snapshots and months of them there are; where a month has none, another
# one over all before it.
_BY_SESSION = """
    WITH found AS MATERIALIZED (
        SELECT number, coalesce(
            (SELECT s FROM portfolio_equitysnapshot s WHERE s.book_id = %(book)s AND s.at <= upto
             AND s.at > upto - interval '1 month' ORDER BY s.at DESC, s.id DESC LIMIT 1),
            (SELECT s FROM portfolio_equitysnapshot s WHERE s.book_id = %(book)s AND s.at <= upto - interval '1 month'
             ORDER BY s.at DESC, s.id DESC LIMIT 1)) AS last
        FROM unnest(%(upto)s::timestamptz[]) WITH ORDINALITY AS sessions(upto, number)
    )
    SELECT (last).at, (last).equity, (last).cash, (last).market_value, (last).realized_pl, (last).unrealized_pl,
           (last).drawdown FROM found ORDER BY number
"""


def session_points(*, book: Book, sessions: Sequence[Session], until: datetime) -> list[HistoryPoint]:
    """What the book came to at the end of each of these sessions, the last value carried over those without a snapshot.

    Sessions before the first snapshot that is left (`portfolio.retention`) have no point. One that has not ended by `until`
    stands under its last snapshot, or under its open where it has none yet.
    """
    arguments = {"book": book.pk, "upto": [min(session.close, until) for session in sessions]}
    with raw_cursor() as cursor:
        rows = cursor.execute(_BY_SESSION, arguments).fetchall()
    known = [(session, HistoryPoint(*row)) for session, row in zip(sessions, rows, strict=True) if row[0] is not None]
    return [
        replace(point, timestamp=session.close if session.close <= until else max(session.open, point.timestamp))
        for session, point in known
    ]


def equity_at(*, book: Book, at: datetime) -> Decimal | None:
    """USD that the book came to at an instant, by its last snapshot until then; None where it has none."""
    last = EquitySnapshot.objects.filter(book=book, at__lte=at).order_by("-at", "-id").values_list("equity", flat=True)
    return last.first()


# Both bounds of a probe let PostgreSQL pass over all months but one or two; a stretch without a snapshot gives no row.
_SAMPLES = """
    SELECT b.id, last.equity
    FROM unnest(%(books)s::bigint[], %(since)s::timestamptz[], %(until)s::timestamptz[]) AS b (id, since, until)
    CROSS JOIN generate_series(1, %(samples)s) AS n
    CROSS JOIN LATERAL (
        SELECT s.equity FROM portfolio_equitysnapshot s
        WHERE s.book_id = b.id AND s.at > b.since + (b.until - b.since) * ((n - 1)::float8 / %(samples)s)
          AND s.at <= b.since + (b.until - b.since) * (n::float8 / %(samples)s)
        ORDER BY s.at DESC, s.id DESC LIMIT 1
    ) AS last
    ORDER BY b.id, n
"""


def sampled_equity(*, spans: Mapping[int, tuple[datetime, datetime]], samples: int) -> dict[int, list[Decimal]]:
    """USD that books came to at the ends of so many equal stretches of (since, until], by book id, in one query.

    What it costs follows the samples, not the snapshots that there are. Stretches without a snapshot are left out.
    """
    found: dict[int, list[Decimal]] = {book_id: [] for book_id in spans}
    columns = {
        "books": list(spans),
        "since": [since for since, _ in spans.values()],
        "until": [until for _, until in spans.values()],
    }
    with raw_cursor() as cursor:
        for book_id, equity in cursor.execute(_SAMPLES, {**columns, "samples": samples}).fetchall():
            found[book_id].append(equity)
    return found
