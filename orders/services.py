"""What a trader can do with orders: submit, preview, cancel one or all. One function a use case; see also `orders.replacing`
and `orders.closing`.

Each owns its transaction: pass the gate, lock the book, load, decide with the engine, write. Admission reads first, so
that a malformed request costs no lock. A book that a reset closed meanwhile means: start over on the current one.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar
from uuid import UUID

import psycopg
from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import Max, Q, QuerySet

from accounts.models import Generation, PaperAccount
from marketdata import clock
from marketdata.evidence import as_record
from marketdata.gate import pass_gate
from marketdata.markets.current import current_market
from marketdata.quotes import Quote
from marketdata.sessions import Calendar, Session, calendar
from orders.admission import OrderRequest, read_order
from orders.catching_up import catch_up, patient
from orders.engine import Engine, Submission
from orders.matching import NoFillReason
from orders.models import IS_OPEN, Order
from orders.selectors import get_order
from orders.states import OPEN, CancelReason, Status
from orders.supplies import load_taken, supply_of
from orders.terms import Side, TimeInForce
from papertrade.lib import metrics, tracing
from papertrade.lib.batch import Batch
from papertrade.lib.errors import Conflict, Unavailable, Unprocessable
from papertrade.lib.numbers import as_uuid
from papertrade.lib.postgres import raw_cursor
from papertrade.lib.times import EXCHANGE_ZONE
from papertrade.lib.words import counted
from portfolio.books import OpenBook
from portfolio.models import Book
from portfolio.money import ZERO, round_money
from portfolio.store import ask_for_account, lock_account

GTC_LIFETIME = timedelta(days=90)
Result = TypeVar("Result")
CANCEL_CHUNK = 200  # orders a transaction
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

    Raises BadRequest, Unprocessable (unsupported_order, contract_expired, unknown_symbol, too_many_open_orders), Conflict
    (account_archived, client_order_id_not_unique, generation_not_current) and Unavailable; nothing is stored then.
    """
    request = read_order(payload)
    return with_book(account, lambda unit: submit_in(unit, account, request))


def cancel(*, account: PaperAccount, order_id: UUID | str, note: str = "") -> Order:
    """Cancel an open order; an operator's `note` goes into its event.

    Raises NotFound, and Conflict `order_not_cancelable` where it is not open any more.
    """
    wanted = as_uuid(order_id, "order")
    if note in set(CancelReason):
        # Else the event would say that reason, and the audit find that the order differs from it.
        note = f"operator: {note}"

    def run(unit: Unit) -> Order:
        order = get_order(account=account, order_id=wanted)
        if unit.book is None or order.status not in OPEN:
            raise Conflict(f"The order is {order.status}, not open.", code="order_not_cancelable", status=order.status)
        _cancel(unit, unit.book, [order], note)
        return order

    return with_book(account, run)


def cancel_all(
    *, account: PaperAccount, symbols: Collection[str] | None = None, side: str | None = None
) -> list[Order]:
    """Cancel every open order, or those of some symbols or one side, by order number; those that were canceled.

    In transactions of CANCEL_CHUNK orders, so that nobody waits long for the book; orders sent meanwhile stay. Raises
    Unavailable, which says how many are canceled, where it gets no further after some.
    """
    wanted = IS_OPEN
    if symbols is not None:
        wanted &= Q(symbol__in=symbols)
    if side is not None:
        wanted &= Q(side=side)
    last = Order.objects.filter(wanted, account_id=account.id).aggregate(last=Max("number"))["last"]

    def run(unit: Unit) -> list[Order]:
        orders = list(open_orders(unit.book).filter(wanted, number__lte=last)[:CANCEL_CHUNK]) if unit.book else []
        if unit.book and orders:
            _cancel(unit, unit.book, orders)
        return orders

    canceled: list[Order] = []
    try:
        while last is not None and (some := with_book(account, run)):
            canceled += some
    except (Unavailable, OperationalError, InterfaceError) as problem:
        if not canceled:
            raise
        were = f"{counted(len(canceled), 'order')} {'was' if len(canceled) == 1 else 'were'} canceled"
        said = f"{were}; then the server was busy, and the rest are still open. Send the request again."
        raise Unavailable(said) from problem
    return canceled


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
        earlier = same_client_order_id(account, unit.book, request)
        book = ready(unit, request)
        before, quote = book.buying_power, quote_for(unit, request)
        order = earlier or with_its_rows(_place(unit, Engine(), book, request, quote), book, quote)
        if earlier is None:
            _refuse_too_many(order)
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

    return with_book(account, run)


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


