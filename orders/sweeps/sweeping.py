"""The open and the close of a session, done once for every book, in chunks, by any number of workers.

A sweep and its chunks are made in one transaction; a worker locks a chunk's row (SKIP LOCKED), decides every order of its
books with the pinned quotes, and marks the chunk done in the same transaction. So a chunk is done exactly once, whoever
crashes, and books being independent the outcome is the same with one worker or several.

Where nobody waits for it, a long sweep is worked on by two threads of a process, each with chunks of its own: while one waits
for PostgreSQL the other decides.
"""

import gc
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from datetime import datetime

import psycopg
import structlog
from django.db import IntegrityError, connection, transaction
from django.db.models import Count, Sum
from django.db.models.functions import Now

from marketdata.clock import MarketIsBehind
from marketdata.gate import HUNG_SECONDS
from marketdata.quotes import Quote, quote_to_json
from marketdata.sessions import Session, calendar
from orders.models import Sweep, SweepChunk
from orders.sweeps.closing import close_chunk, due_at_close, expiring_positions
from orders.sweeps.opening import due_at_open, open_chunk
from papertrade.lib import metrics
from papertrade.lib.lines import milliseconds, say
from papertrade.lib.postgres import raw_cursor
from papertrade.lib.processes import process_name

log = structlog.get_logger(__name__)

CHUNK_ORDERS = 1000  # about a third of a second under lock
BRIEF_CHUNK_ORDERS = 100  # a tenth of that: where requests are let pass in between
LONG_CHUNKS = 4  # left: fewer are not worth a thread
SECOND_THREAD = "second of a sweep"
POLL_SECONDS = 0.02


def boundary_at(at: datetime) -> tuple[str, Session] | None:
    """The kind of sweep that is due at just this instant, and its session; None = none."""
    days = calendar()
    ending, session = days.previous(at), days.session_at(at)
    if ending is not None and ending.close == at:
        return Sweep.Kind.CLOSE, ending
    return (Sweep.Kind.OPEN, session) if session is not None and session.open == at else None


def begin(
    kind: str, session: Session, *, at: datetime, quotes: Callable[[], Iterable[Quote]], brief: bool = False
) -> Sweep | None:
    """The sweep to work on: the unfinished one, or a new one where something is due; None where nothing is.

    A `brief` one has small chunks, so that none takes long.
    """
    earlier = Sweep.objects.filter(kind=kind, session_date=session.date).order_by("-round").first()
    if earlier is not None and earlier.finished_at is None:
        return earlier
    books = _due_books(kind, session)
    if not books:
        return None
    try:
        with transaction.atomic():
            sweep = Sweep.objects.create(
                kind=kind,
                session_date=session.date,
                round=earlier.round + 1 if earlier else 1,
                at=at,
                quotes=[quote_to_json(quote) for quote in quotes()],
            )
            SweepChunk.objects.bulk_create(_chunks(sweep, books, BRIEF_CHUNK_ORDERS if brief else CHUNK_ORDERS))
    except IntegrityError:  # another process made the same one first
        return begin(kind, session, at=at, quotes=quotes, brief=brief)
    return sweep


def due_symbols(kind: str, session: Session) -> list[str]:
    """The symbols whose quotes a sweep of that kind decides on."""
    if kind == Sweep.Kind.OPEN:
        return list(due_at_open(session).order_by().values_list("symbol", flat=True).distinct())
    return list(expiring_positions(session).order_by().values_list("symbol", flat=True).distinct())


def _due_books(kind: str, session: Session) -> dict[int, int]:
    """How many orders and positions are due, by book id, in id order."""
    counts: dict[int, int] = {}
    orders = due_at_open(session) if kind == Sweep.Kind.OPEN else due_at_close(session)
    due = [orders.order_by().values_list("book_id", flat=True)]
    if kind == Sweep.Kind.CLOSE:
        due.append(expiring_positions(session).order_by().values_list("book_id", flat=True))
    for book_ids in due:
        for book_id in book_ids.iterator():
            counts[book_id] = counts.get(book_id, 0) + 1
    return dict(sorted(counts.items()))


def _chunks(sweep: Sweep, books: dict[int, int], size: int) -> list[SweepChunk]:
    chunks: list[SweepChunk] = []
    for book_id, orders in books.items():
        if not chunks or chunks[-1].orders + orders > size:
            chunks.append(SweepChunk(sweep=sweep, number=len(chunks), first_book_id=book_id, orders=0))
        chunks[-1].last_book_id = book_id
        chunks[-1].orders += orders
    return chunks


