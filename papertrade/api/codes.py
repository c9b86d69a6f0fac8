"""Every code that the API answers with, as the page docs/codes.md; `make docs` writes it, a test holds it to the code."""

from collections.abc import Iterator

from orders.reasons import TABLES
from orders.states import Status
from papertrade.api.kit.errors import STATUS_OF_CODE

# What each error code means and what a client does about it.
ERRORS = {
    "bad_request": ("A field is missing or cannot be used; `details` says which and how.", "Mend the request."),
    "invalid_page_token": ("The cursor is not one that `next_url` gave.", "Begin at the first page."),
    "unauthorized": ("No key, or one that does not exist or was revoked.", "Send `Authorization: Bearer cm_...`."),
    "forbidden": (
        "The key lacks the scope, or its user the right.",
        "Use a key with the scope that the message names.",
    ),
    "not_found": ("There is no such thing; somebody else's looks the same.", "Check the id, and the slash at the end."),
    "method_not_allowed": ("The address takes another method.", "See the `Allow` header."),
    "account_archived": ("The account takes no orders and no changes.", "Use another account."),
    "account_limit_reached": ("You have as many accounts as a user may.", "Archive one, or reset one."),
    "client_order_id_not_unique": ("Another order has this id.", "Send a new id for a new order."),
    "conflict": ("The request does not fit the state that the thing is in.", "Read it again, then decide."),
    "clock_busy": ("The clock is being moved.", "Send it again when that is done."),
    "clock_not_movable": ("The clock runs by itself.", "Start the server with `--speed 0` to move it."),
    "feed_not_writable": ("The market has a feed of its own.", "Push quotes only to a market that takes them."),
    "nothing_to_close": ("There is no such position, or open sells hold all of it.", "Cancel those sells first."),
    "generation_not_current": (
        "The order says another generation than the account's current one: it was reset meanwhile. Nothing was sent.",
        "Decide anew, and send the current generation.",
    ),
    "order_not_cancelable": ("The order is closed already.", "Read the order: it was filled, or ended."),
    "order_not_replaceable": (
        "The order is closed already; `replaced_by` names the one that took its place.",
        "Read the order, or that one.",
    ),
    "payload_too_large": ("The body is over 64 KiB (pushed quotes: 1 MiB).", "Send less at a time."),
    "unsupported_media_type": ("The body is not JSON.", "Send `Content-Type: application/json`."),
    "contract_expired": ("The option contract has ended.", "Choose one from the chain."),
    "replacement_changes_nothing": ("The order has these terms already.", "Nothing: it goes on."),
    "replacement_refused": (
        "The new order would be rejected for the `reason`, or all of its `qty` is filled; the old one goes on.",
        "Change less, or cancel other orders.",
    ),
    "unknown_symbol": ("This market has no such symbol.", "Search `/v1/tickers/search/`, or read the chain."),
    "unsupported_order": (
        "A real order, and not one that papertrade takes; the message names the feature.",
        "Send another.",
    ),
    "too_many_open_orders": (
        "The order would wait, and the account has as many open orders as the server lets wait.",
        "Cancel some, or send orders that fill at once.",
    ),
    "rate_limit_exceeded": ("More requests than the key may send.", "Wait `Retry-After` seconds."),
    "internal_error": (
        "A defect of the server, which may have come up after something was stored.",
        "Report it with the `request_id`. Look before you send it again; what has a `client_order_id` may be sent again.",
    ),
    "outcome_unknown": (
        "The database went away while it was asked to store this: it may be stored, or not.",
        "Look before you send it again; what has a `client_order_id` may be sent again as it is.",
    ),
    "unavailable": (
        "A part is busy or away; nothing was stored, or the message says what was.",
        "Send the same again after `Retry-After` seconds.",
    ),
}
STATUSES = {
    Status.ACCEPTED: "Waits for the open. Then it is decided.",
    Status.NEW: "Working: it was decided on, and did not fill yet; `no_fill_reason` says why.",
    Status.PARTIALLY_FILLED: "A part was filled, the rest is working.",
    Status.FILLED: "All of it was filled. Final.",
    Status.CANCELED: "Ended before it was filled; `cancel_reason` says why. Final.",
    Status.EXPIRED: "Its last session closed. Final.",
    Status.REPLACED: "Another order took its place: `replaced_by`. What it had filled stays with it. Final.",
    Status.REJECTED: "Refused, and kept so that it can be looked up; `rejected_reason` says why. Final.",
}
HEAD = """# Every code

Written by `make docs` from the code; a test keeps it so. [trading-rules.md](trading-rules.md) says exactly when each comes up.
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
        "`error.code` of an answer with `status: ERROR`. Nothing was stored.",
        "",
        "| HTTP | code | what happened | what to do |",
        "|---|---|---|---|",
    )
    for code, status in sorted(STATUS_OF_CODE.items(), key=lambda row: (row[1], row[0])):
        what, do = ERRORS[code]
        yield f"| {status} | `{code}` | {what} | {do} |"
    yield ""
