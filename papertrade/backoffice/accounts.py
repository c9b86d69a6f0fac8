"""Accounts in the admin, whose page spans apps (figures, charts, audit, archive), and the operators' log."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from accounts.models import Generation, PaperAccount, User
from papertrade.backoffice import audits
from papertrade.lib.admin import cells
from papertrade.lib.admin.actions import with_reason
from papertrade.lib.admin.filters import DateRangeFilter
from papertrade.lib.admin.history import HistoryAdmin, Links, lists_of
from papertrade.lib.errors import NotFound
from papertrade.lib.times import EXCHANGE_ZONE
from papertrade.reports.account_charts import account_charts
from papertrade.trading.accounts import archive_account
from portfolio.models import Book
from portfolio.selectors import book_of, generations, read_generation_number, summary


@admin.register(PaperAccount)
class PaperAccountAdmin(HistoryAdmin):
    """Every account, active and archived: where an audit begins."""

    date_field = "created_at"
    list_display = (
        cells.cell("name", lambda row: row.name),
        cells.link("user"),
        "status",
        cells.when("created_at"),
        cells.when("reset_at"),
        cells.when("archived_at"),
        cells.code("id"),
    )
    list_select_related = ("user",)
    list_filter = ("status", DateRangeFilter)
    search_fields = ("id", "name__icontains", "user__username")
    search_help_text = "An account's id, part of its name, or its user's name."
    page_fields = (*list_display[:3], "currency", *list_display[3:6], cells.when("updated_at"), "id")
    export_extra = ("user__username",)
    change_form_template = "admin/account_page.html"
    actions = ("archive",)

    @admin.action(description="Archive", permissions=["operate"])
    def archive(self, request: HttpRequest, queryset: QuerySet[PaperAccount]) -> HttpResponse | None:
        return with_reason(
            self,
            request,
            queryset,
            title="Archive accounts",
            done="archived",
            do=lambda account, reason: archive_account(account=account, reason=reason),
        )

    def offers(self, action: str, row: PaperAccount) -> bool:
        return not row.is_archived

    def related(self, row: PaperAccount) -> Links:
        return [
            ("User", cells.page_of(User, row.user_id)),
            ("As its owner sees it", f"{reverse('admin:as_them', args=[row.user_id])}accounts/{row.pk}/"),
            ("Keys of the user", cells.list_of("accounts_apikey", user=row.user_id)),
            *lists_of(account=row.pk),
        ]

    def get_urls(self) -> list[URLPattern]:
        audit = require_POST(self.admin_site.admin_view(self.audit))
        check = path("<uuid:account_id>/audit/", audit, name="account_audit")
        return [check, *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        account = self.get_object(request, object_id)
        more = _standing(request, account) if account is not None and self.has_view_permission(request, account) else {}
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def audit(self, request: HttpRequest, account_id: UUID) -> HttpResponse:
        """The books of all the account's generations, checked by the workers; the report is kept."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        account = get_object_or_404(PaperAccount, pk=account_id)
        return audits.start(request, scope=f"account {account.pk}", books=Book.objects.filter(account=account))


def _standing(request: HttpRequest, account: PaperAccount) -> dict[str, Any]:
    """Figures and charts of the generation that the query names, by default the latest, and all generations."""
    number = read_generation_number(request.GET.get("generation", ""))
    try:
        book = book_of(account=account, generation=number)
    except NotFound as missing:
        raise Http404(missing.message) from None
    figures = book.generation.summary or summary(book=book).as_json()
    return {
        "generation": book.generation,
        "figures": {_label(name): cells.shown(value) for name, value in figures.items()},
        "chart": account_charts(book, zone=EXCHANGE_ZONE).as_json(),
        "runs": [_run(generation) for generation in generations(account=account)],
        "audit_url": reverse("admin:account_audit", args=[account.pk]),
    }


def _label(name: str) -> str:
    """A figure of the summary as people write it: realized_pl is Realized P/L."""
    return name.replace("_", " ").capitalize().replace(" pl", " P/L")


def _run(generation: Generation) -> dict[str, Any]:
    """A line of the table of generations."""
    final = (generation.summary or {}).get("equity")
    return {
        "number": generation.number,
        "link": cells.page_link(generation, f"#{generation.number}"),
        "opened": cells.exchange_time(generation.opened_at),
        "closed": cells.exchange_time(generation.closed_at) if generation.closed_at else cells.NOTHING,
        "initial_cash": cells.figure(generation.initial_cash, cells.MIN_MONEY_DECIMALS),
        "equity": cells.figure(Decimal(final), cells.MIN_MONEY_DECIMALS) if final else cells.NOTHING,
        "reason": generation.reason or cells.NOTHING,
    }


def _logged_row(entry: LogEntry) -> Any:
    address = entry.get_admin_url()
    return cells.anchor(address, entry.object_repr) if address else entry.object_repr


@admin.register(LogEntry)
class OperatorLogAdmin(HistoryAdmin):
    """What operators did here, to what, when and why."""

    date_field = "action_time"
    list_display = (
        cells.wall("action_time", label="when"),
        cells.link("user"),
        cells.cell("what", lambda row: row.get_change_message()),
        cells.cell("row", _logged_row),
        "content_type",
    )
    list_select_related = ("user", "content_type")
    list_filter = ("content_type", DateRangeFilter)
    search_fields = ("object_id", "user__username", "change_message__icontains")
    search_help_text = "A row's id, an operator's name, or a word of the reason."
    page_fields = list_display
    export_extra = ("user__username",)
