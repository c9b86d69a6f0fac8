"""How accounts stand, for cards and page heads: summary, the day's change, a sparkline."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from accounts.models import PaperAccount
from marketdata import clock
from marketdata.sessions import calendar
from papertrade.dashboard.live import state_of
from papertrade.dashboard.pictures import Sparkline, sparkline
from portfolio.history import sampled_equity
from portfolio.models import Book
from portfolio.selectors import Summary, books_of, last_equity, summaries
from portfolio.valuation import ratio

SPARK_SAMPLES = 80  # of a line that is 240 units wide, however old the generation is


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


@state_of.register
def _(line: Sparkline) -> object:
    """The equity beside it says more: where a point of the line lies depends on the second."""
    return line.trend


def cards(accounts: Iterable[PaperAccount]) -> list[Card]:
    """The accounts with the figures of their latest books."""
    accounts = list(accounts)
    books = books_of(accounts=accounts)
    figures, lines = standings(list(books.values())), sparks(list(books.values()))
    return [
        Card(account, figures[book.pk], _spark(figures[book.pk].summary, lines[book.pk]))
        for account, book in ((account, books[account.pk]) for account in accounts)
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


def sparks(books: list[Book]) -> dict[int, list[Decimal]]:
    """What each book came to from its beginning until now, sampled, by book id."""
    now = clock.read().now
    spans = {book.pk: (book.generation.opened_at, book.closed_at or now) for book in books}
    return sampled_equity(spans=spans, samples=SPARK_SAMPLES)


def _spark(figures: Summary, samples: list[Decimal]) -> Sparkline | None:
    """The equity curve in miniature, from the initial cash on."""
    return sparkline([figures.initial_cash, *samples, figures.equity])
