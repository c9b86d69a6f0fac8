"""The books: history, ledger and events."""

from datetime import datetime
from typing import Any

from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock
from marketdata.sessions import calendar
from papertrade.api.kit import pagination
from papertrade.api.kit.schema import call
from papertrade.api.kit.viewsets import AccountMixin, ListViewSet, Rows
from papertrade.api.paper.filters import (
    SESSIONS_OF_PERIOD,
    WHOLE_RUN,
    EventFilter,
    GenerationFilter,
    HistoryFilter,
)
from papertrade.api.paper.serializers import (
    EventSerializer,
    LedgerReportSerializer,
    LedgerTransactionSerializer,
    SnapshotSerializer,
)
from papertrade.lib.times import MOMENT, read_instant
from portfolio import selectors
from portfolio.audit import verify_ledger
from portfolio.closes import last_instant
from portfolio.history import BY_SESSION, HistoryPoint, beginning, chart_timeframe, history, standing
from portfolio.models import AccountEvent, Book
from portfolio.selectors import book_of, with_evidence


class HistoryViewSet(AccountMixin, ListViewSet):
    serializer_class = SnapshotSerializer
    filterset_classes = {"list": HistoryFilter}

    @call("Portfolio history, oldest first", SnapshotSerializer, many=True)
    def list(self, request: Request, account_id: str) -> Response:
        book = book_of(account=self.account, generation=self.query.get("generation"))
        last = last_instant(book, clock.read().now)
        until = min(self.query.get("until", last), last)
        period = self.query.get("period", WHOLE_RUN)
        start = _start(book, period, until)
        after = self.query.get("after", start)
        length = until - max(after, book.generation.opened_at)
        timeframe = self.query.get("timeframe") or chart_timeframe(length)
        pages = self.paginator
        pages.begin(request)
        # A period's first point is what it is measured from, so that there is one even while nothing has happened in it.
        base = _base(book, period, timeframe, start) if after == start and pages.token is None else None
        if pages.token is not None:
            after = max(after, _cursor_time(pages.token))  # the base may be older than the period
        points = history(book=book, timeframe=timeframe, after=after, until=until, limit=pages.limit + 1)
        rows = pages.cut([*([base] if base else []), *points], lambda point: point.timestamp.isoformat())
        return pages.get_paginated_response(self.get_serializer(rows, many=True).data)


def _base(book: Book, period: str, timeframe: str, start: datetime) -> HistoryPoint | None:
    """What stood just before the period; of a whole run by days its first snapshot, which the first day's point would hide."""
    if period == WHOLE_RUN:
        return beginning(book=book) if timeframe == BY_SESSION else None
    return standing(book=book, at=start)


def _start(book: Book, period: str, until: datetime) -> datetime:
    """Just before the first of the period's sessions, or just before the generation."""
    if period == WHOLE_RUN:
        return book.generation.opened_at - MOMENT
    sessions = calendar().last(SESSIONS_OF_PERIOD[period], until)
    return (sessions[0].open if sessions else book.generation.opened_at) - MOMENT


def _cursor_time(token: str) -> datetime:
    try:
        return read_instant(token)
    except ValueError:
        raise pagination.bad_cursor() from None


class LedgerViewSet(AccountMixin, ListViewSet):
    serializer_class = LedgerTransactionSerializer
    serializer_classes = {"verify": LedgerReportSerializer}
    filterset_classes = {"list": GenerationFilter, "verify": GenerationFilter}
    page_key = "-sequence"

    @property
    def book(self) -> Book:
        return book_of(account=self.account, generation=self.query.get("generation"))

    def get_queryset(self) -> Any:
        return selectors.ledger_transactions(book=self.book)

    @call("The ledger, newest first", LedgerTransactionSerializer, many=True)
    def list(self, request: Request, account_id: str) -> Response:
        return super().list(request)

    @call("Verify the ledger's chain, entries and cash", LedgerReportSerializer)
    @action(detail=False)
    def verify(self, request: Request, account_id: str) -> Response:
        return self.shown(verify_ledger(book=self.book))


AS_IT_HAPPENS = (
    "With `Accept: text/event-stream`: each event as it happens, as server-sent events (`id` its seq, `event` its type, "
    "`data` the event). It begins after the header `Last-Event-ID`, else after `after_seq`, else now."
)


class EventViewSet(AccountMixin, ListViewSet):
    serializer_class = EventSerializer
    filterset_classes = {"list": EventFilter}
    page_key = "seq"

    def get_queryset(self) -> Any:
        return AccountEvent.objects.filter(account=self.account, seq__gt=self.query.get("after_seq", 0))

    def complete(self, rows: Rows) -> Rows:
        return with_evidence(rows)

    @call("Everything that happened to the account", EventSerializer, many=True, streamed=AS_IT_HAPPENS)
    def list(self, request: Request, account_id: str) -> Response:
        return super().list(request)
