"""The books: positions, history, ledger and events."""

from datetime import datetime, timedelta

from rest_framework.request import Request
from rest_framework.response import Response

from marketdata import clock
from papertrade.api.kit import pagination
from papertrade.api.kit.queries import parse_instant, read_count, read_generation, read_instant
from papertrade.api.kit.schema import answers, generation, lists
from papertrade.api.kit.views import AccountView, many
from papertrade.api.paper import orders
from papertrade.api.paper import serializers as shapes
from papertrade.lib.errors import BadRequest
from portfolio import selectors
from portfolio.audit import verify_ledger
from portfolio.history import TIMEFRAMES, chart_timeframe, history
from portfolio.models import Book
from portfolio.selectors import book_of

PERIODS = {
    "1D": timedelta(days=1),
    "1W": timedelta(weeks=1),
    "1M": timedelta(days=31),
    "3M": timedelta(days=92),
    "1A": timedelta(days=366),
    "all": None,
}
BEFORE_ALL = timedelta(microseconds=1)


class Positions(AccountView):
    @lists(shapes.Position, "List positions", query=generation)
    def get(self, request: Request, account_id: str) -> Response:
        book = book_of(account=self.account, generation=read_generation(request))
        held = sorted(selectors.positions(book=book), key=_by_symbol)
        return pagination.page_of(request, held, key=_by_symbol, render=many(shapes.Position))


def _by_symbol(view: selectors.PositionView) -> str:
    return view.symbol


class OnePosition(orders.ClosePosition):
    @answers(shapes.Position, "One position", query=generation)
    def get(self, request: Request, account_id: str, symbol: str) -> Response:
        book = book_of(account=self.account, generation=read_generation(request))
        return Response(shapes.Position(selectors.position(book=book, symbol=symbol)).data)


class History(AccountView):
    @lists(
        shapes.Snapshot,
        "Portfolio history, oldest first",
        query={
            **generation,
            "period": "one of " + ", ".join(PERIODS),
            "timeframe": "one of " + ", ".join(TIMEFRAMES),
            "after": "later than this time",
            "until": "not later than this time",
        },
    )
    def get(self, request: Request, account_id: str) -> Response:
        book = book_of(account=self.account, generation=read_generation(request))
        until = read_instant(request, "until") or book.closed_at or clock.read().now
        after = read_instant(request, "after") or _start(book, request, until)
        timeframe = _timeframe(request, until - max(after, book.generation.opened_at))
        token = pagination.read_cursor(request)
        if token is not None:
            after = _cursor_time(token)
        limit = pagination.read_limit(request)
        points = history(book=book, timeframe=timeframe, after=after, until=until, limit=limit + 1)
        following = None
        if len(points) > limit:
            following = pagination.next_url(request, points[limit - 1].timestamp.isoformat())
        return pagination.listing(request, many(shapes.Snapshot)(points[:limit]), following)


def _start(book: Book, request: Request, until: datetime) -> datetime:
    period = request.query_params.get("period", "all")
    if period not in PERIODS:
        raise BadRequest("The period cannot be used.", period="must be one of " + ", ".join(PERIODS))
    length = PERIODS[period]
    return book.generation.opened_at - BEFORE_ALL if length is None else until - length


def _timeframe(request: Request, length: timedelta) -> str:
    asked = request.query_params.get("timeframe")
    if asked is None:
        return chart_timeframe(length)
    if asked not in TIMEFRAMES:
        raise BadRequest("The timeframe cannot be used.", timeframe="must be one of " + ", ".join(TIMEFRAMES))
    return asked


def _cursor_time(token: str) -> datetime:
    try:
        return parse_instant(token, "cursor")
    except BadRequest:
        raise pagination.bad_cursor() from None


class Ledger(AccountView):
    @lists(shapes.LedgerTransaction, "The ledger, newest first", query=generation)
    def get(self, request: Request, account_id: str) -> Response:
        book = book_of(account=self.account, generation=read_generation(request))
        rows = selectors.ledger_transactions(book=book)
        return pagination.page(request, rows, key="sequence", render=many(shapes.LedgerTransaction))


class LedgerVerification(AccountView):
    @answers(shapes.LedgerReport, "Verify the ledger's chain, entries and cash", query=generation)
    def get(self, request: Request, account_id: str) -> Response:
        book = book_of(account=self.account, generation=read_generation(request))
        return Response(shapes.LedgerReport(verify_ledger(book=book)).data)


class Events(AccountView):
    @lists(
        shapes.Event,
        "Everything that happened to the account",
        query={"after_seq": "later than the event of that number"},
    )
    def get(self, request: Request, account_id: str) -> Response:
        after = read_count(request, "after_seq", default=0)
        rows = selectors.events_after(account=self.account, after_seq=after)
        return pagination.page(request, rows, key="seq", render=many(shapes.Event), descending=False)
