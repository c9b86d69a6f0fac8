"""Alpaca's errors: an HTTP status, a code that begins with it, and texts that bots look for.

Every "no" of our own services becomes one of these here, and nowhere else. What Alpaca has no words for keeps ours.
"""

from collections.abc import Callable
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, JsonResponse
from django.urls import resolve
from rest_framework import exceptions
from rest_framework.response import Response

from papertrade.lib.database.base import CommitLost
from papertrade.lib.errors import PapertradeError

log = structlog.get_logger(__name__)

UNAUTHORIZED, FORBIDDEN, NOT_FOUND = 40110000, 40310000, 40410000
METHOD_NOT_ALLOWED, CONFLICT = 40510000, 40910000
BAD_INPUT, UNPROCESSABLE = 40010001, 42210000
TOO_LARGE, RATE_LIMITED, BROKEN, UNAVAILABLE = 41310000, 42910000, 50010000, 50310000
RETRY_AFTER_SECONDS = "1"


class AlpacaError(Exception):
    """A refusal in Alpaca's words; `more` are the keys beside code and message."""

    def __init__(self, status: int, code: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.more = status, code, message, more

    def body(self) -> dict[str, Any]:
        """The body on the wire."""
        return {"code": self.code, "message": self.message, **self.more}


def bad_input(message: str) -> AlpacaError:
    """The request is not well formed."""
    return AlpacaError(422, BAD_INPUT, message)


def not_found(message: str) -> AlpacaError:
    """There is no such thing, or it is somebody else's."""
    return AlpacaError(404, NOT_FOUND, message)


def endpoint_not_found(request: HttpRequest, **path: str) -> JsonResponse:
    """Any address of Alpaca's that is not served."""
    meant = request.path.rstrip("/")
    known = meant != request.path and resolve(meant).func is not endpoint_not_found
    said = f"endpoint not found: it has no slash at its end: {meant}" if known else "endpoint not found"
    return JsonResponse(not_found(said).body(), status=404)


# What was wrong with a field of an order, in Alpaca's words; anything else is told in ours.
_MISSING = {
    "qty": "qty or notional is required",
    "limit_price": "limit orders require a limit price",
    "symbol": "symbol is required",
    "side": "side is required",
    "type": "order type is required",
}
_WRONG = {
    "side": "invalid side",
    "type": "invalid order type",
    "time_in_force": "invalid time_in_force",
    "position_intent": "invalid position_intent",
    "client_order_id": "client_order_id must be no more than 128 characters",
}
# What v1 does not trade, by the field that asked for it.
_NOT_TRADED = {
    "notional": "notional orders are not supported",
    "stop_price": "stop orders are not supported",
    "trail_price": "trailing stop orders are not supported",
    "trail_percent": "trailing stop orders are not supported",
    "legs": "complex orders not supported",
    "take_profit": "complex orders not supported",
    "stop_loss": "complex orders not supported",
    "order_class": "complex orders not supported",
    "qty": "qty must be integer for options trading",
    "time_in_force": "invalid option time_in_force",
}


def _of_bad_request(error: PapertradeError) -> AlpacaError:
    for field, problem in error.details.items():
        if problem.startswith("is required"):
            return bad_input(_MISSING.get(field, f"{field} is required"))
        if field == "symbol":
            return AlpacaError(422, UNPROCESSABLE, f"invalid symbol: {problem}")
        if field == "qty" and problem == "must be greater than 0":
            return bad_input("qty must be > 0")
        if field == "limit_price" and "decimals" in problem:
            return AlpacaError(
                422,
                UNPROCESSABLE,
                f"invalid limit_price. sub-penny increment does not fulfill minimum pricing criteria: it {problem}",
            )
        if problem == "unknown field":
            return bad_input(f"unknown field: {field}")
        return bad_input(_WRONG.get(field, f"{field} {problem}"))
    return bad_input(error.message)


def _of_unsupported(error: PapertradeError) -> AlpacaError:
    field, feature = error.details.get("field", ""), error.details.get("feature", "")
    for_options = "option" in feature
    if field == "type":
        message = f"{feature.removeprefix('type ').replace('_', ' ')} orders are not supported"
    elif field == "extended_hours":
        message = (
            "extended hours is not supported for options trading"
            if for_options
            else "extended hours order must be DAY or GTC limit orders"
        )
    elif field == "position_intent":
        message = f"position intent mismatch: {feature} is not supported"
    elif field == "time_in_force" and not for_options:
        message = f"{feature} is not supported"
    else:
        message = _NOT_TRADED.get(field, f"not supported: {feature or error.message}")
    return AlpacaError(422, UNPROCESSABLE, message)


def _no_such_symbol(error: PapertradeError) -> AlpacaError:
    symbol = str(error.details.get("symbol", ""))
    kind = "contract" if symbol.startswith("O:") else "asset"
    return AlpacaError(422, UNPROCESSABLE, f'{kind} "{symbol.removeprefix("O:")}" not found')


def _not_cancelable(error: PapertradeError) -> AlpacaError:
    return AlpacaError(422, UNPROCESSABLE, f'order is already in "{error.details.get("status", "closed")}" state')


def _nothing_to_close(error: PapertradeError) -> AlpacaError:
    available = error.details.get("available", "0")
    return AlpacaError(
        403, FORBIDDEN, f"insufficient qty available for order (available: {available})", available=available
    )


def _not_replaced(error: PapertradeError) -> AlpacaError:
    reason = str(error.details.get("reason", ""))
    texts = {"insufficient_buying_power": "insufficient buying power", "qty_already_filled": "qty must be > filled_qty"}
    status, code = (422, UNPROCESSABLE) if reason == "qty_already_filled" else (403, FORBIDDEN)
    return AlpacaError(status, code, texts.get(reason, error.message))


_BY_CODE: dict[str, Callable[[PapertradeError], AlpacaError]] = {
    "bad_request": _of_bad_request,
    "unsupported_order": _of_unsupported,
    "unknown_symbol": _no_such_symbol,
    "contract_expired": lambda error: AlpacaError(
        422, UNPROCESSABLE, f'contract "{str(error.details.get("symbol", "")).removeprefix("O:")}" is expired'
    ),
    "client_order_id_not_unique": lambda error: bad_input("client_order_id must be unique"),
    "order_not_cancelable": _not_cancelable,
    "nothing_to_close": _nothing_to_close,
    "order_not_replaceable": lambda error: AlpacaError(
        422, UNPROCESSABLE, f"cannot replace order in {error.details.get('status', 'closed')} status"
    ),
    "replacement_changes_nothing": lambda error: AlpacaError(422, UNPROCESSABLE, "order parameters are not changed"),
    "replacement_refused": _not_replaced,
    "not_found": lambda error: not_found(error.message),
    "account_archived": lambda error: AlpacaError(403, FORBIDDEN, "account is archived: it takes no orders"),
    "unauthorized": lambda error: AlpacaError(401, UNAUTHORIZED, error.message),
    "forbidden": lambda error: AlpacaError(403, FORBIDDEN, error.message),
    "payload_too_large": lambda error: AlpacaError(413, TOO_LARGE, error.message),
    "rate_limit_exceeded": lambda error: AlpacaError(429, RATE_LIMITED, error.message),
    "unavailable": lambda error: AlpacaError(503, UNAVAILABLE, error.message),
}


def translated(error: PapertradeError) -> AlpacaError:
    """One of our refusals in Alpaca's words. A conflict that it has none for stays a refusal of the order."""
    return _BY_CODE.get(error.code, lambda other: AlpacaError(422, UNPROCESSABLE, other.message))(error)


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler of this API."""
    refusal, headers = _refusal_of(error, context["request"].path)
    if refusal.status == 503:
        headers["Retry-After"] = RETRY_AFTER_SECONDS
    return Response(refusal.body(), status=refusal.status, headers=headers)


def _refusal_of(error: Exception, path: str) -> tuple[AlpacaError, dict[str, str]]:
    if isinstance(error, AlpacaError):
        return error, {}
    if isinstance(error, PapertradeError):
        return translated(error), {}
    if isinstance(error, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed)):
        return AlpacaError(401, UNAUTHORIZED, str(error.detail)), {}
    if isinstance(error, exceptions.PermissionDenied):
        return AlpacaError(403, FORBIDDEN, str(error.detail)), {}
    if isinstance(error, exceptions.Throttled):
        wait = str(max(1, round(error.wait or 1)))
        return AlpacaError(429, RATE_LIMITED, "rate limit exceeded"), {"Retry-After": wait}
    if isinstance(error, exceptions.MethodNotAllowed):
        return AlpacaError(405, METHOD_NOT_ALLOWED, "method not allowed"), {}
    if isinstance(error, exceptions.APIException):
        return AlpacaError(error.status_code, BAD_INPUT, str(error.detail)), {}
    if isinstance(error, CommitLost):
        log.error("commit_lost", error=str(error).strip(), path=path)
        return AlpacaError(500, BROKEN, "it is not known whether this was stored; check before you send it again"), {}
    if isinstance(error, (OperationalError, InterfaceError)):
        log.warning("database_unavailable", error=str(error).strip(), path=path)
        return AlpacaError(503, UNAVAILABLE, "busy; nothing was stored. Send the request again."), {}
    log.exception("request_failed", path=path)
    return AlpacaError(500, BROKEN, "internal server error"), {}


def refusal_of_error(error: Exception) -> AlpacaError:
    """Any failure as a refusal, for code that is not a view."""
    return _refusal_of(error, "")[0]
