"""The passage of time: quotes put to orders in order, the open, the close, snapshots, and the clock behind them all.

At one instant, in this order (trading-rules.md section 2): quotes stamped then, the close, the open, the snapshot; then
requests. The feed process and the clock endpoint run the same `Mover`; in the recorded and simulated markets it keeps
everyone else at the gate while it works, so that one step or many give the same books.

What a quote does to the books and the clock's position are committed in one transaction; at the boundaries the work is
idempotent and the clock follows it. So a crash anywhere repeats harmlessly.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

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
from papertrade.lib.postgres import raw_cursor
from portfolio.marks import Mark, held_symbols, keep_marks, stored_quotes
from portfolio.services import snapshot_books
from portfolio.valuation import mark_price

SNAPSHOT_EVERY = timedelta(minutes=1)


_movers: dict[int, "Mover"] = {}


def the_mover() -> "Mover":
    """This process's mover of the market in force: it keeps its place in the recording between two steps."""
    current = current_market()
    if id(current) not in _movers:
        _movers.clear()
        _movers[id(current)] = Mover(current)
    return _movers[id(current)]


class Mover:
    """Moves one market. Hold `moving()` around every call."""

    def __init__(self, current: Market) -> None:
        self.market = current
        self.cursor = current.feed.cursor()
        self.valid: dict[str, Quote] = {}  # the latest quote of a session that gives a mark, by symbol
        self.held: list[str] = []
        self.in_use: list[str] = []  # held, or with open orders; another list once it changes
        self.reaches: dict[str, working.Reach] | None = None  # of symbols with open orders; None = to be asked
        self.kept: dict[str, Quote] = {}  # what the database has as marks, as far as this process knows

    def step(self, to: datetime) -> None:
        """Advance exchange time to `to` and do everything due by then."""
        reading = self._seek()
        self._look_again(reading.through)
        for instant in _instants(reading.through, to, begun=reading.through_rows is not None):
            for quote in self.cursor.until(instant, lambda: self.in_use):
                self._apply(quote)
            # Between open and close there is nothing to do in a minute for which nobody holds anything.
            if self.held or instant == to or not _within_session(instant):
                self._do_due(instant)
                clock.commit_position(instant, None)
        self.market.publish(self.cursor, through=clock.read().position)

    def publish(self) -> None:
        """Fill the quote book anew, as of the clock's position."""
        self.market.publish(self.cursor, through=self._seek().position)

    def _seek(self) -> clock.ClockReading:
        """Go where the clock stands: another process may have moved it, or this one has crashed half way."""
        reading = clock.read()
        self.cursor.seek(reading.through, reading.through_rows, self._note)
        return reading

    def _note(self, quote: Quote) -> Session | None:
        """Remember the mark that a quote gives; the session it was stamped in."""
        session = calendar().session_at(quote.quoted_at)
        if session is not None and _mark(quote) is not None:
            self.valid[quote.symbol] = quote
        return session

    def _apply(self, quote: Quote) -> None:
        session = self._note(quote)
        # Before the open has been evaluated, a quote stamped at it only updates the book.
        if session is None or quote.quoted_at == session.open or not self._reach(quote.symbol).touched_by(quote):
            return
        self._keep_marks()  # a fill is followed by a snapshot of all that its book holds
        with transaction.atomic(), raw_cursor() as cursor:
            if working.put(cursor, quote, at=quote.quoted_at, session=session):
                self._look_again_at(quote)
                clock.commit_position(*self.cursor.position)

    def _do_due(self, instant: datetime) -> None:
        """The close, the open and the snapshot of this instant, in that order."""
        self._keep_marks()
        days = calendar()
        ending = days.previous(instant)
        if ending is not None and ending.close == instant:
            self._sweep(Sweep.Kind.CLOSE, ending, instant)
        session = days.session_at(instant)
        if session is not None and session.open == instant:
            self._sweep(Sweep.Kind.OPEN, session, instant)
        on_the_minute = session is not None and (instant - session.open) % SNAPSHOT_EVERY == timedelta(0)
        if on_the_minute or (ending is not None and ending.close == instant):
            snapshot_books(at=instant)

    def _sweep(self, kind: Sweep.Kind, session: Session, at: datetime) -> None:
        """Until nothing is due: a sweep that a crash left behind may not know the orders that were sent since."""
        while (sweep := sweeping.begin(kind, session, at=at, quotes=self._quotes_of(kind, session, at))) is not None:
            tasks.invite_workers(sweep)
            sweeping.finish(sweep)
            self._look_again(at)

    def _quotes_of(self, kind: Sweep.Kind, session: Session, at: datetime) -> list[Quote]:
        symbols = sweeping.due_symbols(kind, session)
        if kind == Sweep.Kind.OPEN:
            return list(self.market.latest_of(self.cursor, symbols, at).values())
        stored = stored_quotes({parse_symbol(symbol).underlying for symbol in symbols})
        return [quote for quote in stored.values() if session.contains(quote.quoted_at)]

    def _keep_marks(self) -> None:
        fresh = {
            symbol: Mark(_mark(self.valid[symbol]), self.valid[symbol])
            for symbol in self.held
            if symbol in self.valid and self.valid[symbol] is not self.kept.get(symbol)
        }
        keep_marks(fresh)
        self.kept |= {symbol: mark.quote for symbol, mark in fresh.items()}

    def _look_again(self, at: datetime) -> None:
        """Orders and positions may have changed: forget what was known of them."""
        self.reaches = None
        self._see_held(at)
        self.in_use = sorted({*self.held, *working.symbols_with_open_orders()})

    def _look_again_at(self, quote: Quote) -> None:
        """A fill changes the orders of its own symbol only, and nobody sends others while the gate is closed."""
        self.reaches |= working.reaches([quote.symbol])
        self._see_held(quote.quoted_at)
        if not set(self.held) <= set(self.in_use):
            self.in_use = sorted({*self.held, *self.in_use})

    def _see_held(self, at: datetime) -> None:
        before, self.held = self.held, held_symbols()
        new = set(self.held) - set(before)
        for quote in self.market.newly_in_use(self.cursor, new, at).values():
            self._note(quote)

    def _reach(self, symbol: str) -> working.Reach:
        if self.reaches is None:
            self.reaches = working.reaches(working.symbols_with_open_orders())
        return self.reaches.get(symbol, working.NO_REACH)


def _mark(quote: Quote) -> Decimal | None:
    """The mark that the quote gives where it was stamped in a session."""
    return mark_price(bid=quote.bid, ask=quote.ask, is_option=parse_symbol(quote.symbol).is_option)


def _instants(after: datetime, to: datetime, *, begun: bool) -> Iterator[datetime]:
    """The instants in (after, to] at which something beside quotes is due, and `to` itself; before them one half done."""
    days, at = calendar(), after
    if begun:
        yield after
    while at < to:
        session = days.upcoming(at)
        if at < session.open:
            following = session.open
        else:
            following = min(session.open + SNAPSHOT_EVERY * ((at - session.open) // SNAPSHOT_EVERY + 1), session.close)
        at = min(following, to)
        yield at


def _within_session(at: datetime) -> bool:
    session = calendar().session_at(at)
    return session is not None and session.open != at
