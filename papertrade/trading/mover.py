"""The passage of time: quotes put to orders in order, the open, the close, snapshots, and the clock behind them all.

At one instant, in this order (trading-rules.md section 2): quotes stamped then, the close, the open, the snapshot; then
requests. The feed process and the clock endpoint run the same `Mover`; it keeps everyone else at the gate while it works, so
that one step or many give the same books.

What a quote does to the books and the clock's position are committed in one transaction, and so are minutes and the position
after them; at an open and a close the work is idempotent and the clock follows it. So a crash anywhere repeats harmlessly.
"""

import math
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from operator import attrgetter

from django.db import transaction

from marketdata import clock
from marketdata.instruments import parse_symbol
from marketdata.markets.base import Market
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from marketdata.sessions import Session, calendar
from orders import tasks, working
from orders.models import Sweep
from orders.sweeps import sweeping
from papertrade.lib.batch import Batch as Statements
from papertrade.lib.postgres import raw_cursor
from portfolio.marks import Mark, held_symbols, keep_marks, mark_of, stored_quotes
from portfolio.services import (
    FEW_BOOKS,
    LAST_BOOK,
    SNAPSHOT_CHUNK_BOOKS,
    SNAPSHOT_EVERY,
    ask_for_holding_books,
    is_minute,
    plan_for_few_books,
    snapshot,
    snapshot_books,
)

MINUTES_TOGETHER = 60  # at most so many minutes share a transaction, while nothing else happens between them


_movers: dict[int, "Mover"] = {}


def drop_movers() -> None:
    """Forget what this process knows of the market: it may be out of date."""
    _movers.clear()


def the_mover() -> "Mover":
    """This process's mover of the current market: it keeps its place in the recording between two steps."""
    current = current_market()
    if id(current) not in _movers:
        _movers.clear()
        _movers[id(current)] = Mover(current)
    return _movers[id(current)]


@dataclass(slots=True)
class Batch:
    """The quotes of one instant, and up to which book they have been put to orders."""

    at: datetime
    quotes: Sequence[Quote]
    after_book: int = 0


@dataclass(frozen=True, slots=True)
class Minute:
    """A minute whose snapshot is still to be written, and the marks at it of what is held, where they have changed."""

    at: datetime
    marks: dict[str, Mark]


