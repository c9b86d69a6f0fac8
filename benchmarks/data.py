"""Accounts, books and orders in bulk, through the same code that writes real ones."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import islice
from typing import TypeVar

from django.db import transaction

from accounts.models import Generation, PaperAccount, User
from accounts.policy import Policy
from marketdata import clock
from marketdata.sessions import calendar
from orders.admission import read_order
from orders.engine import Engine, Submission
from papertrade.lib.postgres import raw_cursor
from portfolio.books import OpenBook
from portfolio.models import Book, EventType
from portfolio.selectors import frame_of
from portfolio.services import write_books
from portfolio.store import lock_books

CHUNK_BOOKS = 200
Thing = TypeVar("Thing")


def chunks(things: Iterable[Thing], size: int) -> Iterator[list[Thing]]:
    """Lists of at most `size`."""
    iterator = iter(things)
    while chunk := list(islice(iterator, size)):
        yield chunk


def user() -> User:
    """The one user that owns everything here; the limit of accounts is not what is measured."""
    return User.objects.get_or_create(username="bench")[0]


def open_books(count: int, *, cash: Decimal = Decimal(10_000_000)) -> list[int]:
    """Funded books, each of an account of its own; their ids."""
    at, owner, policy = clock.read().now, user(), Policy()
    ids: list[int] = []
    for numbers in chunks(range(count), CHUNK_BOOKS):
        with transaction.atomic(), raw_cursor() as cursor:
            accounts = PaperAccount.objects.bulk_create(
                PaperAccount(user=owner, name=f"bench {number}", created_at=at, updated_at=at) for number in numbers
            )
            generations = Generation.objects.bulk_create(
                Generation(
                    account=account,
                    number=1,
                    initial_cash=cash,
                    owner=owner.username,
                    policy=policy.as_json(),
                    feed="bench",
                    engine_version="1",
                    opened_at=at,
                )
                for account in accounts
            )
            rows = Book.objects.bulk_create(
                Book(
                    generation=generation,
                    generation_number=1,
                    account_id=generation.account_id,
                    cash=cash,
                    peak_equity=cash,
                    last_at=at,
                )
                for generation in generations
            )
            books = lock_books(cursor, [row.pk for row in rows])
            frame = frame_of(generations[0])
            for book in books:
                book.open(cash, at, frame)
                book.record(EventType.ACCOUNT_OPENED, at)
            write_books(cursor, books)
        ids += [row.pk for row in rows]
    return ids


def place_orders(book_ids: Sequence[int], payloads_of: Callable[[OpenBook], list[dict[str, str]]]) -> int:
    """Store orders that wait for the open, in every book; how many. The market must be closed."""
    at, stored = clock.read().now, 0
    session = calendar().upcoming(at)
    sent = Submission(at, session, session.close)
    for some in chunks(book_ids, CHUNK_BOOKS):
        with transaction.atomic(), raw_cursor() as cursor:
            engine = Engine()
            for book in lock_books(cursor, some):
                for payload in payloads_of(book):
                    engine.place(book, read_order(payload), sent, None)
            stored += len(engine.placed)
            engine.write(cursor)
    return stored


class PayloadsOf:
    """The orders of each book: `per_book` market buys of one share, spread over symbols."""

    def __init__(self, symbols: Sequence[str], per_book: int) -> None:
        self.symbols, self.per_book = symbols, per_book

    def __call__(self, book: OpenBook) -> list[dict[str, str]]:
        start = book.id * self.per_book
        return [
            {
                "symbol": self.symbols[(start + number) % len(self.symbols)],
                "qty": "1",
                "side": "buy",
                "type": "market",
                "time_in_force": "day",
            }
            for number in range(self.per_book)
        ]


def forget_everything() -> None:
    """Empty all tables but the calendar, so that one benchmark does not slow the next."""
    with transaction.atomic(), raw_cursor() as cursor:
        tables = [
            name
            for (name,) in cursor.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND (tablename ~ '^(orders|portfolio)_' "
                "OR tablename IN ('accounts_paperaccount', 'accounts_generation', 'marketdata_quoterecord', "
                "'marketdata_marketclock'))"
            ).fetchall()
        ]
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
        cursor.execute(f"TRUNCATE {', '.join(tables)} CASCADE")
        for table in tables:
            cursor.execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")
