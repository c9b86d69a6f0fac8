"""Statuses of an order and the one table of transitions between them. Pure.

Rules: trading-rules.md section 6. Terminal states stay terminal; anything not in the table raises.
"""

from enum import StrEnum


class Status(StrEnum):
    """`accepted` waits for its first evaluation, `new` was evaluated and not filled; `replaced` gave its place to another."""

    ACCEPTED = "accepted"
    NEW = "new"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    REPLACED = "replaced"


OPEN = frozenset({Status.ACCEPTED, Status.NEW, Status.PARTIALLY_FILLED})
CLOSED = frozenset(Status) - OPEN

_ENDS = frozenset({Status.CANCELED, Status.EXPIRED, Status.REPLACED})

TRANSITIONS: dict[str, frozenset[Status]] = {
    "": frozenset({Status.ACCEPTED, Status.REJECTED}),
    Status.ACCEPTED: _ENDS | {Status.NEW, Status.PARTIALLY_FILLED, Status.FILLED, Status.REJECTED},
    Status.NEW: _ENDS | {Status.PARTIALLY_FILLED, Status.FILLED, Status.REJECTED},
    # What was filled stays booked, so a partially filled order is never rejected: its rest is canceled.
    Status.PARTIALLY_FILLED: _ENDS | {Status.PARTIALLY_FILLED, Status.FILLED},
    Status.FILLED: frozenset(),
    Status.CANCELED: frozenset(),
    Status.EXPIRED: frozenset(),
    Status.REJECTED: frozenset(),
    Status.REPLACED: frozenset(),
}


class RejectReason(StrEnum):
    """Why a stored order was refused."""

    SHORT_SELL_NOT_ALLOWED = "short_sell_not_allowed"
    NAKED_OPTION_SELL_NOT_ALLOWED = "naked_option_sell_not_allowed"
    INSUFFICIENT_BUYING_POWER = "insufficient_buying_power"
    OPTION_SPREAD_TOO_WIDE = "option_spread_too_wide"
    POSITION_LIMIT_EXCEEDED = "position_limit_exceeded"


class CancelReason(StrEnum):
    """Why an open order ended before it was filled."""

    REQUESTED = "requested"
    RESET = "reset"
    ARCHIVED = "archived"
    INSUFFICIENT_BUYING_POWER = "insufficient_buying_power"
    POSITION_LIMIT_EXCEEDED = "position_limit_exceeded"


class IllegalTransition(RuntimeError):
    """A bug: something tried a transition that the table does not allow."""


def move(current: str, target: Status) -> Status:
    """The target, where the table allows it; `current` is empty for an order that was just submitted."""
    if target not in TRANSITIONS[current]:
        raise IllegalTransition(f"{current or 'submitted'} -> {target}")
    return target
