"""How accounts stand, for cards and page heads: summary, the day's change, a sparkline."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from accounts.models import PaperAccount
from marketdata import clock
from marketdata.sessions import calendar
from papertrade.dashboard.pictures import Sparkline, sparkline
from portfolio.history import history
from portfolio.models import Book
from portfolio.selectors import Summary, books_of, last_equity, summaries
from portfolio.valuation import ratio

# (generations no older than this, timeframe of their sparkline): a hundred points or two, however old.
SPARK_TIMEFRAMES = ((timedelta(days=2), "5Min"), (timedelta(days=40), "1H"))
SPARK_LONGEST_TIMEFRAME = "1D"
SPARK_POINTS = 260
JUST_BEFORE = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """A book with its figures. `day_change` is in USD since the session's open (of a closed book: its last session's).

    `day_change_share` and `total_change_share` are fractions.
    """

    book: Book
    summary: Summary
    day_change: Decimal
    day_change_share: Decimal
    total_change: Decimal
    total_change_share: Decimal


@dataclass(frozen=True, slots=True)
class Card:
    """What the list of accounts shows of one."""

    account: PaperAccount
    standing: Standing
    spark: Sparkline | None


def cards(accounts: Iterable[PaperAccount]) -> list[Card]:
    """The accounts with the figures of their latest books."""
    accounts = list(accounts)
    books = books_of(accounts=accounts)
    figures = standings(list(books.values()))
    return [
        Card(account, figures[books[account.pk].pk], spark_of(books[account.pk], figures[books[account.pk].pk].summary))
        for account in accounts
    ]


def standings(books: list[Book]) -> dict[int, Standing]:
    """How these books stand, by book id: a query for the figures, and one for each day that their sessions began on."""
    found = summaries(books=books)
    now = clock.read().now
    by_day: dict[datetime, list[Book]] = {}
    for book in books:
        by_day.setdefault(_day_began(book.closed_at or now), []).append(book)
    before = {
        pk: equity for day, group in by_day.items() for pk, equity in last_equity(books=group, before=day).items()
    }
    return {book.pk: _standing(book, found[book.pk], before.get(book.pk)) for book in books}


def _standing(book: Book, figures: Summary, before: Decimal | None) -> Standing:
    start = figures.initial_cash if before is None else before
    day, total = figures.equity - start, figures.equity - figures.initial_cash
    return Standing(
        book=book,
        summary=figures,
        day_change=day,
        day_change_share=ratio(day, start),
        total_change=total,
        total_change_share=ratio(total, figures.initial_cash),
    )


def _day_began(at: datetime) -> datetime:
    """The open of the session in progress then, else of the last one."""
    sessions = calendar().last(1, at)
    return sessions[0].open if sessions else at


def spark_of(book: Book, figures: Summary) -> Sparkline | None:
    """The equity curve of a book up to now, in miniature."""
    until = book.closed_at or clock.read().now
    began = book.generation.opened_at
    timeframe = next((name for age, name in SPARK_TIMEFRAMES if until - began <= age), SPARK_LONGEST_TIMEFRAME)
    points = history(book=book, timeframe=timeframe, after=began - JUST_BEFORE, until=until, limit=SPARK_POINTS)
    return sparkline([*(point.equity for point in points), figures.equity])
