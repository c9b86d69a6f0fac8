"""What a trader can do with orders: submit, preview, cancel, close a position. One function a use case.

Each owns its transaction: pass the gate, lock the book, load, decide with the engine, write. Admission reads first, so
that a malformed request costs no lock. A book that a reset closed meanwhile means: start over on the current one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

import psycopg
from django.db import transaction

from accounts.models import Generation, PaperAccount
from marketdata import clock
from marketdata.evidence import as_record
from marketdata.gate import pass_gate
from marketdata.instruments import Instrument, InvalidSymbol, parse_symbol
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from marketdata.sessions import Calendar, Session, calendar
from orders.admission import MAX_QTY_DECIMALS, OrderRequest, read_order
from orders.engine import Engine, Submission, load_taken, supply_of
from orders.matching import NoFillReason
from orders.models import Order
from orders.states import OPEN, CancelReason, Status
from orders.terms import OrderType, Side, TimeInForce
from papertrade.lib import metrics
from papertrade.lib.errors import BadRequest, Conflict, NotFound, Unavailable, Unprocessable
from papertrade.lib.numbers import as_uuid, decimals, read_number
from papertrade.lib.postgres import raw_cursor
from papertrade.lib.times import EXCHANGE_ZONE
from portfolio.books import OpenBook
from portfolio.models import Book
from portfolio.money import ZERO, round_money
from portfolio.store import lock_account

GTC_LIFETIME = timedelta(days=90)
Result = TypeVar("Result")
MAX_RESTARTS = 3  # each needs another reset between two statements


@dataclass(frozen=True, slots=True)
class Submitted:
    """The stored order; `replayed` where the same order was sent before and nothing new happened."""

    order: Order
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """One transaction on one account: its open book under lock (None: archived), and the clock, read once."""

    cursor: psycopg.Cursor
    book: OpenBook | None
    now: datetime
    position: str  # of the clock


def submit(*, account: PaperAccount, payload: object) -> Submitted:
    """Take an Alpaca-shaped order: refuse it, reject it, let it wait for the open, or fill it against the quote.

    Raises BadRequest, Unprocessable (unsupported_order, contract_expired, unknown_symbol), Conflict (account_archived,
    client_order_id_not_unique) and Unavailable; nothing is stored then.
    """
    request = read_order(payload)
    return _with_book(account, lambda unit: _submit(unit, account, request))


def cancel(*, account: PaperAccount, order_id: UUID | str, note: str = "") -> Order:
    """Cancel an open order; an operator's `note` goes into its event.

    Raises NotFound, and Conflict `order_not_cancelable` where it is not open any more.
    """
    wanted = as_uuid(order_id, "order")

    def run(unit: Unit) -> Order:
        order = (
            Order.objects.select_related("book__generation", "quote").filter(account_id=account.id, pk=wanted).first()
        )
        if order is None:
            raise NotFound("There is no such order.")
        if unit.book is None or order.status not in OPEN:
            raise Conflict(f"The order is {order.status}, not open.", code="order_not_cancelable", status=order.status)
        _cancel(unit, unit.book, [order], note)
        return order

    return _with_book(account, run)


def cancel_all(*, account: PaperAccount) -> list[Order]:
    """Cancel every open order, by order number; those that were canceled."""

    def run(unit: Unit) -> list[Order]:
        orders = open_orders(unit.book) if unit.book else []
        if unit.book and orders:
            _cancel(unit, unit.book, orders)
        return orders

    return _with_book(account, run)


def close_position(*, account: PaperAccount, symbol: str, qty: object = None) -> Order:
    """Send the market order that sells `qty` of a position, by default all that no open sell holds.

    Raises NotFound (no position), Conflict `nothing_to_close` or `account_archived`, and what `submit` raises.
    """
    try:
        instrument = parse_symbol(symbol)
    except InvalidSymbol:
        raise NotFound("There is no such position.") from None
    wanted = _closing_qty(qty, instrument)

    def run(unit: Unit) -> Submitted:
        if unit.book is None:
            raise _archived()
        position = unit.book.positions.get(instrument.symbol)
        if position is None or position.holding.qty == 0:
            raise NotFound("There is no such position.")
        if position.available_qty == 0 or (wanted or 0) > position.available_qty:
            raise Conflict(
                f"{position.available_qty} of the position is available; open sell orders hold the rest.",
                code="nothing_to_close",
                available=str(position.available_qty),
            )
        request = OrderRequest(
            instrument=instrument,
            qty=wanted or position.available_qty,
            side=Side.SELL,
            type=OrderType.MARKET,
            time_in_force=TimeInForce.DAY,
            limit_price=None,
            intent="sell_to_close",
            extended_hours=False,
            client_order_id=None,
        )
        return _submit(unit, account, request)

    return _with_book(account, run).order


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would get now. Money in USD; `order` is an unsaved row in the state that it would reach.

    `replayed` where its client_order_id names an order already: sent, it would get that one, and change nothing.
    """

    order: Order
    estimated_cost: Decimal | None
    hold: Decimal
    buying_power: Decimal
    buying_power_after: Decimal
    quote: Quote | None
    at: datetime
    replayed: bool = False

    @property
    def book(self) -> Book:
        return self.order.book

    @property
    def admitted(self) -> bool:
        return self.order.status != Status.REJECTED

    @property
    def reason(self) -> str:
        """Why it would not fill now, or would be rejected; empty where it would fill."""
        waits = self.order.status == Status.ACCEPTED
        return self.order.rejected_reason or self.order.no_fill_reason or (NoFillReason.MARKET_CLOSED if waits else "")

    @property
    def would_fill_qty(self) -> Decimal:
        """Shares or contracts that would be filled at once; none where an order was sent under that id already."""
        return ZERO if self.replayed else self.order.filled_qty


