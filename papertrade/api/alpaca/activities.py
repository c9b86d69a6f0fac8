"""Activities: fills, and options that were settled at their expiry."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal
from heapq import merge
from itertools import islice
from operator import itemgetter
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery, Sum
from rest_framework.request import Request
from rest_framework.response import Response

from orders.models import Fill
from papertrade.api.alpaca import shapes
from papertrade.api.alpaca.errors import bad_input
from papertrade.api.alpaca.views import AlpacaViewSet
from papertrade.lib.times import EXCHANGE_ZONE, MOMENT
from portfolio.ledger import LedgerAccount, LedgerKind
from portfolio.models import Book, LedgerTransaction
from portfolio.selectors import book_of

PAGE_SIZE = 100
FILL, SETTLED = "FILL", ("OPCSH", "OPEXP")
KINDS: dict[str, Sequence[str]] = {"trade_activity": [FILL], "non_trade_activity": [*SETTLED]}


class Place(NamedTuple):
    """Where an activity stands among those of its book: at one instant, fills come before settlements."""

    at: datetime
    settled: bool
    number: int  # of its kind in the book


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which activities are asked for: later than `after`, before `until`, and behind a place in the order of the answer."""

    after: datetime | None
    until: datetime | None
    behind: Place | None
    ascending: bool

    def of(self, rows: QuerySet, *, at: str, number: str, settled: bool) -> QuerySet:
        """Those among the rows, whose time and number are in these columns."""
        if self.after is not None:
            rows = rows.filter(**{f"{at}__gt": self.after})
        if self.until is not None:
            rows = rows.filter(**{f"{at}__lt": self.until})
        if self.behind is not None:
            rows = rows.filter(self._behind(self.behind, at=at, number=number, settled=settled))
        return rows.order_by(number if self.ascending else f"-{number}")

    def _behind(self, place: Place, *, at: str, number: str, settled: bool) -> Q:
        side = "gt" if self.ascending else "lt"
        if settled == place.settled:
            return Q(**{f"{number}__{side}": place.number})
        same_instant = settled == self.ascending  # a settlement is behind the fills of its instant, a fill before
        return Q(**{f"{at}__{side}{'e' if same_instant else ''}": place.at})


class ActivityViewSet(AlpacaViewSet):
    def list(self, request: Request, kind: str = "") -> Response:
        kinds = self._kinds(kind)
        limit = self.query.whole("page_size", PAGE_SIZE, most=10**9 - 1)
        if limit > PAGE_SIZE:
            raise bad_input(f"tried to set the page size to {limit}, but the maximum is {PAGE_SIZE}")
        book = book_of(account=self.account)
        after, until = self._between()
        ascending = self.query.word("direction", ("asc", "desc"), "desc") == "asc"
        wanted = Wanted(after, until, place_of(book, self.query.text("page_token")), ascending)
        found = []
        if FILL in kinds:
            found.append(fills(book, wanted, order_id=self.query.text("order_id"), limit=limit))
        if set(kinds) & set(SETTLED) and "order_id" not in self.query:
            found.append(settlements(book, wanted, kinds))
        rows = merge(*found, key=itemgetter(0), reverse=not ascending)
        return Response([row for _, row in islice(rows, limit)])

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
            return begins - MOMENT, begins + timedelta(days=1)
        return self.query.instant("after"), self.query.instant("until", end_of_day=True)


def place_of(book: Book, token: str) -> Place | None:
    """The place of the activity that a page token names, None without a token. Raises AlpacaError where the book has none."""
    if not token:
        return None
    try:
        row_id = UUID(token.rpartition("::")[2])
    except ValueError:
        raise bad_input("page_token is not the id of an activity") from None
    fill = Fill.objects.filter(book=book, pk=row_id).values_list("created_at", "seq").first()
    if fill is not None:
        return Place(fill[0], False, fill[1])
    settled = _settled(book).filter(pk=row_id).values_list("at", "sequence").first()
    if settled is not None:
        return Place(settled[0], True, settled[1])
    raise bad_input("page_token is not the id of an activity")


Placed = tuple[Place, dict[str, Any]]


def fills(book: Book, wanted: Wanted, *, order_id: str, limit: int) -> Iterator[Placed]:
    """The book's fills, each with what its order had filled by then."""
    rows = Fill.objects.filter(book=book)
    if order_id:
        rows = rows.filter(order_id=order_id) if _is_id(order_id) else rows.none()
    by_then = Fill.objects.filter(order_id=OuterRef("order_id"), seq__lte=OuterRef("seq")).order_by().values("order_id")
    rows = rows.annotate(by_then=Subquery(by_then.annotate(total=Sum("qty")).values("total")))
    for row in wanted.of(rows.select_related("order"), at="created_at", number="seq", settled=False)[:limit]:
        yield Place(row.created_at, False, row.seq), shapes.fill(row, filled_by_then=row.by_then)


def settlements(book: Book, wanted: Wanted, kinds: Sequence[str]) -> Iterator[Placed]:
    """The book's settlements of these kinds, with the cash that each brought."""
    rows = wanted.of(_settled(book), at="at", number="sequence", settled=True)
    for row in rows.prefetch_related("entries").iterator(chunk_size=PAGE_SIZE):
        cash = [entry for entry in row.entries.all() if entry.account == LedgerAccount.CASH]
        shown = shapes.settlement(row, proceeds=sum((entry.debit for entry in cash), Decimal(0)))
        if shown["activity_type"] in kinds:
            yield Place(row.at, True, row.sequence), shown


def _settled(book: Book) -> QuerySet[LedgerTransaction]:
    return LedgerTransaction.objects.filter(book=book, kind=LedgerKind.SETTLEMENT)


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
