"""The open and the close of a session, done once for every book, in chunks, by any number of workers.

A run and its chunks are made in one transaction; a worker locks a chunk's row (SKIP LOCKED), decides every order of its
books with the pinned quotes, and marks the chunk done in the same transaction. So a chunk is done exactly once, whoever
crashes, and books being independent the outcome is the same with one worker or several.
"""

import gc
import os
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from itertools import groupby

import psycopg
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.db.models.functions import Now

from marketdata.quotes import Quote, quote_from_json, quote_to_json
from marketdata.sessions import Session, calendar
from orders.engine import Engine, load_taken, supply_of
from orders.models import IS_OPEN, Order, SessionRun, SessionRunChunk
from orders.states import Status
from papertrade import metrics
from papertrade.postgres import fetch, raw_cursor
from portfolio.books import OpenBook
from portfolio.models import Position
from portfolio.services import settle_option
from portfolio.store import lock_books

CHUNK_ORDERS = 1000  # about a third of a second under lock
POLL_SECONDS = 0.02


def due_at_open(session: Session) -> QuerySet[Order]:
    """Open orders that this session has not evaluated yet, sent at or before its open."""
    return Order.objects.filter(IS_OPEN, submitted_at__lte=session.open, expires_at__gt=session.open).filter(
        Q(evaluated_on__isnull=True) | Q(evaluated_on__lt=session.date)
    )


def due_at_close(session: Session) -> QuerySet[Order]:
    """Open orders whose time has run out by the close of this session."""
    return Order.objects.filter(IS_OPEN, expires_at__lte=session.close)


def expiring_positions(session: Session) -> QuerySet[Position]:
    """Held options whose contracts' last session this is, or was, and that nobody has flagged yet."""
    following = calendar().next_open(session.close)
    return Position.objects.filter(
        expires_on__lt=following.date, qty__gt=0, unsettled=False, book__closed_at__isnull=True
    )


def begin(kind: SessionRun.Kind, session: Session, *, at: datetime, quotes: Iterable[Quote]) -> SessionRun | None:
    """The run to work on: the unfinished one, or a new one where something is due; None where nothing is."""
    earlier = SessionRun.objects.filter(kind=kind, session_date=session.date).order_by("-round").first()
    if earlier is not None and earlier.finished_at is None:
        return earlier
    books = _due_books(kind, session)
    if not books:
        return None
    try:
        with transaction.atomic():
            run = SessionRun.objects.create(
                kind=kind,
                session_date=session.date,
                round=earlier.round + 1 if earlier else 1,
                at=at,
                quotes=[quote_to_json(quote) for quote in quotes],
            )
            SessionRunChunk.objects.bulk_create(_chunks(run, books))
    except IntegrityError:  # another process made the same one first
        return begin(kind, session, at=at, quotes=quotes)
    return run


def due_symbols(kind: SessionRun.Kind, session: Session) -> list[str]:
    """The symbols whose quotes a run of that kind decides on."""
    if kind == SessionRun.Kind.OPEN:
        return list(due_at_open(session).order_by().values_list("symbol", flat=True).distinct())
    return list(expiring_positions(session).order_by().values_list("symbol", flat=True).distinct())


def _due_books(kind: SessionRun.Kind, session: Session) -> dict[int, int]:
    """How many orders and positions are due, by book id, in id order."""
    counts: dict[int, int] = {}
    orders = due_at_open(session) if kind == SessionRun.Kind.OPEN else due_at_close(session)
    due = [orders.order_by().values_list("book_id", flat=True)]
    if kind == SessionRun.Kind.CLOSE:
        due.append(expiring_positions(session).order_by().values_list("book_id", flat=True))
    for book_ids in due:
        for book_id in book_ids.iterator():
            counts[book_id] = counts.get(book_id, 0) + 1
    return dict(sorted(counts.items()))


def _chunks(run: SessionRun, books: dict[int, int]) -> list[SessionRunChunk]:
    chunks: list[SessionRunChunk] = []
    for book_id, orders in books.items():
        if not chunks or chunks[-1].orders + orders > CHUNK_ORDERS:
            chunks.append(SessionRunChunk(run=run, number=len(chunks), first_book_id=book_id, orders=0))
        chunks[-1].last_book_id = book_id
        chunks[-1].orders += orders
    return chunks


