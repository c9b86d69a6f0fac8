"""The base of every list of what happened: it can be read, searched, filtered and exported, and not be changed."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote_plus

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.views.main import PAGE_VAR
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.text import capfirst

from papertrade.lib.admin import cells
from papertrade.lib.admin.actions import CheckedRows
from papertrade.lib.admin.paging import Keys, KeysetChangeList
from papertrade.lib.spreadsheets import csv_response, each

ROWS_PER_PAGE = 50
PART = "__icontains"

Links = list[tuple[str, str]]

LISTS = {
    "Orders": "orders_order",
    "Fills": "orders_fill",
    "Positions": "portfolio_position",
    "Events": "portfolio_accountevent",
    "Ledger": "portfolio_ledgertransaction",
    "Snapshots": "portfolio_equitysnapshot",
}


def lists_of(**scope: object) -> Links:
    """The lists of what happened in an account or a generation."""
    lists = [(label, cells.list_of(model_name, **scope)) for label, model_name in LISTS.items()]
    return [*lists, ("Settlements", cells.list_of(LISTS["Ledger"], **scope, kind__exact="settlement"))]


def shown(model: type[Model], columns: Sequence[Any]) -> Any:
    """Columns as every other of their kind is shown, where they are given by name."""
    return tuple(cells.of_field(model, one) if isinstance(one, str) else one for one in columns)


class HistoryInline(admin.TabularInline):
    """Rows on the page of the row that they belong to; they cannot be changed either."""

    readonly_fields: Sequence[Any] = ()
    can_delete = False
    extra = 0

    def __init__(self, parent: type[Model], site: admin.AdminSite) -> None:
        super().__init__(parent, site)
        self.fields = self.readonly_fields = shown(self.model, self.readonly_fields)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    has_change_permission = has_add_permission


class HistoryAdmin(CheckedRows):
    """Rows that nobody may add, change or delete here, whatever permissions they have.

    `search_fields` are matched exactly, so that each look-up uses an index, unless they end in `__icontains`; `page_fields`
    are the cells of a row's page; the change permission stands for the actions that go through the services.
    """

    keys = Keys()
    list_display: Sequence[Any] = ("__str__",)
    page_fields: Sequence[Any] = ()
    list_prefetch: Sequence[str] = ()
    export_extra: Sequence[str] = ()
    export_without: Sequence[str] = ()
    list_per_page = ROWS_PER_PAGE
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    change_list_template = "admin/history_list.html"
    change_form_template = "admin/history_page.html"

    def __init__(self, model: type[Model], site: admin.AdminSite) -> None:
        super().__init__(model, site)
        self.list_display = shown(model, self.list_display)
        self.page_fields = shown(model, self.page_fields)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether the user may run the actions that change something through a service."""
        return request.user.has_perm(f"{self.opts.app_label}.change_{self.opts.model_name}")

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[Any]:
        return self.page_fields

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[Any]:
        return self.page_fields

    def get_changelist(self, request: HttpRequest, **options: Any) -> type[KeysetChangeList]:
        return KeysetChangeList

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        text = search_term.replace("\x00", "").strip()
        return (queryset.filter(self._matches(text)) if text else queryset), False

    def _matches(self, text: str) -> Q:
        """Rows of which any search field is the text; fields that cannot hold it are left out."""
        found = Q(pk__in=[])
        for lookup in self.search_fields:
            field = get_fields_from_path(self.model, lookup.removesuffix(PART))[-1]
            try:
                value = (field.target_field if field.is_relation else field).to_python(text)
            except ValidationError:
                continue
            found |= Q(**{lookup: value})
        return found

    def related(self, row: Any) -> Links:
        """Where to go from a row: labels and addresses."""
        return []

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("export/", self.admin_site.admin_view(self.export), name=name), *super().get_urls()]

    def export(self, request: HttpRequest) -> HttpResponseBase:
        """The list that the query asks for, all pages of it, as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            rows = self.get_changelist_instance(request).queryset.select_related(None)
        except IncorrectLookupParameters:
            self.message_user(request, "The list has no such filter. Nothing was exported.", messages.WARNING)
            return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist")
        self._log_export(request)
        fields = [field.attname for field in self.opts.concrete_fields if field.attname not in self.export_without]
        header = [*fields, *self.export_extra]
        return csv_response(
            request, header, each(rows.values_list(*header)), filename=str(self.opts.verbose_name_plural)
        )

    def _log_export(self, request: HttpRequest) -> None:
        """Keep who took what out, with the filters of the list."""
        what = f"exported {self.opts.verbose_name_plural}"
        filters = unquote_plus(request.GET.urlencode()).replace("\x00", "")  # which no text column takes
        LogEntry.objects.create(
            user_id=request.user.pk,
            content_type=ContentType.objects.get_for_model(self.model, for_concrete_model=False),
            object_repr=capfirst(str(self.opts.verbose_name_plural)),
            action_flag=CHANGE,
            change_message=f"{what}: {filters}" if filters else f"{what}, all of them",
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        query = request.GET.copy()
        query.pop(PAGE_VAR, None)
        more = {"export_query": query.urlencode(), "title": capfirst(self.opts.verbose_name_plural)}
        return super().changelist_view(request, {**(extra_context or {}), **more})

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **options: Any) -> Any:
        row = options.get("obj")
        buttons = [
            {"name": name, "label": label}
            for name, (_, _, label) in self.get_actions(request).items()
            if self.offers(name, row)
        ]
        title = f"{capfirst(self.opts.verbose_name)}: {row}"
        context.update(related=self.related(row), buttons=buttons, title=title, subtitle=None)
        return super().render_change_form(request, context, *args, **options)

    def offers(self, action: str, row: Any) -> bool:
        """Whether an action makes sense for a row, so that its page shows a button."""
        return True
