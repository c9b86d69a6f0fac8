"""The admin's filters by account and by tag, for every app whose rows have one."""

from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.models import PaperAccount
from accounts.selectors import tagged
from papertrade.lib.admin.filters import Input, InputFilter

MAX_NAMESAKES = 100  # accounts of one name


class AccountFilter(InputFilter):
    """Rows with an `account` of that id or name. Ids are looked up first, so that the database sees constants."""

    title = "account"
    inputs: tuple[Input, ...] = (Input("account", "Account id, or its whole name"),)
    order = "in_scope"

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        return queryset.filter(account_id__in=self.account_ids()) if self.typed("account") else queryset

    def account_ids(self) -> list[UUID]:
        """The accounts that were named, archived ones too."""
        typed = self.typed("account")
        try:
            return [UUID(typed)]
        except ValueError:
            named = PaperAccount.objects.filter(name=typed).order_by()
            return list(named.values_list("pk", flat=True)[:MAX_NAMESAKES])


class TagFilter(InputFilter):
    """Rows with that tag, whole."""

    title = "tag"
    inputs = (Input("tag", "Tag, whole"),)

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        tag = self.typed("tag")
        return queryset.filter(tagged(tag)) if tag else queryset
