"""What a run came to: its performance, its trades, how well it was executed, and runs side by side."""

from bisect import bisect_right
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from papertrade.api.kit import pagination
from papertrade.api.kit.schema import call
from papertrade.api.kit.viewsets import AccountMixin, ApiViewSet, ListViewSet
from papertrade.api.paper.filters import CompareFilter, GenerationFilter, MethodFilter, TradeFilter
from papertrade.api.paper.report_serializers import (
    ComparisonSerializer,
    ExecutionSerializer,
    PerformanceSerializer,
    TradeSerializer,
)
from papertrade.reports.compare import compare
from papertrade.reports.execution import execution_of
from papertrade.reports.performance import DEFAULT_METHOD, performance_of, trades_of_run
from portfolio.models import Book
from portfolio.selectors import book_of


class ReportMixin(AccountMixin):
    """A report on one run: the latest, or the generation that is asked for."""

    query: dict[str, Any]

    @property
    def book(self) -> Book:
        return book_of(account=self.account, generation=self.query.get("generation"))

    @property
    def method(self) -> str:
        return self.query.get("method", DEFAULT_METHOD)


class PerformanceViewSet(ReportMixin, ApiViewSet):
    serializer_class = PerformanceSerializer
    filterset_classes = {"show": MethodFilter}

    @call("How the generation performed", PerformanceSerializer)
    def show(self, request: Request, account_id: str) -> Response:
        return self.shown(performance_of(self.book, method=self.method))


class ExecutionViewSet(ReportMixin, ApiViewSet):
    serializer_class = ExecutionSerializer
    filterset_classes = {"show": GenerationFilter}

    @call("How well its orders were executed", ExecutionSerializer)
    def show(self, request: Request, account_id: str) -> Response:
        return self.shown(execution_of(self.book))


class TradeViewSet(ReportMixin, ListViewSet):
    serializer_class = TradeSerializer
    filterset_classes = {"list": TradeFilter}

    @call("Round trips, oldest first", TradeSerializer, many=True)
    def list(self, request: Request, account_id: str) -> Response:
        trades = trades_of_run(self.book, method=self.method)
        symbol, tag = self.query.get("symbol"), self.query.get("tag")
        wanted = [
            trade for trade in trades if symbol in (None, trade.trip.symbol) and (tag is None or tag in trade.trip.tags)
        ]
        pages = self.paginator
        pages.begin(request)
        if pages.token is not None:
            wanted = wanted[bisect_right(wanted, _number(pages.token), key=lambda trade: trade.number) :]
        rows = pages.cut(wanted[: pages.limit + 1], lambda trade: trade.number)
        return pages.get_paginated_response(self.get_serializer(rows, many=True).data)


def _number(token: str) -> int:
    if not (token.isascii() and token.isdigit()):
        raise pagination.bad_cursor()
    return int(token)


class CompareViewSet(ApiViewSet):
    serializer_class = ComparisonSerializer
    filterset_classes = {"show": CompareFilter}

    @call("Generations side by side", ComparisonSerializer)
    def show(self, request: Request) -> Response:
        return self.shown(compare(request.user, self.query["runs"]))
