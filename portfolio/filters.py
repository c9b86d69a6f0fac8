"""The admin's filter by account and generation, for rows of a book."""

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest

from accounts.filters import AccountFilter
from papertrade.lib.admin.filters import Input
from portfolio.models import Book
from portfolio.selectors import read_generation_number


class BookFilter(AccountFilter):
    """Rows of an account's books, or of the book of one of its generations."""

    title = "account and generation"
    inputs = (*AccountFilter.inputs, Input("generation", "Generation number"))

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if not self.active:
            return queryset
        return queryset.filter(book_id__in=self.book_ids(request))

    def book_ids(self, request: HttpRequest) -> list[int]:
        """The books that were asked for."""
        number = self.typed("generation")
        if not self.typed("account"):
            messages.error(request, "A generation's number means something within an account: name the account too.")
            return []
        books = Book.objects.filter(account_id__in=self.account_ids())
        if number:
            known = read_generation_number(number)
            if known is None:
                messages.error(request, f"{number!r} is not the number of a generation.")
                return []
            books = books.filter(generation_number=known)
        return list(books.order_by("pk").values_list("pk", flat=True))


class EventFilter(BookFilter):
    """The same for events, which are numbered within their account, through all of its generations."""

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        rows = super().queryset(request, queryset)
        return rows.filter(account_id__in=self.account_ids()) if self.active else rows
