"""One account: overview, its tables, its generations, and each table as CSV."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Max
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_GET
from uuid_utils.compat import uuid7

from accounts.models import Generation, PaperAccount
from accounts.selectors import get_account
from marketdata.instruments import is_symbol
from orders.models import Order
from orders.states import OPEN
from papertrade.dashboard import words
from papertrade.dashboard.distance import distances
from papertrade.dashboard.listings import ACTIVITY, FILLS, LEDGER, ORDERS, POSITIONS, TABLES, rows_of, with_their_orders
from papertrade.dashboard.live import respond
from papertrade.dashboard.overview import Standing, standings
from papertrade.dashboard.tables import Table, TableSpec, lines_of, read_table, select
from papertrade.lib.errors import NotFound
from papertrade.lib.spreadsheets import csv_response
from papertrade.reports.account_charts import account_charts
from portfolio.audit import verify_ledger
from portfolio.models import Book
from portfolio.selectors import book_of, generations, read_generation_number

TABS = {
    "overview": "Overview",
    "performance": "Performance",
    "trades": "Trades",
    POSITIONS.name: POSITIONS.title,
    ORDERS.name: ORDERS.title,
    FILLS.name: FILLS.title,
    LEDGER.name: LEDGER.title,
    ACTIVITY.name: ACTIVITY.title,
    "generations": "Generations",
}
TABS_WITHOUT_TICKET = {"performance", "trades", "generations", "manage"}
GLANCE_ROWS = 5
PERIODS = {
    "1D": "The session in progress, or the last",
    "1W": "5 sessions",
    "1M": "21 sessions",
    "3M": "63 sessions",
    "1Y": "252 sessions",
    "all": "The whole generation",
}
TIMEFRAMES = {"": "Auto", "1Min": "1 min", "5Min": "5 min", "15Min": "15 min", "1H": "1 hour", "1D": "1 day"}
# What the ticket's and the tables' scripts say.
SCRIPT_WORDS = {"status": words.STATUS, "event": words.EVENT, "reason": words.REASON, "explanation": words.EXPLANATION}

View = Callable[..., HttpResponse]


def is_looked_at(request: HttpRequest) -> bool:
    """Whether the page is shown to the staff, as its user sees it (`papertrade.backoffice.as_them`)."""
    return hasattr(request, "looked_at_by")


def account_view(view: View) -> View:
    """A view under one account of the signed-in user; missing and somebody else's are both 404."""

    @login_required
    @wraps(view)
    def checked(request: HttpRequest, account_id: str, **parts: Any) -> HttpResponse:
        try:
            return view(request, get_account(user=request.user, account_id=account_id), **parts)
        except NotFound as missing:
            raise Http404(missing.message) from None

    return checked


@dataclass
class AccountPage:
    """What every page of an account shows around its content."""

    account: PaperAccount
    book: Book
    generations: list[Generation]
    tab: str
    is_looked_at: bool = False  # by somebody of the staff, who may change nothing
    standing: Standing = field(init=False)
    open_orders: int = field(init=False)

    def __post_init__(self) -> None:
        self.standing = standings([self.book])[self.book.pk]
        self.open_orders = Order.objects.filter(book=self.book, status__in=OPEN).count()

    @property
    def is_past(self) -> bool:
        """Whether this is an earlier generation, in which nothing can happen any more."""
        return self.book.generation_number != self.generations[0].number

    @property
    def is_fresh(self) -> bool:
        """Whether nothing was ever ordered in this generation: there is nothing to draw."""
        return self.can_trade and not Order.objects.filter(book=self.book).exists()

    @property
    def can_trade(self) -> bool:
        return not self.is_past and not self.account.is_archived and not self.is_looked_at

    @property
    def shows_ticket(self) -> bool:
        """Whether the order ticket stands beside the content."""
        return self.can_trade and self.tab not in TABS_WITHOUT_TICKET

    @property
    def version(self) -> str:
        """Changes when the charts have something new to show: with events, and with marks."""
        return f"{self.book.event_seq}.{self.standing.summary.equity}"

    @property
    def generation_query(self) -> str:
        """What links must carry to stay in an earlier generation."""
        return f"?generation={self.book.generation_number}" if self.is_past else ""

    def context(self, **more: Any) -> dict[str, Any]:
        """For the templates."""
        return {
            "page": self,
            "account": self.account,
            "book": self.book,
            "generation": self.book.generation,
            "summary": self.standing.summary,
            "tabs": TABS,
            "client_order_id": f"web-{uuid7()}",
            "script_words": SCRIPT_WORDS,
            **more,
        }