class Mover:
    """Moves one market. Hold `moving()` around every call."""

    def __init__(self, current: Market) -> None:
        self.market = current
        self.cursor = current.feed.cursor()
        self.held_symbols: list[str] = []
        self.order_symbols: list[str] = []  # with open orders: every quote of these is put to them
        self.marking_quotes: dict[str, Quote] = {}  # the latest quote of a session that gives a mark, by symbol
        self.stored_marks: dict[str, Quote] = {}  # what the database has as marks, as far as this process knows
        self._reaches: dict[str, working.Reach] | None = None  # of symbols with open orders; None = not read yet
        self._minutes: list[Minute] = []  # still to be written, before anything else is
        self._unfinished: Batch | None = None  # what a step that ran out of time left to the next
        self._invited: int | None = None  # the sweep that the workers were last asked to share

    def step(self, to: datetime, *, seconds: float | None = None) -> bool:
        """Advance exchange time to `to` and do everything due by then; whether all of it is done.

        With `seconds`, the step ends after the chunk of books during which that much wall time has passed, so that requests
        pass the gate; the next one goes on from there, in the same order. A live market takes what it has heard only when
        everything before that is done.
        """
        deadline = Deadline(seconds)
        reading = self._seek()
        self._reload_interest(reading.through)
        done = self._go_to(to, reading, deadline)
        self.market.publish(self.cursor, through=clock.read().position)
        return done

    def publish(self) -> None:
        """Fill the quote book anew, as of the clock's position."""
        self.market.publish(self.cursor, through=self._seek().position)

    def _seek(self) -> clock.ClockReading:
        """Go where the clock stands: another process may have moved it, or this one may have failed half way."""
        reading = clock.read()
        rest, self._minutes = self._unfinished, []
        if (
            rest is None
            or not reading.half_done
            or (rest.at, rest.after_book) != (reading.through, reading.through_book)
        ):
            self._unfinished = None
            self.cursor.seek(reading.through, whole=not reading.half_done, passed=self._remember_mark)
        return reading

    def _go_to(self, to: datetime, reading: clock.ClockReading, deadline: "Deadline") -> bool:
        begun, first_minute = reading.through_book is not None, self.market.first_minute(to)
        for instant in _instants(reading.through, to, begun=begun, first_minute=first_minute):
            if instant == to:
                self.market.take(self.cursor, to)
            for batch in self._batches(instant, reading):
                if not self._apply(batch, deadline):
                    return False
            # Between open and close there is nothing to do in a minute for which nobody holds anything.
            is_due = self.held_symbols or instant == to or not _within_session(instant)
            if is_due and not self._do_due(instant, deadline):
                return False
            if self._minutes and (instant == to or deadline.is_set or len(self._minutes) >= MINUTES_TOGETHER):
                self._write_minutes()
                if deadline.is_over and instant != to:
                    return False
        return True

    def _batches(self, to: datetime, reading: clock.ClockReading) -> Iterator[Batch]:
        """What an earlier step left over, by this process or by another, and what comes after it."""
        if self._unfinished is not None:
            rest, self._unfinished = self._unfinished, None
            yield rest
        for quotes in self.cursor.until(to, self.order_symbols):
            at = quotes[0].at
            left_over = reading.half_done and at == reading.through
            yield Batch(at, quotes, (reading.through_book or 0) if left_over else 0)

    def _apply(self, batch: Batch, deadline: "Deadline") -> bool:
        """Put the quotes of an instant to orders, and remember their marks; False where time was up before the last book."""
        session = calendar().session_at(batch.at)
        # Before the open has been evaluated, a quote stamped at it only updates the book.
        if session is not None and batch.at != session.open:
            near = [quote for quote in batch.quotes if self._reach(quote.symbol).touched_by(quote)]
            if near and not self._put(batch, {quote.symbol for quote in near}, session, deadline):
                self._unfinished = batch
                return False
        for quote in batch.quotes:
            self._remember_mark(quote)
        return True

    def _put(self, batch: Batch, symbols: Collection[str], session: Session, deadline: "Deadline") -> bool:
        """Chunk by chunk of books; each is one transaction with the clock's position, so that a crash repeats nothing."""
        self._write_minutes()
        self._keep_marks(batch.at - clock.JUST_BEFORE)  # a fill is followed by a snapshot of all that its book holds
        held = set(self.held_symbols)
        quotes = [quote for quote in batch.quotes if quote.symbol in symbols or quote.symbol in held]
        if unseen := [quote for quote in self._unseen(batch.at) if quote.at == batch.at]:
            quotes = sorted([*quotes, *unseen], key=attrgetter("symbol"))
        resumed = batch.after_book > 0
        while True:
            with transaction.atomic(), raw_cursor() as cursor:
                put = working.put(
                    cursor, quotes, at=batch.at, session=session, after_book=batch.after_book, resumed=resumed
                )
                if put.changed:
                    self._reload_interest_in(symbols, batch.at)
                if put.changed or put.last_book is not None:
                    clock.commit_position(batch.at, clock.ALL_BOOKS if put.last_book is None else put.last_book)
            if put.last_book is None:
                return True
            batch.after_book = put.last_book
            if deadline.is_over:
                return False

    def _do_due(self, instant: datetime, deadline: "Deadline") -> bool:
        """The close or the open of this instant, then the snapshot, then the clock's position; False where time was up before
        the last book.
        """
        boundary = sweeping.boundary_at(instant)
        if boundary is None and is_minute(instant):
            self._minutes.append(Minute(instant, self._fresh_marks(instant)))
            return True
        self._write_minutes()
        self._keep_marks(instant)
        if boundary is not None:
            if not self._sweep(*boundary, instant, deadline):
                return False
            clock.commit_position(instant, clock.ALL_BOOKS)  # so that no request is dated before a snapshot that exists
            snapshot_books(at=instant)
        clock.commit_position(instant, None)
        return True

    def _write_minutes(self) -> None:
        """Write marks, snapshots and position of the waiting minutes, a chunk of snapshots in each transaction."""
        while self._minutes:
            with transaction.atomic(), raw_cursor() as cursor:
                with Statements(cursor.connection) as first:
                    holding = ask_for_holding_books(first, 0, LAST_BOOK, at=self._minutes[-1].at)
                books = holding()
                are_all = len(books) < SNAPSHOT_CHUNK_BOOKS
                minutes = self._minutes[: max(1, SNAPSHOT_CHUNK_BOOKS // max(1, len(books)))]
                last = minutes[-1]
                with Statements(cursor.connection) as rest:
                    if len(books) <= FEW_BOOKS:
                        plan_for_few_books(rest)
                    for minute in minutes:
                        keep_marks(rest, minute.marks)
                        snapshot(rest, books, at=minute.at)
                    done = None if are_all else clock.ALL_BOOKS
                    refuse_if_lost = clock.ask_to_commit_position(rest, last.at, done)
                refuse_if_lost()
            self._remember_stored(last.marks)
            del self._minutes[: len(minutes)]
            if not are_all:
                snapshot_books(at=last.at, after=books[-1])
                clock.commit_position(last.at, None)

    def _sweep(self, kind: str, session: Session, at: datetime, deadline: "Deadline") -> bool:
        """Until nothing is due: a sweep that a crash left behind may not know the orders that were sent since."""
        while True:
            quotes = partial(self._quotes_of, kind, session, at)
            sweep = sweeping.begin(kind, session, at=at, quotes=quotes, brief=deadline.is_set)
            if sweep is None:
                return True
            if sweep.pk != self._invited:
                self._invited = sweep.pk
                # From here on a request does what is due for its own book, should this process leave the rest or die.
                clock.commit_position(at, clock.ALL_BOOKS)
                tasks.invite_workers(sweep)
                if deadline.is_over:  # making it took long, the next step begins with a chunk
                    return False
            if not sweeping.finish(sweep, until=deadline.until):
                return False
            self._reload_interest(at)

    def _quotes_of(self, kind: str, session: Session, at: datetime) -> list[Quote]:
        symbols = sweeping.due_symbols(kind, session)
        if kind == Sweep.Kind.OPEN:
            return list(self.market.latest_of(self.cursor, symbols, at).values())
        stored = stored_quotes({parse_symbol(symbol).underlying for symbol in symbols})
        return [quote for quote in stored.values() if session.contains(quote.quoted_at)]

    def _remember_mark(self, quote: Quote) -> None:
        if mark_of(quote) is not None:
            self.marking_quotes[quote.symbol] = quote

    def _keep_marks(self, at: datetime) -> None:
        """Store the marks of what is held at an instant, where they have changed."""
        marks = self._fresh_marks(at)
        with raw_cursor() as cursor:
            keep_marks(cursor, marks)
        self._remember_stored(marks)

    def _fresh_marks(self, at: datetime) -> dict[str, Mark]:
        for latest in self._unseen(at):
            self._remember_mark(latest)
        return {
            symbol: Mark(mark, quote)
            for symbol in self.held_symbols
            if (quote := self.marking_quotes.get(symbol)) is not None
            and quote is not self.stored_marks.get(symbol)
            and (mark := mark_of(quote)) is not None
        }

    def _unseen(self, at: datetime) -> Collection[Quote]:
        """The latest quotes of what is held without open orders, from a market that gives only the quotes it is asked for."""
        return self.market.unseen(self.cursor, set(self.held_symbols) - set(self.order_symbols), at).values()

    def _remember_stored(self, marks: dict[str, Mark]) -> None:
        self.stored_marks |= {symbol: mark.quote for symbol, mark in marks.items()}

    def _reload_interest(self, at: datetime) -> None:
        """Read anew which symbols have open orders or are held."""
        self._reaches = None
        self._reload_held(at)
        self.order_symbols = working.symbols_with_open_orders()

    def _reload_interest_in(self, symbols: Collection[str], at: datetime) -> None:
        """Fills change the orders of their own symbols only, and nobody sends others while the gate is closed."""
        self._reaches = {**(self._reaches or {}), **working.reaches(symbols)}
        self._reload_held(at)

    def _reload_held(self, at: datetime) -> None:
        before, self.held_symbols = self.held_symbols, held_symbols()
        new = set(self.held_symbols) - set(before)
        for quote in self.market.unseen(self.cursor, new, at).values():
            self._remember_mark(quote)

    def _reach(self, symbol: str) -> working.Reach:
        if self._reaches is None:
            self._reaches = working.reaches(self.order_symbols)
        return self._reaches.get(symbol, working.NO_REACH)


class Deadline:
    """The end of a number of wall seconds that begin now; None = there is no end."""

    def __init__(self, seconds: float | None) -> None:
        self.until = math.inf if seconds is None else time.monotonic() + seconds

    @property
    def is_set(self) -> bool:
        return self.until < math.inf

    @property
    def is_over(self) -> bool:
        return time.monotonic() >= self.until


def _instants(after: datetime, to: datetime, *, begun: bool, first_minute: datetime | None) -> Iterator[datetime]:
    """The instants in (after, to] at which something besides quotes is due, and `to` itself; `begun`: `after` before them.

    At minutes before `first_minute` nothing is due; opens and closes always are.
    """
    days, at = calendar(), after
    if begun:
        yield after
    while at < to:
        session = days.upcoming(at)
        if at < session.open:
            following = session.open
        else:
            seen = at if first_minute is None else max(at, min(first_minute, session.close))
            following = min(
                session.open + SNAPSHOT_EVERY * ((seen - session.open) // SNAPSHOT_EVERY + 1), session.close
            )
        at = min(following, to)
        yield at


def _within_session(at: datetime) -> bool:
    session = calendar().session_at(at)
    return session is not None and session.open != at
