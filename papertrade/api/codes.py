"""Every code that the API answers with, as the page docs/codes.md; `make docs` writes it, a test holds it to the code."""

from collections.abc import Iterator

from orders.reasons import TABLES
from orders.states import Status
from papertrade.api.kit.errors import STATUS_OF_CODE

# What each error code means and what a client does about it.
ERRORS = {
    "bad_request": (
        "A field is missing or has an unusable value; `details` says which and why.",
        "Correct the request.",
    ),
    "invalid_page_token": ("The cursor did not come from a `next_url`.", "Begin at the first page."),
    "unauthorized": ("The key is missing, unknown or revoked.", "Send `Authorization: Bearer cm_...`."),
    "forbidden": (
        "The key lacks a scope, or its user a right.",
        "Use a key with the scope that the message names, or ask the operator for the right.",
    ),
    "not_found": (
        "It does not exist, or it is somebody else's.",
        "Check the id, and the slash at the end of the address.",
    ),
    "method_not_allowed": ("This address does not take this HTTP method.", "See the `Allow` header."),
    "account_archived": ("The account is archived: it takes no orders and no changes.", "Use another account."),
    "account_limit_reached": ("You have as many active accounts as a user may have.", "Archive one, or reset one."),
    "client_order_id_not_unique": (
        "A different order of this generation has this id.",
        "Use a new id for a new order.",
    ),
    "conflict": ("The request does not fit the current state of what it is about.", "Read that again, then decide."),
    "clock_busy": ("Somebody is moving the clock.", "Send the same again when that is done."),
    "clock_not_movable": ("The clock runs by itself.", "Start the server with `--speed 0` to move it."),
    "feed_not_writable": ("This market has a feed of its own.", "Push quotes only with `PAPERTRADE_PROVIDER=push`."),
    "nothing_to_close": (
        "There is no such position, or open sell orders have reserved all of it.",
        "Cancel those orders first.",
    ),
    "generation_not_current": (
        "The order names a generation that is not the account's current one: the account was reset meanwhile.",
        "Decide again, and send the current generation.",
    ),
    "order_not_cancelable": ("The order is no longer open.", "Read the order to see how it ended."),
    "order_not_replaceable": (
        "The order is no longer open; `replaced_by` names the order that replaced it, if any.",
        "Read the order, or the one that replaced it.",
    ),
    "payload_too_large": ("The body is larger than 64 KiB (pushed quotes: 1 MiB).", "Send less at a time."),
    "unsupported_media_type": ("The body is not JSON.", "Send `Content-Type: application/json`."),
    "contract_expired": ("The option contract has expired.", "Choose one from the chain."),
    "replacement_changes_nothing": ("The order already has these terms.", "Nothing: the order stays open."),
    "replacement_refused": (
        "The new order would be rejected for `reason`, or its `qty` is already filled; the old order stays open.",
        "Change less, or cancel other orders.",
    ),
    "unknown_symbol": ("This market has no such symbol.", "Search `/v1/tickers/search/`, or read the chain."),
    "unsupported_order": (
        "A real kind of order that papertrade does not support; the message names the feature.",
        "Send an order without that feature.",
    ),
    "too_many_open_orders": (
        "The order would stay open, and the account already has as many open orders as the server allows.",
        "Cancel some, or send orders that fill at once.",
    ),
    "rate_limit_exceeded": (
        "The key has sent more requests than it may.",
        "Wait `Retry-After` seconds, then send the same again.",
    ),
    "internal_error": (
        "A defect of the server; something may have been stored before it occurred.",
        "Report it with the `request_id`. Look before you send it again; an order with a `client_order_id` may be sent again.",
    ),
    "outcome_unknown": (
        "The connection to the database was lost while this was being stored: it may be stored or not.",
        "Look before you send it again; an order with a `client_order_id` may be sent again as it is.",
    ),
    "unavailable": (
        "A part of the server is busy or away. Nothing was stored, or the message says what was.",
        "Send the same again after `Retry-After` seconds.",
    ),
}
STATUSES = {
    Status.ACCEPTED: "Waiting for the open, when it is decided.",
    Status.NEW: "Working: evaluated, but not filled yet; `no_fill_reason` says why.",
    Status.PARTIALLY_FILLED: "A part is filled, the rest is working.",
    Status.FILLED: "All of it is filled. Final.",
    Status.CANCELED: "Ended before all of it was filled; `cancel_reason` says why. Final.",
    Status.EXPIRED: "Not filled by the close of its last session. Final.",
    Status.REPLACED: "Replaced by another order, named in `replaced_by`. What was filled before stays with this one. Final.",
    Status.REJECTED: "Rejected, but kept on record; `rejected_reason` says why. Final.",
}
HEAD = """# Every code

Generated from the code by `make docs`; a test compares them. [trading-rules.md](trading-rules.md) says exactly when each code
is given.
"""


def page() -> str:
    """The page as Markdown."""
    return "\n".join([HEAD, *_statuses(), *_reasons(), *_errors()])


def _statuses() -> Iterator[str]:
    yield from ("## Statuses of an order", "", "| status | meaning |", "|---|---|")
    yield from (f"| `{status}` | {STATUSES[status]} |" for status in Status)
    yield ""


def _reasons() -> Iterator[str]:
    yield from ("## Reasons", "")
    for place, codes in TABLES:
        yield from (f"{place}:", "", "| code | what happened | what to do |", "|---|---|---|")
        yield from (f"| `{code}` | {meaning.what} | {meaning.do} |" for code, meaning in codes.items())
        yield ""


def _errors() -> Iterator[str]:
    yield from (
        "## Errors",
        "",
        "`error.code` of an answer with `status: ERROR`. Nothing was stored, unless the row says otherwise.",
        "",
        "| HTTP | code | what happened | what to do |",
        "|---|---|---|---|",
    )
    for code, status in sorted(STATUS_OF_CODE.items(), key=lambda row: (row[1], row[0])):
        what, do = ERRORS[code]
        yield f"| {status} | `{code}` | {what} | {do} |"
    yield ""
