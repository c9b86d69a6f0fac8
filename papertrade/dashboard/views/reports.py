"""Judging a run: its performance, its trades, and runs side by side; the tearsheet and CSV files to take along."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from decimal import Decimal
from math import ceil
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.labels import is_tag
from accounts.models import PaperAccount
from accounts.selectors import accounts_of
from marketdata.instruments import is_symbol
from papertrade.dashboard import heat
from papertrade.dashboard.figures import duration
from papertrade.dashboard.live import respond, state_of
from papertrade.dashboard.tables import page_number
from papertrade.dashboard.views.account import account_view, book_asked_for, read_page
from papertrade.lib.errors import NotFound
from papertrade.lib.spreadsheets import csv_response
from papertrade.reports.compare import MOST_RUNS, Curve, compare, compared_figure, curves_of, read_runs
from papertrade.reports.execution import execution_of
from papertrade.reports.performance import DEFAULT_METHOD, Performance, Trade, performance_of, trades_of_run
from papertrade.reports.tearsheet import tearsheet_of
from portfolio.models import Book
from portfolio.performance import trade_figures
from portfolio.round_trips import METHODS
from portfolio.selectors import generations

Found = TypeVar("Found")

TRADES_A_PAGE = 50
EXPOSURE_DECIMALS = 4
METHOD_WORDS = {"flat": "Flat to flat", "fifo": "Lot by lot, oldest first"}
TRADE_COLUMNS = (
    "number", "symbol", "opened_at", "closed_at", "qty", "entry_price", "exit_price", "cost", "proceeds", "realized_pl",
    "spread_paid", "settled", "held_seconds", "entry_fill_ids", "exit_fill_ids", "order_ids", "client_order_ids", "tags",
)  # fmt: skip


@state_of.register
def _(found: Performance) -> object:
    """Not the instant until which it is judged; the share of time in the market as it is shown."""
    exposure = None if found.exposure is None else round(found.exposure, EXPOSURE_DECIMALS)
    return [
        state_of(getattr(found, field.name)) for field in fields(found) if field.name not in {"until", "exposure"}
    ] + [exposure]


@state_of.register
def _(trade: Trade) -> object:
    """What it is made of is not shown, and can be a hundred thousand fills."""
    return trade.number, state_of(replace(trade.trip, entries=(), exits=())), duration(trade.held)


@state_of.register
def _(curve: Curve) -> object:
    """The page's script asks for the points."""
    return curve.id, curve.name


def method_of(request: HttpRequest) -> str:
    """How the query wants round trips counted."""
    asked = request.GET.get("method", "")
    return asked if asked in METHODS else DEFAULT_METHOD


@account_view
@require_GET
def performance(request: HttpRequest, account: PaperAccount) -> HttpResponse:
    """The figures of a run, its calendar, its falls, and how well it was executed."""
    page = read_page(request, account, "performance")
    found = performance_of(page.book)
    context = page.context(
        found=found,
        execution=execution_of(page.book),
        years=heat.years(found.months),
        months=heat.months(found.days),
        weekdays=("Mon", "Tue", "Wed", "Thu", "Fri"),
    )
    return respond(request, "dashboard/performance.html", context)


@account_view
@require_GET
def trades(request: HttpRequest, account: PaperAccount) -> HttpResponse:
    """Round trips, the latest first."""
    page = read_page(request, account, "trades")
    chosen = _chosen(request)
    found = _trades(page.book, **chosen)
    closed = [(trade.trip.realized_pl, trade.held) for trade in found if not trade.trip.is_open]
    number = min(page_number(request.GET.get("page", "")), max(1, ceil(len(found) / TRADES_A_PAGE)))
    shown = found[::-1][(number - 1) * TRADES_A_PAGE : number * TRADES_A_PAGE]
    generation = page.book.generation_number if page.is_past else None

    def link(**changes: Any) -> str:
        query = {"generation": generation, **chosen, **changes}
        return "?" + urlencode({name: value for name, value in query.items() if value})

    context = page.context(
        trades=shown,
        figures=trade_figures(closed),
        total=len(found),
        number=number,
        previous_link=link(page=number - 1) if number > 1 else "",
        next_link=link(page=number + 1) if number * TRADES_A_PAGE < len(found) else "",
        link=link(),
        tag_link=link(tag="") + "&",
        methods=METHOD_WORDS,
        chosen=chosen,
    )
    return respond(request, "dashboard/trades.html", context)


def _chosen(request: HttpRequest) -> dict[str, str]:
    """How the query wants round trips counted, and which of them; what cannot be read counts as not asked."""
    tag = request.GET.get("tag", "").strip()
    return {
        "method": method_of(request),
        "q": request.GET.get("q", "").strip().upper(),
        "tag": tag if is_tag(tag) else "",
    }