def preview(*, account: PaperAccount, payload: object) -> Preview:
    """Everything `submit` would do, and nothing stored. Raises what `submit` raises."""
    request = read_order(payload)

    def run(unit: Unit) -> Preview:
        earlier = _same_client_order_id(account, unit.book, request)
        book = _ready(unit, request)
        before, quote = book.buying_power, _latest(unit, request)
        order = earlier or with_its_rows(_place(unit, Engine(), book, request, quote), book, quote)
        return Preview(
            order=order,
            estimated_cost=_estimated_cost(order, quote),
            hold=order.held_cash,
            buying_power=before,
            buying_power_after=book.buying_power,
            quote=quote,
            at=unit.now,
            replayed=earlier is not None,
        )

    return _with_book(account, run)


def cancel_open(book: OpenBook, reason: CancelReason, at: datetime) -> Engine:
    """Cancel every open order of a locked book, for a reset or an archive; the caller writes the engine."""
    engine = Engine(books={book.id: book})
    for order in open_orders(book):
        engine.end(book, order, Status.CANCELED, at, reason=reason)
    return engine


def with_its_rows(order: Order, book: OpenBook, quote: Quote | None) -> Order:
    """The order with its book and quote in place, so that showing it reads nothing from the database."""
    generation = Generation(pk=book.generation_id, policy=book.policy.as_json())
    order.book = Book(pk=book.id, generation_number=book.generation_number, generation=generation)
    order.quote = as_record(quote) if quote else None
    return order


def open_orders(book: OpenBook) -> list[Order]:
    """The open orders of a locked book, by number."""
    return list(
        Order.objects.select_related("book__generation", "quote")
        .filter(book_id=book.id, status__in=OPEN)
        .order_by("number")
    )


def _with_book(account: PaperAccount, run: Callable[[Unit], Result]) -> Result:
    """Run a use case in one transaction with the account's open book locked, or without one where it has none."""
    for _ in range(MAX_RESTARTS):
        parts = metrics.Parts()
        with transaction.atomic(), raw_cursor() as cursor:
            with cursor.connection.pipeline():
                pass_gate(cursor)
                book = lock_account(cursor, account.id)
            current = book is not None or not Book.objects.filter(account_id=account.id, closed_at=None).exists()
            if current:
                parts.end("lock")
                # Exchange time is read once, and after the lock, so that times in a book never go back.
                reading = clock.read()
                now = book.advance_to(reading.now) if book else reading.now
                result = run(Unit(cursor, book, now, reading.position))
                parts.end("decide")
        if current:
            parts.end("commit")
            return result
        # A reset closed the book while this waited for it: start over on the one that it opened.
    raise Unavailable("The account is being reset; send the request again.")


