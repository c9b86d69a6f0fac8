"""The admin's filter by quote, for rows that were decided on one."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from marketdata.models import QuoteRecord
from papertrade.lib.admin.filters import Input, InputFilter

LATE = timedelta(hours=1)  # no quote comes later than this


class QuoteFilter(InputFilter):
    """Rows of a quote's symbol that were decided on it. The admin's `date_field` says when.

    They are looked for in the time in which it stood: nobody decides on a quote once a later one of its symbol has come. So
    it costs the same however many rows the symbol has, and no table needs an index by quote.
    """

    title = "quote"
    inputs = (Input("quote", "A quote's id"),)
    order = "by_symbol"

    def __init__(
        self, request: HttpRequest, params: dict[str, Any], model: type[Model], model_admin: ModelAdmin
    ) -> None:
        super().__init__(request, params, model, model_admin)
        self.date_field: str = model_admin.date_field

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if not self.active:
            return queryset
        quote = self._quote(self.typed("quote"))
        if quote is None:
            messages.error(request, f"There is no quote {self.typed('quote')!r}.")
            return queryset.none()
        later = QuoteRecord.objects.filter(symbol=quote.symbol, quoted_at__gt=quote.quoted_at)
        next_at = later.order_by("quoted_at").values_list("quoted_at", flat=True).first()
        bounds = {"gte": quote.quoted_at - LATE} | ({"lte": next_at + LATE} if next_at else {})
        within = {f"{self.date_field}__{lookup}": bound for lookup, bound in bounds.items()}
        return queryset.filter(quote_id=quote.pk, symbol=quote.symbol, **within)

    def _quote(self, typed: str) -> QuoteRecord | None:
        try:
            return QuoteRecord.objects.filter(pk=QuoteRecord._meta.pk.to_python(typed)).first()
        except ValidationError:
            return None
