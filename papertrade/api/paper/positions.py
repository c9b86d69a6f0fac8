"""Positions: what an account holds, and closing them at the market."""

from operator import attrgetter
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from orders import closing
from papertrade.api.kit.parsing import read_object
from papertrade.api.kit.schema import call
from papertrade.api.kit.viewsets import AccountMixin, ListViewSet
from papertrade.api.paper import bodies
from papertrade.api.paper.accounts import REPLAYED
from papertrade.api.paper.filters import CloseAllFilter, CloseFilter, GenerationFilter, LabelParameters, symbols_of
from papertrade.api.paper.orders import SENT_BEFORE
from papertrade.api.paper.serializers import ClosedSerializer, OrderDetailSerializer, PositionSerializer
from papertrade.lib.errors import BadRequest
from portfolio import selectors
from portfolio.models import Book
from portfolio.selectors import book_of


class PositionViewSet(AccountMixin, ListViewSet):
    serializer_class = PositionSerializer
    serializer_classes = {"destroy": OrderDetailSerializer, "destroy_all": ClosedSerializer}
    filterset_classes = {
        "list": GenerationFilter,
        "retrieve": GenerationFilter,
        "destroy": CloseFilter,
        "destroy_all": CloseAllFilter,
    }
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
        return self.shown(selectors.position(book=self.book, symbol=symbol.upper()))

    @call(
        "Close a position at the market",
        OrderDetailSerializer,
        status=201,
        body=bodies.CLOSE,
        replayed=SENT_BEFORE,
        codes=(409, 422),
    )
    def destroy(self, request: Request, account_id: str, symbol: str) -> Response:
        terms = self._sent(request, *CloseFilter.base_filters)
        closed = closing.close_position(account=self.account, symbol=symbol, **terms)
        if closed.replayed:
            return self.shown(closed.order, headers=REPLAYED)
        return self.shown(closed.order, status=201)

    @call(
        "Close every position at the market, or some of them",
        ClosedSerializer,
        many=True,
        body=bodies.CLOSE_ALL,
        codes=(409,),
    )
    def destroy_all(self, request: Request, account_id: str) -> Response:
        terms = self._sent(request, *LabelParameters.base_filters)
        terms = {name: value for name, value in terms.items() if name not in ("symbol", "symbols")}
        return self.listed(closing.close_all(account=self.account, symbols=symbols_of(self.query), **terms))

    def _sent(self, request: Request, *fields: str) -> dict[str, Any]:
        """What the body has of these fields, and what the query has. Raises BadRequest where they contradict each other."""
        body = {name: value for name, value in read_object(request.data, *fields).items() if value is not None}
        contradicted = [name for name in body.keys() & self.query.keys() if str(body[name]) != str(self.query[name])]
        if contradicted:
            problem = "is one value in the body and another in the query"
            raise BadRequest("Send each value once.", dict.fromkeys(sorted(contradicted), problem))
        return {**body, **self.query}
