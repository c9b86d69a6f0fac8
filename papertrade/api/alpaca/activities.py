"""Activities: fills, and options that were settled at their expiry."""

from collections.abc import Iterable, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import F, Sum, Window
from rest_framework.request import Request
from rest_framework.response import Response

from orders.models import Fill
from papertrade.api.alpaca import shapes
from papertrade.api.alpaca.errors import bad_input
from papertrade.api.alpaca.views import AlpacaViewSet
from papertrade.lib.times import EXCHANGE_ZONE
from portfolio.ledger import LedgerAccount, LedgerKind
from portfolio.models import Book, LedgerTransaction
from portfolio.selectors import book_of

PAGE_SIZE = 100
FILL, SETTLED = "FILL", ("OPCSH", "OPEXP")
KINDS: dict[str, Sequence[str]] = {"trade_activity": [FILL], "non_trade_activity": [*SETTLED]}


class ActivityViewSet(AlpacaViewSet):
    def list(self, request: Request, kind: str = "") -> Response:
        kinds = self._kinds(kind)
        page_size = self.query.text("page_size")
        if page_size.isdigit() and int(page_size) > PAGE_SIZE:
            raise bad_input(f"tried to set the page size to {page_size[:9]}, but the maximum is {PAGE_SIZE}")
        limit = self.query.whole("page_size", PAGE_SIZE, most=PAGE_SIZE)
        ascending = self.query.word("direction", ("asc", "desc"), "desc") == "asc"
        after, until = self._between()
        book = book_of(account=self.account)
        rows: list[dict[str, Any]] = []
        if FILL in kinds:
            rows += fills(book, after, until, order_id=self.query.text("order_id"))
        if set(kinds) & set(SETTLED) and "order_id" not in self.query:
            rows += (row for row in settlements(book, after, until) if row["activity_type"] in kinds)
        rows.sort(key=lambda row: row["id"], reverse=not ascending)
        token = self.query.text("page_token")
        if token:
            rows = [row for row in rows if (row["id"] > token) == ascending and row["id"] != token]
        return Response(rows[:limit])

    def _kinds(self, kind: str) -> Sequence[str]:
        named = [word.upper() for word in self.query.words("activity_types")]
        if kind:
            return [kind.upper()]
        if "category" in self.query:
            if named:
                raise bad_input("only one of category or activity_types is accepted")
            return KINDS[self.query.word("category", KINDS, "")]
        return named or [FILL, *SETTLED]

    def _between(self) -> tuple[datetime | None, datetime | None]:
        if (day := self.query.day("date")) is not None:
            begins = datetime.combine(day, time.min, tzinfo=EXCHANGE_ZONE)
            return begins - timedelta(microseconds=1), begins + timedelta(days=1)
        return self.query.instant("after"), self.query.instant("until", end_of_day=True)


def fills(
    book: Book, after: datetime | None, until: datetime | None, *, order_id: str = ""
) -> Iterable[dict[str, Any]]:
    """The book's fills later than `after` and before `until`, each with what its order had filled by then."""
    rows = (
        Fill.objects.filter(book=book)
        .select_related("order")
        .annotate(by_then=Window(Sum("qty"), partition_by=[F("order_id")], order_by=F("seq").asc()))
        .order_by("seq")
    )
    for row in rows:
        if _within(row.created_at, after, until) and order_id in ("", str(row.order_id)):
            yield shapes.fill(row, filled_by_then=row.by_then)


def settlements(book: Book, after: datetime | None, until: datetime | None) -> Iterable[dict[str, Any]]:
    """The book's settlements in the same span, with the cash that each brought."""
    rows = LedgerTransaction.objects.filter(book=book, kind=LedgerKind.SETTLEMENT).prefetch_related("entries")
    for row in rows:
        if _within(row.at, after, until):
            cash = [entry for entry in row.entries.all() if entry.account == LedgerAccount.CASH]
            yield shapes.settlement(row, proceeds=sum((entry.debit for entry in cash), Decimal(0)))


def _within(at: datetime, after: datetime | None, until: datetime | None) -> bool:
    return (after is None or at > after) and (until is None or at < until)
