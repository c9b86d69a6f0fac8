"""What somebody who took a wrong turn is told: which address was meant, and which header belongs where."""

import re
from typing import Any

from django.http import HttpRequest
from django.urls import is_valid_path

PREFIX = "/v1"  # answers below it have the envelope, whatever goes wrong
ALPACA_HEADERS = ("APCA-API-KEY-ID", "APCA-API-SECRET-KEY")
# The one place that says which header belongs where.
ALPACA = (
    "Alpaca's headers are for its own addresses, which are here below /v2/. Below /v1/ is papertrade's API: GET /v1/ lists it, "
    "and the key goes into the header Authorization: Bearer cm_your_key."
)


def is_api(path: str) -> bool:
    """Whether the address is, or looks like, one of papertrade's own API."""
    return path == PREFIX or path.startswith(f"{PREFIX}/")


def twin(path: str) -> str | None:
    """The address that differs in its last slash alone, where there is one."""
    other = path.rstrip("/") if path.endswith("/") else f"{path}/"
    return other if other.strip("/") and is_valid_path(other) else None


def of_nothing_there(request: HttpRequest) -> tuple[str, dict[str, Any]]:
    """(message, details) for an address at which nothing is."""
    undoubled = re.sub(r"^/v1/(?=v1/)", "/", request.path)
    if undoubled != request.path and (meant := undoubled if is_valid_path(undoubled) else twin(undoubled)) is not None:
        return f"There is nothing at this address: it says /v1 twice. The one that you mean: {meant}", {
            "did_you_mean": meant
        }
    if (other := twin(request.path)) is not None:
        ends = "ends in a slash" if other.endswith("/") else "has no slash at its end"
        return f"There is nothing at this address. The one that you mean {ends}: {other}", {"did_you_mean": other}
    return "There is nothing at this address. GET /v1/ lists what there is.", {}


def of_no_key(request: HttpRequest) -> str:
    """What to send instead, where no key came in the header of ours."""
    if any(name in request.headers for name in ALPACA_HEADERS):
        return ALPACA
    return "Send the header Authorization: Bearer cm_your_key."
