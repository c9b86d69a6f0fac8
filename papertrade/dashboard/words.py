"""The wire's codes in words a trader uses: statuses, reasons, event types. Pure.

A code that is not here is shown as it is: the words follow the rules, never the other way round.
"""

STATUS = {
    "accepted": "waiting for the open",
    "new": "working",
    "partially_filled": "partly filled",
    "filled": "filled",
    "canceled": "canceled",
    "expired": "expired",
    "rejected": "rejected",
    "replaced": "replaced",
}

# What the order's table says beside the status.
REASON = {
    "market_closed": "market closed",
    "quote_missing": "no quote",
    "quote_invalid": "quote not usable",
    "quote_stale": "quote too old",
    "quote_crossed": "quote crossed",
    "not_marketable": "limit not reached",
    "option_spread_too_wide": "option spread too wide",
    "no_displayed_size": "nothing left on display",
    "insufficient_buying_power": "not enough buying power",
    "position_limit_exceeded": "position limit exceeded",
    "short_sell_not_allowed": "short sells are not allowed",
    "naked_option_sell_not_allowed": "naked option sells are not allowed",
    "requested": "canceled on request",
    "reset": "the account was reset",
    "archived": "the account was archived",
    "expired": "expired",
    "no_underlying_quote": "no usable quote of the stock to settle by",
}

# What the order's page and the ticket say: a whole sentence, and what it means for the order.
EXPLANATION = {
    "market_closed": "The market is closed. The order waits, and is decided at the next open.",
    "quote_missing": "There is no quote for this symbol yet. The order waits for one.",
    "quote_invalid": "One side of the quote is missing, not above zero, or stamped in the future. Nothing fills on it.",
    "quote_stale": "The latest quote is older than the policy allows, or from before this session. Nothing fills on it.",
    "quote_crossed": "The bid is above the ask, so the quote cannot be trusted. Nothing fills on it.",
    "not_marketable": "The market has not reached the limit. The order keeps working.",
    "option_spread_too_wide": "The option's bid and ask are further apart than the policy allows.",
    "no_displayed_size": "All that is displayed at this price is taken already. The rest waits for more size or another price.",
    "insufficient_buying_power": "The order costs more than the buying power.",
    "position_limit_exceeded": "The account would hold more of this symbol than an account may.",
    "short_sell_not_allowed": "It would sell more than the account holds, less what its other orders reserve.",
    "naked_option_sell_not_allowed": "It would sell more contracts than the account holds, less what its other orders reserve.",
    "requested": "It was canceled on request.",
    "reset": "It was canceled because the account was reset.",
    "archived": "It was canceled because the account was archived.",
}

EVENT = {
    "account_opened": "Account opened",
    "account_renamed": "Account renamed",
    "account_reset": "Account reset",
    "account_archived": "Account archived",
    "order_submitted": "Submitted",
    "order_evaluated": "Evaluated, not filled",
    "order_filled": "Filled",
    "order_canceled": "Canceled",
    "order_expired": "Expired",
    "order_rejected": "Rejected",
    "order_replaced": "Replaced by another order",
    "position_settled": "Option settled",
    "position_unsettled": "Option not settled",
}

# What the activity can be narrowed to, and the event types that each takes in.
ACTIVITY = {
    "orders": "Orders sent",
    "fills": "Fills",
    "ends": "Rejects, cancels, replacements, expiries",
    "settlements": "Settlements",
    "account": "The account",
}
ACTIVITY_TYPES = {
    "orders": ("order_submitted", "order_evaluated"),
    "fills": ("order_filled",),
    "ends": ("order_rejected", "order_canceled", "order_replaced", "order_expired"),
    "settlements": ("position_settled", "position_unsettled"),
    "account": ("account_opened", "account_renamed", "account_reset", "account_archived"),
}

LEDGER_KIND = {"opening": "Opening", "buy": "Buy", "sell": "Sell", "settlement": "Settlement"}

MARKET = {
    "simulated": ("Simulated market", "Every price is invented. Nothing here is a real quote."),
    "recorded": ("Recorded market", "Prices of the past are replayed. Nothing here is happening now."),
    "live": ("Live quotes, paper money", "Orders go nowhere and move no money."),
}

# What the band says of a live market's quotes, by their grade.
GRADE = {
    "nbbo": "The national best bid and offer, in real time.",
    "single_venue": "Quotes of a single exchange; their spread is often wider than the market's.",
    "indicative": "Quotes that the provider has modified: nobody quoted exactly this.",
    "delayed": "Quotes that are delayed by some minutes.",
    "pushed": "Quotes that somebody pushes to this server.",
    "test": "Quotes that the provider invents for testing connections.",
}

# What the band says of a provider's line, by its state; nothing where quotes stream.
LINE_STATE = {
    "connecting": "connecting",
    "polling": "polled",
    "interrupted": "interrupted",
    "refused": "refused by the provider",
}


def status(code: str) -> str:
    """A status in words."""
    return STATUS.get(code, code)


def event(code: str) -> str:
    """What happened, in words."""
    return EVENT.get(code, code.replace("_", " "))


def reason(code: str) -> str:
    """A reason in a few words."""
    return REASON.get(code, code.replace("_", " "))


def explanation(code: str) -> str:
    """A reason as sentences, or a few words where there are none."""
    return EXPLANATION.get(code, reason(code))
