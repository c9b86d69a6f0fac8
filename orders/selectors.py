"""Reading orders, fills and the events that explain them. Nothing here writes or locks."""

from datetime import datetime
from decimal import Decimal
from functools import cache
from typing import NamedTuple
from uuid import UUID

from django.db.models import QuerySet

from accounts.models import PaperAccount
from orders.models import Fill, Order, average_price
from papertrade.lib.errors import NotFound
from papertrade.lib.numbers import as_uuid
from papertrade.lib.postgres import raw_cursor
from portfolio.models import AccountEvent, Book
from portfolio.selectors import book_of


def orders_of(*, account: PaperAccount, generation: int | None = None) -> QuerySet[Order]:
    """The orders of one generation, by default the latest, newest first. Raises NotFound."""
    book = book_of(account=account, generation=generation)
    return Order.objects.select_related("book__generation", "quote").filter(book=book).order_by("-number")


class ListedOrder(NamedTuple):
    """An order as a list shows it: plain values of columns, without an object for each row and each quote.

    The quote at submission is part of the row, which stands for it: `bid` to `feed`.
    """

    id: UUID
    number: int
    client_order_id: str
    account_id: UUID
    symbol: str
    asset_class: str
    multiplier: int
    qty: Decimal
    filled_qty: Decimal
    exact_cost: Decimal
    side: str
    type: str
    time_in_force: str
    limit_price: Decimal | None
    status: str
    position_intent: str
    extended_hours: bool
    rejected_reason: str
    cancel_reason: str
    no_fill_reason: str
    no_fill_at: datetime | None
    submitted_at: datetime
    accepted_at: datetime | None
    updated_at: datetime
    filled_at: datetime | None
    canceled_at: datetime | None
    expired_at: datetime | None
    rejected_at: datetime | None
    expires_at: datetime
    replaced_at: datetime | None
    replaced_by_id: UUID | None
    replaces_id: UUID | None
    note: str
    tags: list[str]
    bid: Decimal | None
    ask: Decimal | None
    bid_size: Decimal | None
    ask_size: Decimal | None
    quoted_at: datetime | None
    feed: str | None
    book: Book

    @property
    def quote(self) -> "ListedOrder | None":
        return None if self.quoted_at is None else self

    @property
    def average_fill_price(self) -> Decimal | None:
        return average_price(self.exact_cost, self.filled_qty, self.multiplier)


_OF_QUOTE = ("bid", "ask", "bid_size", "ask_size", "quoted_at", "feed")
_LISTED = [f"quote__{name}" if name in _OF_QUOTE else name for name in ListedOrder._fields if name != "book"]


def listed_orders(rows: QuerySet[Order], *, book: Book) -> list[ListedOrder]:
    """The orders of a query on one book, in one statement."""
    statement, values = rows.values_list("pk").query.sql_with_params()
    with raw_cursor() as cursor:
        found = cursor.execute(statement.replace(*_columns(), 1), values, binary=True)
        return [ListedOrder._make((*row, book)) for row in found]


@cache
def _columns() -> tuple[str, str]:
    """How a query for ids begins, and how one for what a list shows does.

    Composing forty columns takes Django longer than PostgreSQL takes to read the page, so it is done once.
    """
    ids, listed = (Order.objects.order_by().values_list(*names) for names in (["pk"], _LISTED))
    return ids.query.sql_with_params()[0], listed.query.sql_with_params()[0]


def get_order(*, account: PaperAccount, order_id: UUID | str) -> Order:
    """One order of the account, of any generation. Raises NotFound."""
    wanted = as_uuid(order_id, "order")
    order = Order.objects.select_related("book__generation", "quote").filter(account=account, pk=wanted).first()
    if order is None:
        raise NotFound("There is no such order.")
    return order


def order_by_client_order_id(*, account: PaperAccount, client_order_id: str, generation: int | None = None) -> Order:
    """The order of one generation with that client_order_id. Raises NotFound."""
    order = orders_of(account=account, generation=generation).filter(client_order_id=client_order_id).first()
    if order is None:
        raise NotFound("The generation has no order with that client_order_id.")
    return order


def fills_of(*, account: PaperAccount, generation: int | None = None) -> QuerySet[Fill]:
    """The fills of one generation, by default the latest, newest first, with their quotes. Raises NotFound."""
    book = book_of(account=account, generation=generation)
    return Fill.objects.select_related("quote", "book__generation").filter(book=book).order_by("-seq")


def events_of_order(*, order: Order) -> QuerySet[AccountEvent]:
    """Why an order filled, or has not: its events in order, with the quotes they saw."""
    return AccountEvent.objects.select_related("quote", "book__generation").filter(order_id=order.pk).order_by("seq")