def open_orders(book: OpenBook) -> QuerySet[Order]:
    """The open orders of a locked book, by number."""
    orders = Order.objects.select_related("book__generation", "quote")
    return orders.filter(IS_OPEN, book_id=book.id).order_by("number")


@patient
def with_book(account: PaperAccount, run: Callable[[Unit], Result]) -> Result:
    """Run a use case in one transaction with the account's open book locked, or without one where it has none."""
    for _ in range(MAX_RESTARTS):
        parts = metrics.Parts()
        with transaction.atomic(), raw_cursor() as cursor:
            with Batch(cursor.connection) as batch:
                pass_gate(batch)
                asked = ask_for_account(batch, account.id)
                looked = clock.look(batch)  # after the lock, so that times in a book never go back
            book, reading = asked(), looked()
            current = book is not None or not Book.objects.filter(account_id=account.id, closed_at=None).exists()
            if current:
                tracing.waited(parts.end("lock"))
                if book is not None and catch_up(cursor, book.id, reading):
                    book = lock_account(cursor, account.id)
                now = book.advance_to(reading.now) if book else reading.now
                result = run(Unit(cursor, book, now, reading.position))
                parts.end("decide")
        if current:
            parts.end("commit")
            return result
        # A reset closed the book while this waited for it: start over on the one that it opened.
    raise Unavailable("The account is being reset; send the request again.")


def submit_in(unit: Unit, account: PaperAccount, request: OrderRequest) -> Submitted:
    """Take an order in a transaction that has begun. Raises what `submit` raises."""
    earlier = same_client_order_id(account, unit.book, request)
    if earlier is not None:
        return Submitted(earlier, replayed=True)
    book, engine = ready(unit, request), Engine()
    quote = quote_for(unit, request)
    order = _place(unit, engine, book, request, quote)
    _refuse_too_many(order)
    engine.write(unit.cursor)
    return Submitted(with_its_rows(order, book, quote))


def same_client_order_id(account: PaperAccount, book: OpenBook | None, request: OrderRequest) -> Order | None:
    """The order that a retry replays. Raises Conflict where the id names another order of this generation."""
    earlier = sent_before(account, book, request.client_order_id)
    if earlier is not None and terms(earlier) != request.terms:
        raise id_of_another(earlier)
    return earlier


def id_of_another(earlier: Order) -> Conflict:
    """The refusal where a client_order_id was sent before with other terms."""
    return Conflict(
        "This client_order_id names another order of this generation; send a new id.",
        code="client_order_id_not_unique",
        order_id=str(earlier.id),
    )


def sent_before(account: PaperAccount, book: OpenBook | None, client_order_id: str | None) -> Order | None:
    """The order of the latest generation that was sent under that id; `book` is its book, None of an archived account."""
    if client_order_id is None:
        return None
    book_id = book.id if book else Book.objects.filter(account_id=account.id).latest("generation_number").pk
    orders = Order.objects.select_related("book__generation", "quote")
    return orders.filter(book_id=book_id, client_order_id=client_order_id).first()


def terms(order: Order) -> tuple[object, ...]:
    """What makes a stored order the same as a request: see `OrderRequest.terms`."""
    return (
        order.symbol,
        order.qty,
        order.side,
        order.type,
        order.time_in_force,
        order.limit_price,
        order.position_intent,
        order.extended_hours,
    )


