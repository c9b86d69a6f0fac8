"""Every reason code that an order, an event or a position can show, with what it means and what to do. Pure.

The one list of them: the API document's enums, docs/codes.md and the checks of the dashboard's words are made from it.
A new code stands in its enum, here, in papertrade/dashboard/words.py, and in docs/codes.md (`make docs` writes it).
"""

from enum import StrEnum
from typing import NamedTuple

from marketdata.quotes import QuoteFault
from orders.matching import MAX_POSITION_QTY, NoFillReason
from orders.states import CancelReason, RejectReason
from portfolio.ledger import SettlementReason


class Meaning(NamedTuple):
    """A code in sentences."""

    what: str
    do: str


WAITS = "Nothing: the order waits."

NO_FILL: dict[StrEnum, Meaning] = {
    NoFillReason.MARKET_CLOSED: Meaning(
        "It is outside regular hours.", "Nothing: the order is decided at the next open."
    ),
    QuoteFault.MISSING: Meaning("The market has no quote for the symbol yet.", WAITS),
    QuoteFault.INVALID: Meaning(
        "A side of the quote is missing, a price is not above zero, a size is negative, or it is stamped in the future.",
        WAITS,
    ),
    QuoteFault.STALE: Meaning(
        "The quote is older than the account's policy allows, or from before this session's open.",
        "Nothing; or reset the account with a policy that allows a higher age (minute recordings need more than 60 s).",
    ),
    QuoteFault.CROSSED: Meaning("The bid is above the ask, so the quote cannot be trusted.", WAITS),
    NoFillReason.NOT_MARKETABLE: Meaning(
        "The quote does not reach the limit.", "Nothing, or cancel and send another limit."
    ),
    NoFillReason.OPTION_SPREAD_TOO_WIDE: Meaning(
        "The option's bid and ask are further apart than the policy allows.", "Nothing, or choose a tighter contract."
    ),
    NoFillReason.NO_DISPLAYED_SIZE: Meaning(
        "This account has already taken all that is displayed at this price.",
        "Nothing: the rest waits for a larger size or another price.",
    ),
}
REJECTED: dict[StrEnum, Meaning] = {
    RejectReason.SHORT_SELL_NOT_ALLOWED: Meaning(
        "The order would sell more shares than the account holds, less those reserved by its other sell orders.",
        "Sell at most `qty_available` of the position.",
    ),
    RejectReason.NAKED_OPTION_SELL_NOT_ALLOWED: Meaning(
        "The order would sell more contracts than the account holds, less those reserved by its other sell orders.",
        "Sell at most `qty_available` of the position.",
    ),
    RejectReason.INSUFFICIENT_BUYING_POWER: Meaning(
        "The buy costs more than the cash that open buys have not reserved.", "Buy less, or cancel open buys."
    ),
    RejectReason.OPTION_SPREAD_TOO_WIDE: Meaning(
        "When the order was sent, the option's bid and ask were further apart than the policy allows.",
        "Choose a tighter contract, or send it again when the spread is narrower.",
    ),
    RejectReason.POSITION_LIMIT_EXCEEDED: Meaning(
        f"The account would hold more than {MAX_POSITION_QTY:,f} of the symbol.", "Buy less, or sell some first."
    ),
}
CANCELED: dict[StrEnum, Meaning] = {
    CancelReason.REQUESTED: Meaning("You canceled it, or an operator did.", "Nothing."),
    CancelReason.RESET: Meaning("The account was reset.", "Trade in the new generation."),
    CancelReason.ARCHIVED: Meaning("The account was archived.", "Open another account."),
    CancelReason.INSUFFICIENT_BUYING_POWER: Meaning(
        "After a partial fill the rest costs more than the buying power.", "What was filled stays. Buy less."
    ),
    CancelReason.POSITION_LIMIT_EXCEEDED: Meaning(
        f"After a partial fill the account would hold more than {MAX_POSITION_QTY:,f} of the symbol.",
        "What was filled stays; sell some first.",
    ),
}
SETTLED: dict[StrEnum, Meaning] = {
    SettlementReason.EXPIRED: Meaning("The contract expired and was settled in cash.", "Nothing."),
    SettlementReason.NO_UNDERLYING_QUOTE: Meaning(
        "The contract expired, and there was no usable quote of its stock to settle it by.",
        "Ask the server's operator.",
    ),
}

# (where the code is shown, its codes)
TABLES: tuple[tuple[str, dict[StrEnum, Meaning]], ...] = (
    ("`no_fill_reason` of an open order, `reason` of `order_evaluated`", NO_FILL),
    ("`rejected_reason` of a `rejected` order", REJECTED),
    ("`cancel_reason` of a `canceled` order", CANCELED),
    ("`reason` of `position_settled` and `position_unsettled`", SETTLED),
)
CODES = tuple(dict.fromkeys(str(code) for _, table in TABLES for code in table))
