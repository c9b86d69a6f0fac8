"""The bodies that calls of /v1/paper/ take, for the OpenAPI document, with the bounds that admission and accounts enforce."""

from typing import Any

from accounts.labels import MAX_NOTE_LENGTH, MAX_TAG_LENGTH, MAX_TAGS
from accounts.models import NAME_MAX_LENGTH, REASON_MAX_LENGTH
from accounts.policy import MAX_QUOTE_AGE_SECONDS
from accounts.watchlists import MAX_SYMBOLS
from marketdata.instruments import MAX_SYMBOL_LENGTH
from orders.admission import MAX_CLIENT_ORDER_ID_LENGTH, MAX_GENERATION, REPLACEABLE
from orders.terms import Intent, OrderType, Side, TimeInForce
from papertrade.api.kit.schema import NUMBER, TEXT, json_body
from papertrade.lib.numbers import MAX_NUMBER_LENGTH

_AGE = {"type": "integer", "minimum": 1, "maximum": MAX_QUOTE_AGE_SECONDS}
_POLICY = {
    "title": "PolicyRequest",
    "type": ["object", "null"],
    "properties": {
        "stock_quote_max_age_seconds": _AGE,
        "option_quote_max_age_seconds": _AGE,
        "option_max_spread_ratio": NUMBER,
        "option_spread_floor": NUMBER,
        "size_cap": {"type": "boolean"},
    },
    "additionalProperties": False,
}


def _or_nothing(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of what null or an empty text leaves out."""
    return {"oneOf": [schema, {"type": "string", "maxLength": 0}, {"type": "null"}]}


_LABELS: dict[str, dict[str, Any]] = {
    "note": {**TEXT, "maxLength": MAX_NOTE_LENGTH},
    "tags": {
        "type": ["array", "null"],
        "items": {"type": "string", "minLength": 1, "maxLength": MAX_TAG_LENGTH},
        "maxItems": MAX_TAGS,
    },
}
_NAME = {**TEXT, "maxLength": NAME_MAX_LENGTH}
_ORDER: dict[str, dict[str, Any]] = {
    "symbol": {"type": "string", "maxLength": MAX_SYMBOL_LENGTH},
    "qty": {"oneOf": [{"type": "string", "maxLength": MAX_NUMBER_LENGTH}, {"type": "number", "exclusiveMinimum": 0}]},
    "side": {"type": "string", "enum": list(Side), "title": "Side"},
    "type": {"type": "string", "enum": list(OrderType), "title": "OrderType"},
    "time_in_force": {
        "oneOf": [{"type": "string", "enum": list(TimeInForce), "title": "TimeInForce"}, {"type": "null"}]
    },
    "limit_price": NUMBER,
    "position_intent": _or_nothing({"type": "string", "enum": list(Intent), "title": "PositionIntent"}),
    "client_order_id": {"type": ["string", "null"], "minLength": 1, "maxLength": MAX_CLIENT_ORDER_ID_LENGTH},
    "extended_hours": {"type": ["boolean", "null"]},
    "order_class": _or_nothing({"type": "string", "enum": ["simple"], "title": "OrderClass"}),
    "generation": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_GENERATION},
    **_LABELS,
}

OPEN_ACCOUNT = json_body(
    "OpenAccount",
    {"name": _NAME, "initial_cash": NUMBER, "policy": _POLICY, **_LABELS},
    example={"name": "my strategy", "initial_cash": "100000", "tags": ["v1.0"]},
)
RENAME = json_body("RenameAccount", {"name": _NAME}, example={"name": "another name"})
RESET = json_body(
    "ResetAccount",
    {
        "confirm": {"type": "boolean"},
        "initial_cash": NUMBER,
        "reason": {**TEXT, "maxLength": REASON_MAX_LENGTH},
        "policy": _POLICY,
        **_LABELS,
    },
    example={"confirm": True, "reason": "new strategy run"},
)
LABEL = json_body("Labels", _LABELS, example={"tags": ["v1.1", "a1b2c3d"], "note": "wider stop"})
CLOSE = json_body(
    "ClosePosition",
    {"qty": NUMBER, "percentage": NUMBER, "client_order_id": _ORDER["client_order_id"], **_LABELS},
    example={"percentage": "50", "client_order_id": "close-1", "tags": ["v1.0"]},
)
CLOSE_ALL = json_body("CloseAllPositions", _LABELS, example={"note": "end of the day", "tags": ["v1.0"]})
REPLACEMENT = json_body("ReplaceOrder", {name: _ORDER[name] for name in REPLACEABLE}, example={"limit_price": "99.50"})
ORDER = json_body(
    "OrderRequest",
    _ORDER,
    required=("symbol", "qty", "side", "type"),
    example={"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"},
)
_SYMBOL = {"type": "string", "maxLength": MAX_SYMBOL_LENGTH}
WATCHLIST = json_body(
    "WatchlistRequest",
    {"name": _NAME, "symbols": {"type": ["array", "null"], "items": _SYMBOL, "maxItems": MAX_SYMBOLS}},
    example={"name": "Tech", "symbols": ["AAPL", "MSFT"]},
)
WATCHED = json_body("WatchedSymbol", {"symbol": _SYMBOL}, required=("symbol",), example={"symbol": "AAPL"})
