"""The one place that maps errors to HTTP: codes with data become statuses and envelopes, and nothing becomes HTML."""

from http import HTTPStatus
from typing import Any

import structlog
from django.db import Error, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, JsonResponse
from rest_framework import exceptions
from rest_framework.response import Response

from marketdata import clock
from marketdata.instruments import EXAMPLE_OPTION
from marketdata.listing import example_contract
from papertrade.api.kit.hints import of_nothing_there
from papertrade.lib import metrics
from papertrade.lib.database.base import CommitLost
from papertrade.lib.errors import PapertradeError

log = structlog.get_logger(__name__)

RETRY_AFTER_SECONDS = "1"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
NOTHING_STORED = "Something went wrong here; nothing was stored."
# A defect may come up after the commit, in what shows the outcome.
MAY_BE_STORED = (
    "Something went wrong here. Check whether it was stored before you send it again; an order with a client_order_id may be "
    "sent again as it is."
)
OUTCOME_UNKNOWN = (
    "The database was lost while this was being committed: it may be stored, or not. Check before you send it again; a "
    "request with a client_order_id may be sent again as it is."
)

STATUS_OF_CODE = {
    "bad_request": 400,
    "invalid_page_token": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "account_archived": 409,
    "account_limit_reached": 409,
    "client_order_id_not_unique": 409,
    "conflict": 409,
    "clock_busy": 409,
    "clock_not_movable": 409,
    "feed_not_writable": 409,
    "generation_not_current": 409,
    "nothing_to_close": 409,
    "order_not_cancelable": 409,
    "order_not_replaceable": 409,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "contract_expired": 422,
    "replacement_changes_nothing": 422,
    "replacement_refused": 422,
    "unknown_symbol": 422,
    "unsupported_order": 422,
    "too_many_open_orders": 422,
    "rate_limit_exceeded": 429,
    "internal_error": 500,
    "outcome_unknown": 500,
    "unavailable": 503,
}

_CODE_OF_EXCEPTION: dict[type[exceptions.APIException], str] = {
    exceptions.NotAuthenticated: "unauthorized",
    exceptions.AuthenticationFailed: "unauthorized",
    exceptions.PermissionDenied: "forbidden",
    exceptions.NotFound: "not_found",
    exceptions.MethodNotAllowed: "method_not_allowed",
    exceptions.UnsupportedMediaType: "unsupported_media_type",
    exceptions.Throttled: "rate_limit_exceeded",
}
_MESSAGES = {
    400: ("bad_request", "The request cannot be used. PAPERTRADE_ALLOWED_HOSTS names the hosts that are served."),
    403: ("forbidden", "This needs a key, or a dashboard session with its CSRF token."),
    405: ("method_not_allowed", "This address does not take that method."),
    429: ("rate_limit_exceeded", "Too many requests without a valid key from this address. Wait, then send your key."),
}


class PayloadTooLarge(PapertradeError):
    code = "payload_too_large"


def body(request: HttpRequest, code: str, message: str, details: dict[str, Any] | None = None) -> dict[str, Any]:
    """The error envelope."""
    return {
        "status": "ERROR",
        "request_id": getattr(request, "request_id", ""),
        "error": {"code": code, "message": message, "details": details or {}},
    }


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """DRF's exception handler: every failure of a view, expected or not."""
    request = context["request"]._request
    headers: dict[str, str] = {}
    if isinstance(error, PapertradeError):
        code, message, details = error.code, error.message, _with_a_contract_that_trades(error.details)
    elif isinstance(error, exceptions.APIException):
        code = next((code for kind, code in _CODE_OF_EXCEPTION.items() if isinstance(error, kind)), "bad_request")
        message, details = str(error.detail), {}
        headers = _headers_of(error)
    elif isinstance(error, Http404):
        code, message, details = "not_found", "There is no such thing.", {}
    elif isinstance(error, CommitLost):
        log.error("commit_lost", error=str(error).strip(), path=request.path)
        code, message, details = "outcome_unknown", OUTCOME_UNKNOWN, {}
    elif isinstance(error, (OperationalError, InterfaceError)):
        # A lock was not free in time, or the database is away: nothing was stored.
        log.warning("database_unavailable", error=str(error).strip(), path=request.path)
        code, message, details = "unavailable", "Busy; nothing was stored. Send the request again.", {}
    else:
        if isinstance(error, IntegrityError):
            metrics.BOOK_ERRORS.labels("database").inc()
        log.exception("request_failed", path=request.path)
        code, details = "internal_error", {}
        message = NOTHING_STORED if request.method in SAFE_METHODS else MAY_BE_STORED
    status = STATUS_OF_CODE.get(code, 400)
    if status == 503:
        headers["Retry-After"] = RETRY_AFTER_SECONDS
    return Response(body(request, code, message, details), status=status, headers=headers)


def _with_a_contract_that_trades(details: dict[str, Any]) -> dict[str, Any]:
    """Details with an example of an option's symbol: the example becomes one that can be ordered now."""
    shown = [name for name, said in details.items() if isinstance(said, str) and EXAMPLE_OPTION in said]
    if not shown:
        return details
    try:
        trading = example_contract(at=clock.read().now) or EXAMPLE_OPTION
    except (PapertradeError, Error):  # the refusal matters more than its example
        return details
    return {**details, **{name: details[name].replace(EXAMPLE_OPTION, trading) for name in shown}}


def _headers_of(error: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header
    if getattr(error, "wait", None):
        headers["Retry-After"] = str(max(1, round(error.wait)))
    return headers


def plain(request: HttpRequest, status: int) -> JsonResponse:
    """The envelope for failures that never reach a view: unknown addresses, and what middleware refuses."""
    if status == HTTPStatus.NOT_FOUND:
        message, details = of_nothing_there(request)
        return JsonResponse(body(request, "not_found", message, details), status=status)
    failed = "internal_error" if status >= HTTPStatus.INTERNAL_SERVER_ERROR else "bad_request"
    code, message = _MESSAGES.get(status, (failed, "The request cannot be used."))
    return JsonResponse(body(request, code, message), status=status)