def read_page(request: HttpRequest, account: PaperAccount, tab: str) -> AccountPage:
    """The account's page in the generation that the query names. Raises NotFound."""
    book, looked_at = book_asked_for(request, account), is_looked_at(request)
    return AccountPage(account, book, list(generations(account=account)), tab, looked_at)


def book_asked_for(request: HttpRequest, account: PaperAccount) -> Book:
    """The book of the generation that the query names, by default the latest. Raises NotFound."""
    asked = request.GET.get("generation", "")
    number = read_generation_number(asked)
    if asked and number is None:
        raise NotFound("The account has no such generation.")
    return book_of(account=account, generation=number)


@account_view
@require_GET
def overview(request: HttpRequest, account: PaperAccount) -> HttpResponse:
    """Figures, charts, and a glance at positions, open orders and fills."""
    page = read_page(request, account, "overview")

    def glance(spec: TableSpec, query: dict[str, str]) -> Table:
        rows = rows_of(spec.name, account=account, book=page.book)
        return read_table(spec.at_a_glance(), rows, query, keep={}, rows_per_page=GLANCE_ROWS)

    context = page.context(
        periods=PERIODS,
        timeframes=TIMEFRAMES,
        chosen=chart_choices(request),
        glances=[glance(POSITIONS, {}), glance(ORDERS, {"status": "open"}), glance(FILLS, {})],
    )
    return respond(request, "dashboard/overview.html", context)


def chart_choices(request: HttpRequest) -> dict[str, str]:
    """Period, timeframe and benchmark of the query; what is not known is the default."""
    period, timeframe = request.GET.get("period", ""), request.GET.get("timeframe", "")
    benchmark = request.GET.get("benchmark", "").strip().upper()
    return {
        "period": period if period in PERIODS else "all",
        "timeframe": timeframe if timeframe in TIMEFRAMES else "",
        "benchmark": benchmark if is_symbol(benchmark) else "",
    }


@account_view
@require_GET
def charts(request: HttpRequest, account: PaperAccount) -> JsonResponse:
    """The charts of the overview as Plotly figures, for the page's script."""
    book = book_asked_for(request, account)
    found = account_charts(book, **chart_choices(request), zone=timezone.get_current_timezone())
    return JsonResponse(found.as_json())


@account_view
@require_GET
def table(request: HttpRequest, account: PaperAccount, name: str) -> HttpResponse:
    """One of the account's tables."""
    page = read_page(request, account, name)
    keep = {"generation": str(page.book.generation_number)} if page.is_past else {}
    rows = rows_of(name, account=account, book=page.book)
    found = read_table(TABLES[name], rows, request.GET, keep=keep)
    context = page.context(table=found)
    away = distances(found.rows) if name == ORDERS.name else {}
    context["distances"] = {str(order_id): distance.share for order_id, distance in away.items()}
    if name == ACTIVITY.name:
        with_their_orders(found.rows)
        context["key_used_at"] = account.user.api_keys.aggregate(latest=Max("last_used_at"))["latest"]
        context["last_order_at"] = Order.objects.filter(book=page.book).aggregate(latest=Max("submitted_at"))["latest"]
    if name == LEDGER.name and "verify" in request.GET:
        context["report"] = verify_ledger(book=page.book)
    return respond(request, "dashboard/table.html", context)


@account_view
@require_GET
def export(request: HttpRequest, account: PaperAccount, name: str) -> HttpResponseBase:
    """The same rows as CSV, all of them."""
    book, table = book_asked_for(request, account), TABLES[name]
    rows, _ = select(table, rows_of(name, account=account, book=book), request.GET)
    header = [column.name for column in table.in_file]
    filename = f"{name}-generation-{book.generation_number}"
    return csv_response(request, header, lines_of(table, rows), filename=filename)


@account_view
@require_GET
def all_generations(request: HttpRequest, account: PaperAccount) -> HttpResponse:
    """The runs of the account, with what each came to and the policy it ran under."""
    page = read_page(request, account, "generations")
    current = page.standing.summary.as_json() if not page.is_past else None
    tag = request.GET.get("tag", "").strip()
    runs = [(run, run.summary or current) for run in page.generations if not tag or tag in run.tags]
    return respond(request, "dashboard/generations.html", page.context(runs=runs, tag=tag))
