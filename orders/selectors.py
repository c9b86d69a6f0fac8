"""Reading orders, fills and the events that explain them. Nothing here writes or locks."""

from uuid import UUID

from django.db.models import QuerySet

from accounts.models import PaperAccount
from orders.models import Fill, Order
from papertrade.lib.errors import NotFound
from papertrade.lib.numbers import as_uuid
from portfolio.models import AccountEvent
from portfolio.selectors import book_of


def orders_of(*, account: PaperAccount, generation: int | None = None) -> QuerySet[Order]:
    """The orders of one generation, by default the latest, newest first. Raises NotFound."""
    book = book_of(account=account, generation=generation)
    return Order.objects.select_related("book__generation", "quote").filter(book=book).order_by("-number")


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
