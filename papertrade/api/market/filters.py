"""The query parameters of market data."""

import operator
from collections.abc import Callable
from typing import Any

from marketdata.instruments import Instrument, OptionRight
from papertrade.api.kit.filters import (
    DayParameter,
    NumberParameter,
    Parameter,
    ParameterSet,
    SymbolsParameter,
    TextParameter,
    WordParameter,
)

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "": operator.eq,
    ".gte": operator.ge,
    ".gt": operator.gt,
    ".lte": operator.le,
    ".lt": operator.lt,
}


class CalendarFilter(ParameterSet):
    start = DayParameter("first date; today by default")
    end = DayParameter("last date; a month later by default")


class QuoteFilter(ParameterSet):
    symbols = SymbolsParameter("up to 100 symbols, separated by commas", required=True)


class SearchFilter(ParameterSet):
    query = TextParameter("a part of a ticker or name; all stocks by default", may_be_empty=True)


class _Compared:
    """A parameter that narrows contracts in memory to those whose `attribute` compares so with the value."""

    compare: Callable[[Any, Any], bool]
    attribute: str

    def filter(self, contracts: list[Instrument], value: Any) -> list[Instrument]:
        return [item for item in contracts if self.compare(getattr(item, self.attribute), value)]


def _compared(kind: type[Parameter], attribute: str, compare: Callable[[Any, Any], bool], *said: Any) -> Parameter:
    parameter = type(kind.__name__, (_Compared, kind), {})(*said)
    parameter.attribute, parameter.compare = attribute, compare
    return parameter


class ChainFilter(ParameterSet):
    """`contract_type`, and strike and expiry with the comparisons of the hosted product: `strike_price.gte`."""

    contract_type = _compared(WordParameter, "right", operator.eq, "call or put", OptionRight)

    @classmethod
    def get_filters(cls) -> dict[str, Parameter]:
        strikes = {
            f"strike_price{suffix}": _compared(NumberParameter, "strike", compare, "USD per share")
            for suffix, compare in COMPARISONS.items()
        }
        days = {
            f"expiration_date{suffix}": _compared(DayParameter, "expiry", compare, "a date")
            for suffix, compare in COMPARISONS.items()
        }
        return {**super().get_filters(), **strikes, **days}
