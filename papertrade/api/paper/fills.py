"""Fills and settlements: everything that changed a position, each with its quote."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from orders.models import Fill
from papertrade.api.kit.pagination import MergedPagination
from papertrade.api.kit.schema import call
from papertrade.api.kit.viewsets import AccountMixin, ListViewSet, Rows
from papertrade.api.paper.filters import FillFilter
from papertrade.api.paper.serializers import FillSerializer
from portfolio.selectors import book_of, settlements, with_evidence


class FillViewSet(AccountMixin, ListViewSet):
    serializer_class = FillSerializer
    filterset_classes = {"list": FillFilter}
    pagination_class = MergedPagination
    page_key = "-seq"

    def get_queryset(self) -> Any:
        self.book = book_of(account=self.account, generation=self.query.get("generation"))
        return Fill.objects.filter(book=self.book)

    def filter_queryset(self, queryset: Any) -> Any:
        return [super(FillViewSet, self).filter_queryset(rows) for rows in (queryset, settlements(book=self.book))]

    def complete(self, rows: Rows) -> Rows:
        for row in with_evidence(rows, book=self.book):
            row.market_timestamp = row.quote.quoted_at if row.quote else None
        return rows

    @call("List fills and settlements, newest first", FillSerializer, many=True)
    def list(self, request: Request, account_id: str) -> Response:
        return super().list(request)