def _submit(unit: Unit, account: PaperAccount, request: OrderRequest) -> Submitted:
    earlier = _same_client_order_id(account, unit.book, request)
    if earlier is not None:
        return Submitted(earlier, replayed=True)
    book, engine = _ready(unit, request), Engine()
    quote = _latest(unit, request)
    order = _place(unit, engine, book, request, quote)
    engine.write(unit.cursor)
    return Submitted(with_its_rows(order, book, quote))


def _same_client_order_id(account: PaperAccount, book: OpenBook | None, request: OrderRequest) -> Order | None:
    """The order that a retry replays. Raises Conflict where the id names another order of this generation."""
    if request.client_order_id is None:
        return None
    book_id = book.id if book else Book.objects.filter(account_id=account.id).latest("generation_number").pk
    earlier = (
        Order.objects.select_related("book__generation", "quote")
        .filter(book_id=book_id, client_order_id=request.client_order_id)
        .first()
    )
    if earlier is not None and terms(earlier) != request.terms:
        raise Conflict(
            "This client_order_id names another order of this generation; send a new id.",
            code="client_order_id_not_unique",
            order_id=str(earlier.id),
        )
    return earlier


def terms(order: Order) -> tuple[object, ...]:
    """What makes a stored order the same as a request: see `OrderRequest.terms`."""
    return (
        order.symbol, order.qty, order.side, order.type, order.time_in_force, order.limit_price, order.position_intent,
        order.extended_hours,
    )  # fmt: skip


def _ready(unit: Unit, request: OrderRequest) -> OpenBook:
    """The book, where account and market can take the order at all."""
    instrument = request.instrument
    if instrument.expiry is not None and calendar().upcoming(unit.now).date > instrument.expiry:
        raise Unprocessable("The option contract has expired.", code="contract_expired", symbol=instrument.symbol)
    if not current_market().exists(instrument.symbol):
        raise Unprocessable("This market has no such symbol.", code="unknown_symbol", symbol=instrument.symbol)
    if unit.book is None:
        raise _archived()
    return unit.book


def _archived() -> Conflict:
    return Conflict("The account is archived: it takes no orders.", code="account_archived")


def _place(unit: Unit, engine: Engine, book: OpenBook, request: OrderRequest, quote: Quote | None) -> Order:
    sent = _submission(unit.now, request, calendar())
    if quote is not None and sent.in_session:
        engine.taken = load_taken(unit.cursor, {book.id: book}, [supply_of(book.id, request.side, quote)])
    return engine.place(book, request, sent, quote)


def _submission(at: datetime, request: OrderRequest, days: Calendar) -> Submission:
    session: Session = days.upcoming(at)
    if request.time_in_force == TimeInForce.DAY:
        return Submission(at, session, session.close)
    last_day = (at.astimezone(EXCHANGE_ZONE) + GTC_LIFETIME).date()
    return Submission(at, session, days.last_on_or_before(last_day).close)


def _latest(unit: Unit, request: OrderRequest) -> Quote | None:
    symbol = request.instrument.symbol
    return current_market().latest([symbol], at=unit.now, position=unit.position).get(symbol)


def _cancel(unit: Unit, book: OpenBook, orders: list[Order], note: str = "") -> None:
    engine = Engine()
    for order in orders:
        engine.end(book, order, Status.CANCELED, unit.now, reason=CancelReason.REQUESTED, note=note)
    engine.write(unit.cursor)


def _closing_qty(value: object, instrument: Instrument) -> Decimal | None:
    if value is None:
        return None
    qty = read_number(value)
    whole_needed = instrument.is_option
    if qty is None or qty <= 0 or decimals(qty) > (0 if whole_needed else MAX_QTY_DECIMALS):
        raise BadRequest("The quantity cannot be used.", qty="must be a positive number of shares or whole contracts")
    return qty


def _estimated_cost(order: Order, quote: Quote | None) -> Decimal | None:
    """USD that the whole order costs (buy) or brings (sell) at its limit, or at the quote; None without a price."""
    price = order.limit_price or (quote and (quote.ask if order.side == Side.BUY else quote.bid))
    return round_money(order.qty * price * order.multiplier) if price else None
