"""Positions: what an account holds, and closing it at the market."""

from operator import attrgetter
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from orders import services
from papertrade.api.kit.parsing import read_object
from papertrade.api.kit.schema import call
from papertrade.api.kit.viewsets import AccountMixin, ListViewSet
from papertrade.api.paper.filters import CloseFilter, GenerationFilter
from papertrade.api.paper.serializers import OrderDetailSerializer, PositionSerializer
from portfolio import selectors
from portfolio.models import Book
from portfolio.selectors import book_of


class PositionViewSet(AccountMixin, ListViewSet):
    serializer_class = PositionSerializer
    serializer_classes = {"destroy": OrderDetailSerializer}
    filterset_classes = {"list": GenerationFilter, "retrieve": GenerationFilter, "destroy": CloseFilter}
    lookup_url_kwarg = "symbol"
    page_key = "symbol"

    @property
    def book(self) -> Book:
        return book_of(account=self.account, generation=self.query.get("generation"))

    def get_queryset(self) -> Any:
        return sorted(selectors.positions(book=self.book), key=attrgetter("symbol"))

    @call("List positions", PositionSerializer, many=True)
    def list(self, request: Request, account_id: str) -> Response:
        return super().list(request)

    @call("One position", PositionSerializer)
    def retrieve(self, request: Request, account_id: str, symbol: str) -> Response:
        return self.shown(selectors.position(book=self.book, symbol=symbol))

    @call("Close a position at the market", OrderDetailSerializer, status=201, codes=(409, 422))
    def destroy(self, request: Request, account_id: str, symbol: str) -> Response:
        wanted = self.query.get("qty", read_object(request.data, "qty")["qty"])
        return self.shown(services.close_position(account=self.account, symbol=symbol, qty=wanted), status=201)