def finish(run: SessionRun) -> None:
    """Work on a run until all of it is done, by whomever; a chunk whose worker died is taken over."""
    while work(run):
        pass
    while run.chunks.filter(done_at__isnull=True).exists():
        time.sleep(POLL_SECONDS)
        while work(run):
            pass
    SessionRun.objects.filter(pk=run.pk, finished_at__isnull=True).update(finished_at=Now())


def work(run: SessionRun) -> bool:
    """Claim and do one chunk; False where no chunk is free."""
    with transaction.atomic(), raw_cursor() as cursor:
        chunk = (
            SessionRunChunk.objects.select_for_update(skip_locked=True)
            .filter(run=run, done_at__isnull=True)
            .order_by("number")
            .first()
        )
        if chunk is None:
            return False
        do = _open_chunk if run.kind == SessionRun.Kind.OPEN else _close_chunk
        with metrics.CHUNK_SECONDS.labels(run.kind).time(), _no_garbage_collection():
            do(cursor, run, chunk)
        SessionRunChunk.objects.filter(pk=chunk.pk).update(done_at=Now(), worker=worker_name())
    return True


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """A chunk makes a hundred thousand objects and no cycles of them: looking for some takes a sixth of its time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def worker_name() -> str:
    """Who did it: host and process, as shown to operators."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _open_chunk(cursor: psycopg.Cursor, run: SessionRun, chunk: SessionRunChunk) -> None:
    session, quotes = _session(run), _pinned(run.pk)
    books, orders = _lock_due(cursor, due_at_open(session), chunk)
    keys = {supply_of(o.book_id, o.side, quotes[o.symbol]) for o in orders if o.symbol in quotes}
    engine = Engine(taken=load_taken(cursor, books, keys))
    for order in orders:
        book = books[order.book_id]
        engine.evaluate(book, order, quotes.get(order.symbol), book.time(run.at), session)
    engine.write(cursor)


def _close_chunk(cursor: psycopg.Cursor, run: SessionRun, chunk: SessionRunChunk) -> None:
    session, quotes = _session(run), _pinned(run.pk)
    ended, expiring = due_at_close(session), _in_chunk(expiring_positions(session), chunk)
    books, orders = _lock_due(cursor, ended, chunk, also=expiring.values_list("book_id", flat=True))
    engine = Engine(books=books)
    # Day orders go first, then gtc (trading-rules.md section 2).
    for book_id, in_book in groupby(orders, key=lambda order: order.book_id):
        for order in sorted(in_book, key=lambda order: (order.time_in_force != "day", order.number)):
            engine.end(books[book_id], order, Status.EXPIRED, books[book_id].time(order.expires_at))
    for book in books.values():
        for symbol in sorted(book.positions):
            position = book.positions[symbol]
            if (
                position.expires_on
                and position.holding.qty
                and not position.unsettled
                and _is_over(position.expires_on, session)
            ):
                settle_option(book, position, quotes.get(position.instrument.underlying), book.time(run.at))
    engine.write(cursor)


def _is_over(expires_on: object, session: Session) -> bool:
    return expires_on < calendar().next_open(session.close).date


def _lock_due(
    cursor: psycopg.Cursor, due: QuerySet[Order], chunk: SessionRunChunk, also: Iterable[int] = ()
) -> tuple[dict[int, OpenBook], list[Order]]:
    """The chunk's books, locked, and their due orders by book and number, read under the lock."""
    due = _in_chunk(due, chunk)
    wanted = {*due.order_by().values_list("book_id", flat=True), *also}
    books = {book.id: book for book in lock_books(cursor, sorted(wanted))}
    return books, fetch(cursor, due.filter(book_id__in=list(books)).order_by("book_id", "number"))


def _in_chunk(rows: QuerySet, chunk: SessionRunChunk) -> QuerySet:
    return rows.filter(book_id__gte=chunk.first_book_id, book_id__lte=chunk.last_book_id)


def _session(run: SessionRun) -> Session:
    session = calendar().on(run.session_date)
    assert session is not None, "a run is made for a session that exists"
    return session


@lru_cache(maxsize=2)
def _pinned(run_id: int) -> dict[str, Quote]:
    """The quotes of a run by symbol; a run's quotes never change."""
    stored = SessionRun.objects.values_list("quotes", flat=True).get(pk=run_id)
    return {quote.symbol: quote for quote in map(quote_from_json, stored)}
