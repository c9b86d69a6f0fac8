"""The admin's filter by quote, for rows that were decided on one."""

from datetime import datetime, timedelta

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from marketdata import clock
from marketdata.models import MarketClock, QuoteRecord
from papertrade.lib.admin.filters import DatedFilter, Input

APART = timedelta(hours=1)  # the clocks of exchange, market and database are not further from each other than this


class QuoteFilter(DatedFilter):
    """Rows of a quote's symbol that were decided on it.

    They are looked for in the time in which it stood: nobody decides on a quote once a later one of its symbol has come, in a
    live market often long after it was quoted. So it costs the same however many rows the symbol has, and no table needs an
    index by quote.
    """

    title = "quote"
    inputs = (Input("quote", "A quote's id"),)
    order = "by_symbol"

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if not self.active:
            return queryset
        quote = self._quote(self.typed("quote"))
        if quote is None:
            messages.error(request, f"There is no quote {self.typed('quote')!r}.")
            return queryset.none()
        until = _superseded_at(quote)
        bounds = {"gte": quote.quoted_at - APART} | ({"lte": until + APART} if until else {})
        within = {f"{self.date_field}__{lookup}": bound for lookup, bound in bounds.items()}
        return queryset.filter(quote_id=quote.pk, symbol=quote.symbol, **within)

    def _quote(self, typed: str) -> QuoteRecord | None:
        try:
            return QuoteRecord.objects.filter(pk=QuoteRecord._meta.pk.to_python(typed)).first()
        except ValidationError:
            return None


def _superseded_at(quote: QuoteRecord) -> datetime | None:
    """When a later quote of its symbol was there, as far as such a one was kept.

    A live market may have it long after its own time, where nobody looked at the symbol; not after the first decision on it.
    """
    later = QuoteRecord.objects.filter(symbol=quote.symbol, quoted_at__gt=quote.quoted_at).order_by("quoted_at").first()
    if later is None:
        return None
    is_live = MarketClock.objects.filter(market=clock.LIVE).exists()
    return max(later.quoted_at, later.recorded_at) if is_live else later.quoted_at
