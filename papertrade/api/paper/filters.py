"""The query parameters of /v1/paper/."""

from collections.abc import Iterable
from typing import Any

from accounts.labels import MAX_NOTE_LENGTH, MAX_TAG_LENGTH, MAX_TAGS, is_tag, read_note, read_tags
from accounts.selectors import tagged
from marketdata.instruments import AssetClass
from orders.states import CLOSED, OPEN, Status
from orders.terms import Side
from papertrade.api.kit.filters import (
    MAX_GENERATION,
    AfterParameter,
    CountParameter,
    FlagParameter,
    GroupParameter,
    IdParameter,
    Parameter,
    ParameterSet,
    SymbolParameter,
    SymbolsParameter,
    TextParameter,
    UntilParameter,
    WordParameter,
)
from papertrade.reports.compare import MOST_RUNS, read_runs
from portfolio.history import TIMEFRAMES
from portfolio.round_trips import METHODS

GROUPS: dict[str, Iterable[str]] = {
    "all": Status,
    "open": OPEN,
    "closed": CLOSED,
    **{str(status): [status] for status in sorted(Status)},
}
MAX_RUNS_LENGTH = 512
WHOLE_RUN = "all"
# How many sessions back: a calendar's days would be empty at weekends and on Monday before the open.
SESSIONS_OF_PERIOD = {"1D": 1, "1W": 5, "1M": 21, "3M": 63, "1A": 252}
PERIODS = (*SESSIONS_OF_PERIOD, WHOLE_RUN)


class RunsParameter(Parameter):
    """Runs of accounts, as `compare` names them."""

    schema = {"type": "string", "maxLength": MAX_RUNS_LENGTH}

    def read(self, text: str) -> list[tuple[str, int | None]]:
        if not text.isprintable() or len(text) > MAX_RUNS_LENGTH:
            raise ValueError(f"must be at most {MAX_RUNS_LENGTH} printable characters")
        return read_runs(text)


class TagParameter(Parameter):
    """One of the row's tags."""

    schema = {"type": "string", "maxLength": MAX_TAG_LENGTH}

    def read(self, text: str) -> str:
        if not is_tag(text):
            raise ValueError(f"must be a tag: 1 to {MAX_TAG_LENGTH} printable characters without a comma")
        return text

    def filter(self, qs: Any, value: str) -> Any:
        return qs.filter(tagged(value))


class TagsParameter(Parameter):
    """The tags of the order that the call makes."""

    schema = {"type": "string", "maxLength": MAX_TAGS * (MAX_TAG_LENGTH + 1)}

    def read(self, text: str) -> list[str]:
        return list(read_tags(text.split(",")))


class NoteParameter(Parameter):
    """The note on the order that the call makes."""

    schema = {"type": "string", "maxLength": MAX_NOTE_LENGTH}

    def read(self, text: str) -> str:
        return read_note(text)


class GenerationFilter(ParameterSet):
    """`generation` shows an earlier run of the account."""

    generation = CountParameter("the generation of the account; default: the latest", most=MAX_GENERATION)


class AccountFilter(ParameterSet):
    include_archived = FlagParameter("also archived accounts")


class OrderFilter(GenerationFilter):
    """`after` exclusive and `until` inclusive on submitted_at."""

    status = GroupParameter("open, closed, all, or one status", GROUPS, narrows="status")
    symbol = SymbolParameter("only this symbol", narrows="symbol")
    symbols = SymbolsParameter("only these symbols, separated by commas", narrows="symbol")
    side = WordParameter("buy or sell", Side, narrows="side")
    asset_class = WordParameter("stocks or options", AssetClass, narrows="asset_class")
    tag = TagParameter("only orders with this tag")
    after = AfterParameter("submitted_at")
    until = UntilParameter("submitted_at")
    updated_after = AfterParameter("updated_at", what="changed ")
    direction = WordParameter("newest first (desc, the default) or oldest first (asc)", ["desc", "asc"])


class RunFilter(ParameterSet):
    tag = TagParameter("only generations with this tag")


class CancelFilter(ParameterSet):
    """Which of all open orders are to be canceled."""

    symbol = SymbolParameter("only this symbol")
    symbols = SymbolsParameter("only these symbols, separated by commas")
    side = WordParameter("buy or sell", Side)


class ClientOrderIdFilter(GenerationFilter):
    client_order_id = TextParameter("the id that was sent with the order", required=True)


class FillFilter(GenerationFilter):
    """`after` exclusive and `until` inclusive on created_at."""

    symbol = SymbolParameter("only this symbol", narrows="symbol")
    order_id = IdParameter("only fills of this order", narrows="order_id")
    after = AfterParameter("created_at")
    until = UntilParameter("created_at")


class LabelParameters(ParameterSet):
    """The labels of the orders that a call makes."""

    note = NoteParameter("a note on the order")
    tags = TagsParameter("tags of the order, separated by commas")


class CloseFilter(LabelParameters):
    """How much of a position is to be closed: by `qty`, by `percentage`, or all that no open sell holds."""

    qty = TextParameter("how much of it; default: all that is available")
    percentage = TextParameter("how much of what is available, greater than 0 and at most 100")
    client_order_id = TextParameter("makes it safe to send the request again")


class CloseAllFilter(LabelParameters):
    symbol = SymbolParameter("only this symbol")
    symbols = SymbolsParameter("only these symbols, separated by commas")
    percentage = TextParameter("how much of what is available of each, greater than 0 and at most 100")
    client_order_id = TextParameter("each order's id is this, a colon and its symbol; at most 95 characters")


class HistoryFilter(GenerationFilter):
    period = WordParameter("so many sessions back: 1, 5, 21, 63, 252, or all of the generation", PERIODS)
    timeframe = WordParameter("the time between two points", TIMEFRAMES)
    after = AfterParameter()
    until = UntilParameter()


class MethodFilter(GenerationFilter):
    """How round trips are counted."""

    method = WordParameter("flat: from flat to flat, as the books count; fifo: lot by lot", METHODS)


class TradeFilter(MethodFilter):
    symbol = SymbolParameter("only this symbol")
    tag = TagParameter("only round trips that an order with this tag began or added to")


class CompareFilter(ParameterSet):
    runs = RunsParameter(
        f"1 to {MOST_RUNS}, separated by commas: an account's id, or id:generation for an earlier one", required=True
    )


class EventFilter(ParameterSet):
    after_seq = CountParameter("only events after the one with this number")


def symbols_of(query: dict[str, Any]) -> set[str] | None:
    """The symbols that `symbol` and `symbols` mean together; None where neither was sent."""
    asked = [{query["symbol"]}] if "symbol" in query else []
    asked += [set(query["symbols"])] if "symbols" in query else []
    return set.intersection(*asked) if asked else None
