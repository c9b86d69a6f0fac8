"""What somebody who took a wrong turn is told: the slash at the end, and what is here instead of Alpaca's own API."""

from typing import Any

from django.http import HttpRequest
from django.urls import is_valid_path

PREFIXES = ("/v1", "/v2")  # answers below these are JSON, whatever goes wrong
ALPACA_PREFIX = "/v2"
ALPACA_HEADERS = ("APCA-API-KEY-ID", "APCA-API-SECRET-KEY")
# The one place that says what of Alpaca's own API is here.
ALPACA = (
    "Alpaca's own addresses are not served here. papertrade's API is below /v1/, with orders of Alpaca's shape: GET /v1/ lists "
    "it, and its key goes into the header Authorization: Bearer cm_your_key."
)


def is_api(path: str) -> bool:
    """Whether the address is, or looks like, one of an API."""
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in PREFIXES)


def twin(path: str) -> str | None:
    """The address that differs in its last slash alone, where there is one."""
    other = path.rstrip("/") if path.endswith("/") else f"{path}/"
    return other if other.strip("/") and is_valid_path(other) else None


def of_nothing_there(request: HttpRequest) -> tuple[str, dict[str, Any]]:
    """(message, details) for an address at which nothing is."""
    if (other := twin(request.path)) is not None:
        ends = "ends in a slash" if other.endswith("/") else "has no slash at its end"
        return f"There is nothing at this address. The one that you mean {ends}: {other}", {"did_you_mean": other}
    if request.path == ALPACA_PREFIX or request.path.startswith(f"{ALPACA_PREFIX}/"):
        return ALPACA, {"did_you_mean": "/v1/"}
    return "There is nothing at this address. GET /v1/ lists what there is.", {}


def of_no_key(request: HttpRequest) -> str:
    """What to send instead, where no key came in the header of ours."""
    if any(name in request.headers for name in ALPACA_HEADERS):
        return ALPACA
    return "Send the header Authorization: Bearer cm_your_key."
