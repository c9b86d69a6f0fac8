"""Orders: submit, look up, cancel, preview, and why they filled or have not."""

from typing import Any, ClassVar

import django_filters
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from orders import selectors, services
from orders.models import Fill, Order
from orders.states import CLOSED, OPEN, Status
from papertrade.api.kit import pagination
from papertrade.api.kit.fields import money, qty
from papertrade.api.kit.parsing import read_object
from papertrade.api.kit.queries import parse_instant, read_generation
from papertrade.api.kit.schema import answers, generation, lists, order_body
from papertrade.api.kit.views import AccountView, many, one
from papertrade.api.paper import serializers as shapes
from papertrade.api.paper.accounts import REPLAYED
from papertrade.lib.errors import BadRequest
from portfolio.money import ZERO

GROUPS = {"open": OPEN, "closed": CLOSED, "all": frozenset(Status)}
STATUSES = sorted({*GROUPS, *Status})


class _InstantFilter(django_filters.CharFilter):
    """A bound on a time: `after` is exclusive, `until` inclusive."""

    parameters: ClassVar = {"gt": "after", "lte": "until"}

    def filter(self, rows: QuerySet, value: str) -> QuerySet:
        if not value:
            return rows
        return super().filter(rows, parse_instant(value.replace(" ", "+"), self.parameters[self.lookup_expr]))


class OrderFilter(django_filters.FilterSet):
    """`status` open, closed, all or one status; `after` exclusive and `until` inclusive on submitted_at."""

    status = django_filters.ChoiceFilter(choices=[(word, word) for word in STATUSES], method="by_status")
    symbol = django_filters.CharFilter()
    side = django_filters.ChoiceFilter(choices=Order._meta.get_field("side").choices)
    asset_class = django_filters.ChoiceFilter(choices=Order._meta.get_field("asset_class").choices)
    after = _InstantFilter(field_name="submitted_at", lookup_expr="gt")
    until = _InstantFilter(field_name="submitted_at", lookup_expr="lte")

    class Meta:
        model = Order
        fields: list[str] = []

    def by_status(self, rows: QuerySet, name: str, value: str) -> QuerySet:
        return rows if value == "all" else rows.filter(status__in=GROUPS.get(value, {value}))


class FillFilter(django_filters.FilterSet):
    """`after` exclusive and `until` inclusive on created_at."""

    symbol = django_filters.CharFilter()
    order_id = django_filters.UUIDFilter(field_name="order_id")
    after = _InstantFilter(field_name="created_at", lookup_expr="gt")
    until = _InstantFilter(field_name="created_at", lookup_expr="lte")

    class Meta:
        model = Fill
        fields: list[str] = []


def filtered(kind: type[django_filters.FilterSet], request: Request, rows: QuerySet) -> QuerySet:
    """The rows that the query asks for. Raises BadRequest with `details` per parameter."""
    filters = kind(request.query_params, queryset=rows)
    values = (value for name, value in request.query_params.items() if name != "cursor")
    if any("\x00" in value for value in values) or not filters.is_valid():
        problems = {name: " ".join(said) for name, said in filters.errors.items()}
        raise BadRequest("A parameter cannot be used.", **problems)
    return filters.qs


FILTERS = {
    **generation,
    "symbol": "only this symbol",
    "after": "later than this time",
    "until": "not later than this time",
}


class Orders(AccountView):
    @lists(
        shapes.OrderShape,
        "List orders, newest first",
        query={
            **FILTERS,
            "status": "one of " + ", ".join(STATUSES),
            "side": "buy or sell",
            "asset_class": "us_equity or us_option",
        },
    )
    def get(self, request: Request, account_id: str) -> Response:
        rows = selectors.orders_of(account=self.account, generation=read_generation(request))
        rows = filtered(OrderFilter, request, rows)
        return pagination.page(request, rows, key="number", render=many(shapes.OrderShape))

    @answers(shapes.OrderShape, "Submit an order", status=201, body=order_body, codes=(409, 422))
    def post(self, request: Request, account_id: str) -> Response:
        submitted = services.submit(account=self.account, payload=request.data)
        if submitted.replayed:
            return Response(order_json(submitted.order), status=200, headers=REPLAYED)
        return Response(order_json(submitted.order), status=201)

    @lists(shapes.OrderShape, "Cancel every open order")
    def delete(self, request: Request, account_id: str) -> Response:
        canceled = services.cancel_all(account=self.account)
        return pagination.listing(request, many(shapes.OrderShape)(canceled))


