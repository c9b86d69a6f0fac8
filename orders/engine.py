"""Orders and books of one transaction: decide with the pure rules, collect the rows, write once.

The same path for one order and for a hundred thousand. A use case locks the books (`portfolio.store`), hands them to an
`Engine`, places, evaluates or ends orders in order of their number, and calls `write`.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from uuid import UUID

import psycopg
from django.db import transaction
from uuid_utils.compat import uuid7

from marketdata.instruments import parse_symbol
from marketdata.quotes import Quote
from marketdata.sessions import Session
from orders import matching
from orders.admission import OrderRequest
from orders.holds import first_hold, later_hold, refuse, working
from orders.matching import Circumstances, NoFill, Reject, evaluate
from orders.models import Order
from orders.rows import FillRow, OrderUpdate
from orders.states import CancelReason, RejectReason, Status, move
from orders.supplies import Supply, supply_of
from orders.terms import Side
from papertrade.lib import metrics
from papertrade.lib.lines import say_of_order
from portfolio.books import Done, OpenBook
from portfolio.bulk import Writer, write_all
from portfolio.models import EventType
from portfolio.money import ZERO, ZERO_MONEY
from portfolio.store import collect

_INSERT = tuple(column.attname for column in Order._meta.concrete_fields if column.attname != "recorded_at")
_insert_row = attrgetter(*_INSERT)
_changes = attrgetter(*OrderUpdate._fields)


@dataclass(frozen=True, slots=True)
class Submission:
    """When an order was sent, the session it belongs to and when it ends; fixed under the lock."""

    at: datetime
    session: Session
    expires_at: datetime

    @property
    def in_session(self) -> bool:
        return self.session.contains(self.at)


@dataclass(slots=True)
class Engine:
    """One transaction's worth of decisions on locked books.

    `taken` says what each generation took of each displayed price since it was set; load it with `load_taken`.
    """

    taken: dict[Supply, Decimal] = field(default_factory=dict)
    books: dict[int, OpenBook] = field(default_factory=dict)
    placed: list[Order] = field(default_factory=list)
    changed: dict[UUID, Order] = field(default_factory=dict)
    fills: list[FillRow] = field(default_factory=list)

    def place(self, book: OpenBook, request: OrderRequest, sent: Submission, quote: Quote | None) -> Order:
        """Store the order: rejected, waiting for the open, or evaluated at once (trading-rules.md section 4)."""
        self.books[book.id] = book
        order = new_order(book, request, sent, quote)
        self.placed.append(order)
        refusal = refuse(book, order, quote)
        if refusal:
            self._reject(book, order, refusal, sent.at, quote)
        else:
            self._accept(book, order, sent, quote, at_submission=True)
        return order

    def replace(
        self, book: OpenBook, old: Order, request: OrderRequest, sent: Submission, quote: Quote | None
    ) -> Order | RejectReason:
        """Replace an open order by another, which takes over what it holds: no other order can come between the two.

        The new order is judged as one that is already working. Where the book cannot take it, returns the reason: discard book
        and engine then, for the old order goes on unchanged.
        """
        self.books[book.id] = book
        self._hold(book, old, ZERO, sent.at)
        order = new_order(book, request, sent, quote)
        refusal = refuse(book, order, quote)
        if refusal:
            return refusal
        order.replaces_id, old.replaced_by_id = old.id, order.id
        old.status, old.replaced_at = move(old.status, Status.REPLACED), sent.at
        old.no_fill_reason, old.no_fill_at = "", None
        self._touch(old, sent.at)
        book.record(
            EventType.ORDER_REPLACED, sent.at, order_id=old.id, order_status=old.status, symbol=old.symbol, quote=quote
        )
        self.placed.append(order)
        self._accept(book, order, sent, quote, at_submission=False)
        return order

    def _accept(
        self, book: OpenBook, order: Order, sent: Submission, quote: Quote | None, *, at_submission: bool
    ) -> None:
        """Hold for the order, and evaluate it at once where the market is open."""
        self._hold(book, order, first_hold(order, quote), sent.at)
        order.status, order.accepted_at = move(order.status, Status.ACCEPTED), sent.at
        book.record(
            EventType.ORDER_SUBMITTED,
            sent.at,
            order_id=order.id,
            order_status=order.status,
            symbol=order.symbol,
            quote=quote,
        )
        if sent.in_session:
            self.evaluate(book, order, quote, sent.at, sent.session, at_submission=at_submission)

    def evaluate(
        self,
        book: OpenBook,
        order: Order,
        quote: Quote | None,
        at: datetime,
        session: Session,
        *,
        at_submission: bool = False,
    ) -> bool:
        """Put a quote to an open order; whether anything about the order changed."""
        self.books[book.id] = book
        position = book.positions.get(order.symbol)
        now = Circumstances(
            at=at,
            session_open=session.open if session.contains(at) else None,
            policy=book.policy,
            buying_power=book.buying_power,
            taken=self.taken.get(supply_of(book.id, order.side, quote), ZERO) if quote else ZERO,
            position_qty=position.holding.qty if position else ZERO,
            at_submission=at_submission,
        )
        decision = evaluate(working(order), quote, now)
        first_of_session = order.evaluated_on != session.date
        order.evaluated_on = session.date
        if isinstance(decision, NoFill):
            changed = self._leave_open(book, order, decision.reason, at, quote)
            if changed or first_of_session:
                self._touch(order, at if changed else order.updated_at)
            return changed
        if isinstance(decision, Reject):
            self._refuse_open(book, order, decision.reason, at, quote)
        else:
            assert quote is not None, "nothing fills without a quote"
            self._fill(book, order, decision, at, quote)
        return True

    def end(
        self,
        book: OpenBook,
        order: Order,
        status: Status,
        at: datetime,
        *,
        reason: str = "",
        note: str = "",
        quote: Quote | None = None,
    ) -> None:
        """Cancel or expire an open order and release what it holds.

        A `note` says more than the reason in its event; `quote` is the one that ended it, where one did.
        """
        self.books[book.id] = book
        order.status = move(order.status, status)
        if status == Status.CANCELED:
            order.canceled_at, order.cancel_reason = at, reason
            event = EventType.ORDER_CANCELED
        else:
            order.expired_at, event = order.expires_at, EventType.ORDER_EXPIRED
        order.no_fill_reason, order.no_fill_at = "", None
        self._hold(book, order, ZERO, at)
        self._touch(order, at)
        book.record(
            event,
            at,
            order_id=order.id,
            order_status=order.status,
            symbol=order.symbol,
            reason=note or reason,
            quote=quote,
        )

    def write(self, cursor: psycopg.Cursor, *, extra: Writer | None = None, lines: bool = True) -> None:
        """Write every order, fill and book that was touched; once that is committed, count them, with a line each if asked."""
        books = Writer()
        collect(books, self.books.values())
        orders = Writer()
        placed = {order.id for order in self.placed}
        orders.insert("orders_order", _INSERT, [_insert_row(order) for order in self.placed])
        orders.update(
            "orders_order",
            OrderUpdate,
            [OrderUpdate(*_changes(order)) for order in self.changed.values() if order.id not in placed],
        )
        orders.insert("orders_fill", FillRow._fields, self.fills)
        write_all(cursor, *([extra] if extra else []), books, orders)
        touched = self._touched()
        outcomes = [(str(order.status), order.reason) for order in touched]
        # Whatever fails there, the orders are stored: `robust`, so that nobody is told otherwise.
        transaction.on_commit(lambda: metrics.count_orders(outcomes, placed=len(placed)), robust=True)
        if lines:
            told = [order for order in touched if order.id in placed or order.status not in QUIET]
            transaction.on_commit(lambda: _tell(told), robust=True)

    def outcomes(self) -> dict[str, int]:
        """How many orders that were touched are in which state."""
        return dict(Counter(str(order.status) for order in self._touched()))

    def _touched(self) -> Collection[Order]:
        return ({order.id: order for order in self.placed} | self.changed).values()

    def _leave_open(self, book: OpenBook, order: Order, reason: str, at: datetime, quote: Quote | None) -> bool:
        """Remember why it did not fill, as an event where the reason differs from the last one."""
        status = move(order.status, Status.NEW) if order.status == Status.ACCEPTED else order.status
        if reason == order.no_fill_reason and status == order.status:
            return False
        order.status = status
        order.no_fill_reason, order.no_fill_at = str(reason), at
        book.record(
            EventType.ORDER_EVALUATED,
            at,
            order_id=order.id,
            order_status=status,
            symbol=order.symbol,
            reason=str(reason),
            quote=quote,
        )
        return True

    def _refuse_open(self, book: OpenBook, order: Order, reason: str, at: datetime, quote: Quote | None) -> None:
        # What was filled stays booked, so a partially filled order is canceled, not rejected.
        if order.status == Status.PARTIALLY_FILLED:
            self.end(book, order, Status.CANCELED, at, reason=CancelReason(reason), quote=quote)
        else:
            self._reject(book, order, reason, at, quote)

    def _reject(self, book: OpenBook, order: Order, reason: str, at: datetime, quote: Quote | None) -> None:
        order.status = move(order.status, Status.REJECTED)
        order.rejected_at, order.rejected_reason = at, str(reason)
        order.no_fill_reason, order.no_fill_at = "", None
        self._hold(book, order, ZERO, at)
        self._touch(order, at)
        book.record(
            EventType.ORDER_REJECTED,
            at,
            order_id=order.id,
            order_status=order.status,
            symbol=order.symbol,
            reason=str(reason),
            quote=quote,
        )

    def _fill(self, book: OpenBook, order: Order, fill: matching.Fill, at: datetime, quote: Quote) -> None:
        instrument, buying = parse_symbol(order.symbol), order.side == Side.BUY
        order.filled_qty += fill.qty
        order.exact_cost += fill.qty * fill.price * order.multiplier
        order.booked += fill.amount
        full = order.filled_qty == order.qty
        # The order's own hold goes first: the fill may need all of it.
        self._hold(book, order, ZERO if buying else order.remaining, at)
        post = book.buy if buying else book.sell
        posted = post(
            instrument, fill.qty, fill.amount, quote=quote, price=fill.price, order_number=order.number, at=at
        )
        order.status = move(order.status, Status.FILLED if full else Status.PARTIALLY_FILLED)
        order.no_fill_reason, order.no_fill_at = "", None
        order.filled_at = at if full else None
        if buying and not full:
            self._hold(book, order, later_hold(book, order, fill.price), at)
        self._touch(order, at)
        key = supply_of(book.id, order.side, quote)
        self.taken[key] = self.taken.get(key, ZERO) + fill.qty
        fill_id = uuid7()
        done = Done(fill.qty, fill.price, fill.amount, posted.position_qty, order.filled_qty, order.remaining)
        seq = book.record(
            EventType.ORDER_FILLED,
            at,
            order_id=order.id,
            order_status=order.status,
            symbol=order.symbol,
            fill_id=fill_id,
            quote=quote,
            done=done,
        )
        self.fills.append(
            FillRow(
                id=fill_id,
                order_id=order.id,
                account_id=order.account_id,
                book_id=order.book_id,
                seq=seq,
                symbol=order.symbol,
                asset_class=order.asset_class,
                side=order.side,
                qty=fill.qty,
                price=fill.price,
                gross_amount=fill.amount,
                realized_pl=posted.realized_pl,
                quote_id=quote.id,
                price_since=key.since,
                ledger_transaction_id=posted.transaction_id,
                created_at=at,
            )
        )
        if quote.bid is not None:
            book.mark({order.symbol: (quote.bid, quote.quoted_at)})
        book.snapshot(at)

    def _hold(self, book: OpenBook, order: Order, hold: Decimal, at: datetime) -> None:
        """Make `hold` what the order reserves: cash of a buy, quantity of a sell."""
        if order.side == Side.BUY:
            if hold != order.held_cash:
                book.hold_cash(hold - order.held_cash)
                order.held_cash = hold
        elif hold != order.held_qty:
            book.hold_qty(order.symbol, hold - order.held_qty, at)
            order.held_qty = hold

    def _touch(self, order: Order, at: datetime) -> None:
        order.updated_at = at
        self.changed[order.id] = order


# An order that goes on waiting needs no line each time it is looked at.
QUIET = frozenset({Status.ACCEPTED, Status.NEW})


def _tell(orders: Collection[Order]) -> None:
    """Log a line for each order that was placed, filled or ended."""
    for order in orders:
        say_of_order(
            order=str(order.id),
            number=order.number,
            account=str(order.account_id),
            client_order_id=order.client_order_id,
            side=order.side,
            qty=f"{order.qty.normalize():f}",
            symbol=order.symbol,
            status=str(order.status),
            filled=f"{order.filled_qty.normalize():f}",
            reason=order.reason,
        )


def new_order(book: OpenBook, request: OrderRequest, sent: Submission, quote: Quote | None) -> Order:
    """The row of an order that is about to be judged; it has no status yet."""
    instrument = request.instrument
    order_id = uuid7()
    return Order(
        id=order_id,
        account_id=book.account_id,
        book_id=book.id,
        number=book.next_order_number(),
        client_order_id=request.client_order_id or str(order_id),
        symbol=instrument.symbol,
        asset_class=str(instrument.asset_class),
        multiplier=instrument.multiplier,
        side=str(request.side),
        type=str(request.type),
        time_in_force=str(request.time_in_force),
        position_intent=str(request.intent),
        extended_hours=request.extended_hours,
        qty=request.qty,
        limit_price=request.limit_price,
        status="",
        filled_qty=ZERO,
        exact_cost=ZERO,
        booked=ZERO_MONEY,
        held_cash=ZERO_MONEY,
        held_qty=ZERO,
        session_date=sent.session.date,
        expires_at=sent.expires_at,
        quote_id=book.keep(quote),
        submitted_at=sent.at,
        updated_at=sent.at,
        note=request.labels.note,
        tags=list(request.labels.tags),
    )
