"""Orders: submit, look up, cancel, preview, and why they filled or have not."""

from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from orders import selectors, services
from orders.labelling import changes_labels_alone, label_order
from orders.models import Order
from orders.replacing import replace
from papertrade.api.kit.parsing import read_object
from papertrade.api.kit.schema import call
from papertrade.api.kit.viewsets import AccountMixin, ListViewSet, Rows
from papertrade.api.paper import bodies
from papertrade.api.paper.accounts import REPLAYED
from papertrade.api.paper.filters import CancelFilter, ClientOrderIdFilter, OrderFilter, symbols_of
from papertrade.api.paper.serializers import EventSerializer, OrderDetailSerializer, OrderSerializer, PreviewSerializer
from portfolio.selectors import book_of, with_evidence

SENT_BEFORE = "The same order was sent before; this is that order."


class OrderViewSet(AccountMixin, ListViewSet):
    serializer_class = OrderDetailSerializer
    serializer_classes = {
        "list": OrderSerializer,
        "destroy_all": OrderSerializer,
        "preview": PreviewSerializer,
        "events": EventSerializer,
    }
    filterset_classes = {"list": OrderFilter, "destroy_all": CancelFilter, "by_client_order_id": ClientOrderIdFilter}
    paged_actions = {"list", "events"}
    page_key = "-number"
    lookup_url_kwarg = "order_id"

    def get_queryset(self) -> Any:
        self.book = book_of(account=self.account, generation=self.query.get("generation"))
        return Order.objects.filter(book=self.book)

    def read(self, rows: Any) -> Rows:
        return selectors.listed_orders(rows, book=self.book) if self.action == "list" else super().read(rows)

    def complete(self, rows: Rows) -> Rows:
        return with_evidence(rows) if self.action == "events" else rows

    @call("List orders, newest first", OrderSerializer, many=True)
    def list(self, request: Request, account_id: str) -> Response:
        if self.query.get("direction") == "asc":
            self.page_key = "number"
        return super().list(request)

    @call(
        "Submit an order", OrderDetailSerializer, status=201, body=bodies.ORDER, replayed=SENT_BEFORE, codes=(409, 422)
    )
    def create(self, request: Request, account_id: str) -> Response:
        submitted = services.submit(account=self.account, payload=request.data)
        if submitted.replayed:
            return self.shown(submitted.order, headers=REPLAYED)
        return self.shown(submitted.order, status=201)

    @call("Cancel every open order, or some of them", OrderSerializer, many=True)
    def destroy_all(self, request: Request, account_id: str) -> Response:
        read_object(request.data)
        symbols, side = symbols_of(self.query), self.query.get("side")
        return self.listed(services.cancel_all(account=self.account, symbols=symbols, side=side))

    @call("One order", OrderDetailSerializer)
    def retrieve(self, request: Request, account_id: str, order_id: str) -> Response:
        return self.shown(selectors.get_order(account=self.account, order_id=order_id))

    @call("Cancel an open order", OrderDetailSerializer, codes=(409,))
    def destroy(self, request: Request, account_id: str, order_id: str) -> Response:
        read_object(request.data)
        return self.shown(services.cancel(account=self.account, order_id=order_id))

    @call(
        "Replace an open order: its terms with these changes, for what is not filled yet; or label any order",
        OrderDetailSerializer,
        body=bodies.REPLACEMENT,
        replayed=SENT_BEFORE,
        codes=(409, 422),
    )
    def partial_update(self, request: Request, account_id: str, order_id: str) -> Response:
        if changes_labels_alone(request.data):
            return self.shown(label_order(account=self.account, order_id=order_id, payload=request.data))
        replaced = replace(account=self.account, order_id=order_id, payload=request.data)
        return self.shown(replaced.order, headers=REPLAYED if replaced.replayed else None)

    @call("Preview an order: nothing is stored", PreviewSerializer, body=bodies.ORDER, codes=(409, 422))
    @action(detail=False, methods=["post"])
    def preview(self, request: Request, account_id: str) -> Response:
        preview = services.preview(account=self.account, payload=request.data)
        return self.shown(preview, headers=REPLAYED if preview.replayed else None)

    @call("Why an order filled, or has not", EventSerializer, many=True)
    @action(detail=True, page_key="seq")
    def events(self, request: Request, account_id: str, order_id: str) -> Response:
        order = selectors.get_order(account=self.account, order_id=order_id)
        return self.listed(selectors.events_of_order(order=order).select_related(None))

    @call("One order by its client_order_id", OrderDetailSerializer)
    def by_client_order_id(self, request: Request, account_id: str) -> Response:
        order = selectors.order_by_client_order_id(account=self.account, **self.query)
        return self.shown(order)