class OnePreview(AccountView):
    @answers(shapes.PreviewShape, "Preview an order: nothing is stored", body=order_body, codes=(409, 422))
    def post(self, request: Request, account_id: str) -> Response:
        preview = services.preview(account=self.account, payload=request.data)
        return Response(preview_json(preview), headers=REPLAYED if preview.replayed else None)


class OneOrder(AccountView):
    @answers(shapes.OrderShape, "One order")
    def get(self, request: Request, account_id: str, order_id: str) -> Response:
        return Response(order_json(selectors.get_order(account=self.account, order_id=order_id)))

    @answers(shapes.OrderShape, "Cancel an open order", codes=(409,))
    def delete(self, request: Request, account_id: str, order_id: str) -> Response:
        return Response(order_json(services.cancel(account=self.account, order_id=order_id)))


class ByClientOrderId(AccountView):
    @answers(shapes.OrderShape, "One order by its client_order_id", query={"client_order_id": "the id", **generation})
    def get(self, request: Request, account_id: str) -> Response:
        wanted = request.query_params.get("client_order_id")
        if not wanted or "\x00" in wanted:
            raise BadRequest("Say which order.", client_order_id="is required")
        order = selectors.order_by_client_order_id(
            account=self.account, client_order_id=wanted, generation=read_generation(request)
        )
        return Response(order_json(order))


class OrderEvents(AccountView):
    @lists(shapes.Event, "Why an order filled, or has not")
    def get(self, request: Request, account_id: str, order_id: str) -> Response:
        order = selectors.get_order(account=self.account, order_id=order_id)
        events = selectors.events_of_order(order=order)
        return pagination.page(request, events, key="seq", render=many(shapes.Event), descending=False)


class Fills(AccountView):
    @lists(shapes.FillShape, "List fills, newest first", query={**FILTERS, "order_id": "only fills of this order"})
    def get(self, request: Request, account_id: str) -> Response:
        rows = selectors.fills_of(account=self.account, generation=read_generation(request))
        return pagination.page(request, filtered(FillFilter, request, rows), key="seq", render=many(shapes.FillShape))


class ClosePosition(AccountView):
    """The DELETE of a position's address; its GET is `papertrade.api.paper.portfolio.OnePosition`."""

    @answers(
        shapes.OrderShape,
        "Close a position at the market",
        status=201,
        query={"qty": "default: all that is available"},
        codes=(409, 422),
    )
    def delete(self, request: Request, account_id: str, symbol: str) -> Response:
        wanted = request.query_params.get("qty", read_object(request.data, "qty")["qty"])
        order = services.close_position(account=self.account, symbol=symbol, qty=wanted)
        return Response(order_json(order), status=201)


def order_json(order: Order) -> dict[str, Any]:
    """An order on the wire."""
    return one(shapes.OrderShape)(order)


def preview_json(preview: services.Preview) -> dict[str, Any]:
    """A preview on the wire; the order in it has the state that it would reach."""
    order = preview.order
    refused = order.status == Status.REJECTED
    return {
        "order": order_json(order),
        "admitted": not refused,
        "reason": order.rejected_reason
        or order.no_fill_reason
        or ("market_closed" if order.status == Status.ACCEPTED else ""),
        "would_fill_qty": qty(ZERO if preview.replayed else order.filled_qty),
        "estimated_cost": None if preview.estimated_cost is None else money(preview.estimated_cost),
        "hold": money(preview.hold),
        "buying_power": money(preview.buying_power),
        "buying_power_after": money(preview.buying_power_after),
        "evidence": shapes.evidence(preview.quote, preview.at, order.book.generation.policy),
    }
