"""Audits in the admin: started by a button, done by the workers, with progress and a way to cancel."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_POST

from papertrade.lib.admin import cells
from papertrade.lib.admin.filters import DateRangeFilter
from papertrade.lib.admin.history import HistoryAdmin, Links
from papertrade.proof import audits
from papertrade.tasks import invite_auditors
from portfolio.models import Audit, AuditReport, Book

REFRESH_SECONDS = 2


def _outcome(audit: Audit) -> str:
    if audit.canceled_at is not None:
        return f"canceled by {audit.canceled_by}"
    return str(audit.report) if audit.report else "under way"


def start(
    request: HttpRequest, *, extent: str = audits.FULL, scope: str = "", books: "QuerySet[Book] | None" = None
) -> HttpResponse:
    """Ask for an audit, invite workers, log who asked, and go to the audit's page."""
    audit = audits.ask(by=request.user.get_username(), scope=scope, books=books, extent=extent)
    invite_auditors(audit)
    _log(request, audit, f"asked for the {audit}")
    return redirect(cells.page_of(Audit, audit.pk))


def _log(request: HttpRequest, audit: Audit, what: str) -> None:
    LogEntry.objects.log_actions(request.user.pk, [audit], CHANGE, change_message=what, single_object=True)


@admin.register(Audit)
class AuditAdmin(HistoryAdmin):
    """Every audit that was asked for: how far it is, and what it found."""

    date_field = "asked_at"
    list_display = (
        cells.wall("asked_at", label="asked for"),
        cells.cell("scope", lambda audit: audit.scope or "all books"),
        "extent",
        cells.text("by"),
        cells.wall("finished_at"),
        cells.cell("outcome", _outcome),
    )
    list_select_related = ("report",)
    list_filter = ("extent", DateRangeFilter)
    page_fields = (*list_display, cells.wall("canceled_at"), cells.link("report"))
    change_list_template = "admin/audit_list.html"
    change_form_template = "admin/audit_page.html"

    def get_urls(self) -> list[URLPattern]:
        def posted(view: Any) -> Any:
            return require_POST(self.admin_site.admin_view(view))

        return [
            path("start/", posted(self.start), name="audit_start"),
            path("<int:audit_id>/cancel/", posted(self.cancel), name="audit_cancel"),
            *super().get_urls(),
        ]

    def start(self, request: HttpRequest) -> HttpResponse:
        """Start an audit of all books: a full one, or one of what is newer than the last."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        full = request.POST.get("extent") == audits.FULL
        return start(request, extent=audits.FULL if full else audits.INCREMENT)

    def cancel(self, request: HttpRequest, audit_id: int) -> HttpResponse:
        """End an audit early: whoever asked for it may do that, and operators."""
        audit = get_object_or_404(Audit, pk=audit_id)
        if not self._may_cancel(request, audit):
            raise PermissionDenied
        if audits.cancel(audit, by=request.user.get_username()):
            _log(request, audit, f"canceled the {audit}")
        else:
            self.message_user(request, "It was over already.", messages.WARNING)
        return redirect(cells.page_of(Audit, audit.pk))

    def _may_cancel(self, request: HttpRequest, audit: Audit) -> bool:
        if not self.has_view_permission(request):
            return False
        return self.has_operate_permission(request) or audit.by == request.user.get_username()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        audit = self.get_object(request, object_id)
        more: dict[str, Any] = {}
        if audit is not None and self.has_view_permission(request, audit):
            more["progress"] = audits.progress_of(audit)
            if not audit.is_over:
                more["refresh_seconds"] = REFRESH_SECONDS
                if self._may_cancel(request, audit):
                    more["cancel_url"] = reverse("admin:audit_cancel", args=[audit.pk])
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **more})

    def related(self, row: Audit) -> Links:
        return [("Report", cells.page_of(AuditReport, row.report_id))] if row.report_id else []
