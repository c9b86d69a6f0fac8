"""Fills: what was executed, with the quote of each."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from orders.models import Fill
from papertrade.api.kit.schema import call
from papertrade.api.kit.viewsets import AccountMixin, ListViewSet, Rows
from papertrade.api.paper.filters import FillFilter
from papertrade.api.paper.serializers import FillSerializer
from portfolio.selectors import book_of, with_evidence


class FillViewSet(AccountMixin, ListViewSet):
    serializer_class = FillSerializer
    filterset_classes = {"list": FillFilter}
    page_key = "-seq"

    def get_queryset(self) -> Any:
        self.book = book_of(account=self.account, generation=self.query.get("generation"))
        return Fill.objects.filter(book=self.book)

    def complete(self, rows: Rows) -> Rows:
        return with_evidence(rows, book=self.book)

    @call("List fills, newest first", FillSerializer, many=True)
    def list(self, request: Request, account_id: str) -> Response:
        return super().list(request)