def _trades(book: Book, *, method: str, q: str, tag: str) -> list[Trade]:
    """Round trips in symbols that have the text `q` in them, with the tag if there is one."""
    found = trades_of_run(book, method=method)
    return [trade for trade in found if q in trade.trip.symbol and (not tag or tag in trade.trip.tags)]


@account_view
@require_GET
def trades_csv(request: HttpRequest, account: PaperAccount) -> HttpResponseBase:
    """The same round trips, all of them, with the ids of the fills and orders that they are made of."""
    book, chosen = book_asked_for(request, account), _chosen(request)
    name = f"trades-{chosen['method']}-generation-{book.generation_number}"
    return csv_response(request, TRADE_COLUMNS, _trade_lines(_trades(book, **chosen)), filename=name)


def _trade_lines(found: list[Trade]) -> Iterator[list[Any]]:
    for trade in found:
        trip = trade.trip
        parts = (*trip.entries, *trip.exits)
        yield [
            trade.number, trip.symbol, trip.opened_at, trip.closed_at, trip.qty, round(trip.entry_price, 6),
            None if trip.exit_price is None else round(trip.exit_price, 6), trip.cost, trip.proceeds, trip.realized_pl,
            trip.spread_paid, trip.settled, round(trade.held.total_seconds()), _ids(part.id for part in trip.entries),
            _ids(part.id for part in trip.exits), _ids(part.order_id for part in parts),
            _ids(part.client_order_id for part in parts), ", ".join(trip.tags),
        ]  # fmt: skip


def _ids(found: Iterable[str | None]) -> str:
    """Each once, in order; a settlement has no order."""
    return " ".join(dict.fromkeys(text for text in found if text))


@account_view
@require_GET
def returns_csv(request: HttpRequest, account: PaperAccount) -> HttpResponseBase:
    """The daily returns, as other libraries read them."""
    book = book_asked_for(request, account)
    lines = ([day.day.isoformat(), Decimal(f"{day.share:.12f}"), day.pl] for day in performance_of(book).days)
    return csv_response(
        request, ("date", "return", "pl"), lines, filename=f"returns-generation-{book.generation_number}"
    )


@account_view
@require_GET
def tearsheet(request: HttpRequest, account: PaperAccount) -> HttpResponse:
    """The run on one page, as a file that opens anywhere."""
    book = book_asked_for(request, account)
    sheet = tearsheet_of(account, book, benchmark=_benchmark(request))
    response = HttpResponse(sheet, content_type="text/html; charset=utf-8")
    name = f"tearsheet-{account.pk}-generation-{book.generation_number}.html"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@login_required
@require_GET
def comparison(request: HttpRequest) -> HttpResponse:
    """Runs of the user's accounts side by side; those of the query, else the latest of each account."""
    accounts = list(accounts_of(user=request.user))
    options = [(account, list(generations(account=account))) for account in accounts]
    asked = _asked(request) or [(str(account.pk), None) for account in accounts[:MOST_RUNS]]
    found = _of_this_user(compare, request, asked)
    context = {
        "options": options,
        "chosen": {run.curve.id for run in found.runs},
        "found": found,
        "most": MOST_RUNS,
        "benchmark": _benchmark(request),
    }
    return respond(request, "dashboard/compare.html", context)


@login_required
@require_GET
def comparison_chart(request: HttpRequest) -> JsonResponse:
    """The curves of the same runs, for the page's script."""
    curves = _of_this_user(curves_of, request, _asked(request))
    if not curves:
        raise Http404("No runs are named.")
    figure = compared_figure(curves, zone=timezone.get_current_timezone(), benchmark=_benchmark(request))
    return JsonResponse({"figures": {"compared": figure}})


def _benchmark(request: HttpRequest) -> str:
    symbol = request.GET.get("benchmark", "").strip().upper()
    return symbol if is_symbol(symbol) else ""


def _asked(request: HttpRequest) -> list[tuple[str, int | None]]:
    """What the query names: `runs=a:1,b`, or as a form sends it, one `run` each; nothing where it names none."""
    text = ",".join([request.GET.get("runs", ""), *request.GET.getlist("run")]).strip(",")
    try:
        return read_runs(text) if text else []
    except ValueError as problem:
        raise Http404(f"runs {problem}") from None


def _of_this_user(read: Callable[[Any, Any], Found], request: HttpRequest, runs: list[tuple[str, int | None]]) -> Found:
    """What is read of these runs; a run that is missing or somebody else's is a page that is not there."""
    try:
        return read(request.user, runs)
    except NotFound as missing:
        raise Http404(missing.message) from None
