"""Users, keys and generations in the admin. Accounts, whose page spans apps, are in `papertrade.backoffice.accounts`."""

from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db.models import Count, Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.filters import AccountFilter, TagFilter
from accounts.models import AccountStatus, ApiKey, Generation, User
from accounts.services import revoke_key
from papertrade.lib.admin import cells
from papertrade.lib.admin.actions import CheckedRows, with_reason
from papertrade.lib.admin.filters import DateRangeFilter, presence
from papertrade.lib.admin.history import HistoryAdmin, Links, lists_of
from papertrade.lib.admin.paging import Keys

admin.site.unregister(Group)


@admin.register(Group)
class GroupAdmin(CheckedRows, DjangoGroupAdmin):
    """What the members of a group may do."""


@admin.register(User)
class UserAdmin(CheckedRows, DjangoUserAdmin):
    """Who may sign in. A superuser adds people and ends their access; a user with a history is never deleted."""

    list_display = (
        "username",
        "email",
        "is_active",
        "is_staff",
        "is_superuser",
        cells.quantity("accounts", label="active accounts"),
        cells.quantity("keys", label="live keys"),
        cells.wall("last_login"),
        cells.wall("date_joined"),
    )
    list_filter = ("is_active", "is_staff", "is_superuser", "groups")
    show_full_result_count = False
    change_form_template = "admin/user_page.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        active = Q(paper_accounts__status=AccountStatus.ACTIVE)
        live = Q(api_keys__revoked_at=None, api_keys__isnull=False)
        return (
            super()
            .get_queryset(request)
            .annotate(
                accounts=Count("paper_accounts", filter=active, distinct=True),
                keys=Count("api_keys", filter=live, distinct=True),
            )
        )

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """A name is for good: it is hashed into the openings of the user's accounts (docs/proof.md)."""
        fixed = super().get_readonly_fields(request, obj)
        return fixed if obj is None else [*fixed, "username"]

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        """Without the password, even hashed, for whoever cannot change it."""
        sets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return sets
        return [
            (title, {**options, "fields": [f for f in options["fields"] if f not in ("password", "usable_password")]})
            for title, options in sets
        ]


@admin.register(ApiKey)
class ApiKeyAdmin(HistoryAdmin):
    """Bearer keys. The secret is shown once, when a key is made, and never here: not even its hash."""

    list_display = (
        "name",
        cells.code("prefix"),
        cells.link("user"),
        "scopes",
        cells.wall("created_at"),
        cells.wall("last_used_at"),
        cells.wall("revoked_at"),
    )
    list_select_related = ("user",)
    list_filter = (presence("revoked_at", title="state", present="revoked", absent="live"), DateRangeFilter)
    date_field = "created_at"
    search_fields = ("id", "prefix", "name", "user__username")
    search_help_text = "A key's id, prefix (what follows cm_) or name, or its user's name."
    page_fields = ("id", *list_display)
    export_without = ("secret_sha256",)
    export_extra = ("user__username",)
    actions = ("revoke",)

    @admin.action(description="Revoke", permissions=["operate"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        return with_reason(
            self,
            request,
            queryset,
            title="Revoke keys",
            done="revoked",
            do=lambda key, reason: revoke_key(user=key.user, key_id=key.pk),
        )

    def offers(self, action: str, row: ApiKey) -> bool:
        return row.revoked_at is None

    def related(self, row: ApiKey) -> Links:
        return [("User", cells.page_of(User, row.user_id))]


def _final_equity(generation: Generation) -> Any:
    final = (generation.summary or {}).get("equity")
    return cells.figure(Decimal(final), cells.MIN_MONEY_DECIMALS) if final else cells.NOTHING


@admin.register(Generation)
class GenerationAdmin(HistoryAdmin):
    """The runs of every account, with the policy that each was frozen with and what it came to."""

    keys = Keys(in_scope=("account_id", "number"))
    date_field = "opened_at"
    list_display = (
        cells.cell("number", lambda row: f"#{row.number}", label="generation"),
        cells.link("account"),
        cells.link("account.user", label="user"),
        cells.money("initial_cash"),
        cells.when("opened_at"),
        cells.when("closed_at"),
        cells.cell("equity", _final_equity, label="final equity"),
        cells.text("reason"),
    )
    list_select_related = ("account__user",)
    list_filter = (
        AccountFilter,
        TagFilter,
        presence("closed_at", title="state", present="closed", absent="open"),
        DateRangeFilter,
    )
    search_fields = ("id", "account", "account__name")
    search_help_text = "A generation's or account's id, or an account's name."
    page_fields = (
        "id",
        *list_display[:6],
        cells.text("reason"),
        cells.text("note"),
        cells.of("tags", ", ".join),
        "feed",
        "engine_version",
        cells.code("policy_hash"),
        cells.pairs("policy"),
        cells.pairs("summary", label="final summary"),
    )
    export_extra = ("account__name", "account__user__username")

    def related(self, row: Generation) -> Links:
        return [
            ("Account", f"{cells.page_of(type(row.account), row.account_id)}?generation={row.number}"),
            *lists_of(account=row.account_id, generation=row.number),
        ]