def ready(unit: Unit, request: OrderRequest) -> OpenBook:
    """The account's open book, where account and market take the order at all. Raises Conflict, Unprocessable."""
    instrument = request.instrument
    if instrument.expiry is not None and calendar().upcoming(unit.now).date > instrument.expiry:
        raise Unprocessable("The option contract has expired.", code="contract_expired", symbol=instrument.symbol)
    if not current_market().exists(instrument.symbol):
        raise Unprocessable("This market has no such symbol.", code="unknown_symbol", symbol=instrument.symbol)
    if unit.book is None:
        raise archived()
    if request.generation is not None and request.generation != unit.book.generation_number:
        raise Conflict(
            f"The order is for generation {request.generation}, but the account was reset and is in generation "
            f"{unit.book.generation_number}. Nothing was stored.",
            code="generation_not_current",
            generation=unit.book.generation_number,
        )
    return unit.book


def archived() -> Conflict:
    """The refusal of an archived account."""
    return Conflict("The account is archived: it takes no orders.", code="account_archived")


def _refuse_too_many(order: Order) -> None:
    """One account must not make every quote slow for all: an order that would wait beyond the server's cap is refused.

    Call before the order is stored.
    """
    most = settings.PAPERTRADE_MAX_OPEN_ORDERS
    if order.status in OPEN and open_orders_number(order.book_id, most) >= most:
        raise Unprocessable(
            f"The account has {most} open orders, the most that this server lets wait. Cancel some first.",
            code="too_many_open_orders",
            limit=most,
        )


def open_orders_number(book_id: int, most: int) -> int:
    """How many open orders a book has, counted up to `most`."""
    return len(Order.objects.filter(IS_OPEN, book_id=book_id).order_by().values_list("pk", flat=True)[:most])


def _place(unit: Unit, engine: Engine, book: OpenBook, request: OrderRequest, quote: Quote | None) -> Order:
    return engine.place(book, request, sent_now(unit, engine, book, request, quote), quote)


def sent_now(unit: Unit, engine: Engine, book: OpenBook, request: OrderRequest, quote: Quote | None) -> Submission:
    """When the order is sent; where it is evaluated at once, the engine is told what was taken of the quote."""
    sent = _submission(unit.now, request, calendar())
    if quote is not None and sent.in_session:
        engine.taken = load_taken(unit.cursor, {book.id: book}, [supply_of(book.id, request.side, quote)])
    return sent


def _submission(at: datetime, request: OrderRequest, days: Calendar) -> Submission:
    session: Session = days.upcoming(at)
    if request.time_in_force == TimeInForce.DAY:
        return Submission(at, session, session.close)
    last_day = (at.astimezone(EXCHANGE_ZONE) + GTC_LIFETIME).date()
    return Submission(at, session, days.last_on_or_before(last_day).close)


def quote_for(unit: Unit, request: OrderRequest) -> Quote | None:
    """The quote that the order is decided on: the latest, at just the clock's position. Raises Unavailable."""
    symbol = request.instrument.symbol
    return current_market().latest([symbol], at=unit.now, position=unit.position).get(symbol)


def _cancel(unit: Unit, book: OpenBook, orders: list[Order], note: str = "") -> None:
    engine = Engine()
    for order in orders:
        engine.end(book, order, Status.CANCELED, unit.now, reason=CancelReason.REQUESTED, note=note)
    engine.write(unit.cursor)


def _estimated_cost(order: Order, quote: Quote | None) -> Decimal | None:
    """USD that the whole order costs (buy) or brings (sell) at its limit, or at the quote; None without a price."""
    price = order.limit_price or (quote and (quote.ask if order.side == Side.BUY else quote.bid))
    return round_money(order.qty * price * order.multiplier) if price else None