def finish(sweep: Sweep, *, until: float = math.inf) -> bool:
    """Work on a sweep until all of it is done, by whomever; a chunk whose worker died is taken over.

    False where the monotonic clock came to `until` first: it is looked at after each chunk.
    """
    while True:
        with in_two_threads(sweep) if until == math.inf else nullcontext():
            while work(sweep):
                if time.monotonic() >= until:
                    return False
        if not sweep.chunks.filter(done_at__isnull=True).exists():
            if Sweep.objects.filter(pk=sweep.pk, finished_at__isnull=True).update(finished_at=Now()):
                _tell_of_sweep(sweep)
            return True
        if time.monotonic() >= until:
            return False
        time.sleep(POLL_SECONDS)


def work(sweep: Sweep) -> bool:
    """Claim and do one chunk; False where no chunk is free."""
    with transaction.atomic(), raw_cursor() as cursor:
        cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = '{HUNG_SECONDS}s'")
        chunk = (
            SweepChunk.objects.select_for_update(skip_locked=True)
            .filter(sweep=sweep, done_at__isnull=True)
            .order_by("number")
            .first()
        )
        if chunk is None:
            return False
        began = time.perf_counter()
        with metrics.CHUNK_SECONDS.labels(sweep.kind).time(), _no_garbage_collection:
            outcomes = _do(cursor, sweep, chunk)
        SweepChunk.objects.filter(pk=chunk.pk).update(done_at=Now(), worker=process_name())
    took, books = time.perf_counter() - began, f"{chunk.first_book_id}-{chunk.last_book_id}"
    say("chunk", sweep=str(sweep), run=sweep.pk, chunk=chunk.number, books=books, **outcomes, ms=milliseconds(took))
    return True


@contextmanager
def in_two_threads(sweep: Sweep) -> Iterator[None]:
    """Meanwhile a second thread does chunks of the sweep too, where many are left."""
    if not sweep.chunks.filter(done_at__isnull=True)[LONG_CHUNKS - 1 : LONG_CHUNKS].exists():
        yield
        return
    over = threading.Event()
    second = threading.Thread(target=copy_context().run, args=(_work_until, over, sweep), name=SECOND_THREAD)
    second.start()
    try:
        yield
    finally:
        over.set()
        second.join()


def _work_until(over: threading.Event, sweep: Sweep) -> None:
    """Do chunks until none is free, or the other thread has ended."""
    try:
        while not over.is_set() and work(sweep):
            pass
    except Exception:  # the chunk is free again, and the first thread meets with the same
        log.exception("second_thread_ended", sweep=str(sweep))
    finally:
        connection.close()


def _tell_of_sweep(sweep: Sweep) -> None:
    """The line of a sweep that is done."""
    rows = Sweep.objects.filter(pk=sweep.pk).annotate(count=Count("chunks"), due=Sum("chunks__orders"))
    begun, ended, chunks, due = rows.values_list("created_at", "finished_at", "count", "due").get()
    took = milliseconds((ended - begun).total_seconds())
    say("sweep", sweep=str(sweep), run=sweep.pk, chunks=chunks, due=due, ms=took)


def do_book(cursor: psycopg.Cursor, kind: str, session: Session, book_id: int) -> bool:
    """What a sweep that is under way will do with one book, at once; whether anything was due.

    The book must be locked. Its chunk finds nothing left of it then. Raises MarketIsBehind where the sweep is not made yet.
    """
    if not _is_due(kind, session, book_id):
        return False
    sweep = Sweep.objects.filter(kind=kind, session_date=session.date, finished_at__isnull=True).first()
    if sweep is None:
        raise MarketIsBehind("An open or a close is about to be done; nothing was stored. Send it again in a moment.")
    _do(cursor, sweep, SweepChunk(sweep=sweep, first_book_id=book_id, last_book_id=book_id))
    return True


def _is_due(kind: str, session: Session, book_id: int) -> bool:
    if kind == Sweep.Kind.OPEN:
        return due_at_open(session).filter(book_id=book_id).exists()
    due = (due_at_close(session), expiring_positions(session))
    return any(rows.filter(book_id=book_id).exists() for rows in due)


def _do(cursor: psycopg.Cursor, sweep: Sweep, chunk: SweepChunk) -> dict[str, int]:
    return open_chunk(cursor, sweep, chunk) if sweep.kind == Sweep.Kind.OPEN else close_chunk(cursor, sweep, chunk)


class _NoGarbageCollection:
    """A chunk makes a hundred thousand objects and no cycles of them: looking for some takes a sixth of its time."""

    def __init__(self) -> None:
        self._chunks, self._was_on = 0, False
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            if not self._chunks:
                self._was_on = gc.isenabled()
                gc.disable()
            self._chunks += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._chunks -= 1
            if not self._chunks and self._was_on:
                gc.enable()


_no_garbage_collection = _NoGarbageCollection()  # of the process, whose threads share one collector
