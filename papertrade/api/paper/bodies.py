"""The bodies that calls of /v1/paper/ take, for the document: the bounds are those that admission and accounts read by."""

from typing import Any

from accounts.models import NAME_MAX_LENGTH, REASON_MAX_LENGTH
from accounts.policy import MAX_QUOTE_AGE_SECONDS
from marketdata.instruments import MAX_SYMBOL_LENGTH
from orders.admission import MAX_CLIENT_ORDER_ID_LENGTH, MAX_GENERATION, REPLACEABLE
from orders.terms import Intent, OrderType, Side, TimeInForce
from papertrade.api.kit.schema import NUMBER, TEXT, json_body
from papertrade.lib.numbers import MAX_NUMBER_LENGTH

_AGE = {"type": "integer", "minimum": 1, "maximum": MAX_QUOTE_AGE_SECONDS}
_POLICY = {
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
_NAME = {**TEXT, "maxLength": NAME_MAX_LENGTH}
_ORDER: dict[str, dict[str, Any]] = {
    "symbol": {"type": "string", "maxLength": MAX_SYMBOL_LENGTH},
    "qty": {"oneOf": [{"type": "string", "maxLength": MAX_NUMBER_LENGTH}, {"type": "number", "exclusiveMinimum": 0}]},
    "side": {"type": "string", "enum": list(Side)},
    "type": {"type": "string", "enum": list(OrderType)},
    "time_in_force": {"type": ["string", "null"], "enum": [*TimeInForce, None]},
    "limit_price": NUMBER,
    "position_intent": {"type": ["string", "null"], "enum": [*Intent, "", None]},
    "client_order_id": {"type": ["string", "null"], "minLength": 1, "maxLength": MAX_CLIENT_ORDER_ID_LENGTH},
    "extended_hours": {"type": ["boolean", "null"]},
    "order_class": {"type": ["string", "null"], "enum": ["simple", "", None]},
    "generation": {"type": ["integer", "null"], "minimum": 1, "maximum": MAX_GENERATION},
}

OPEN_ACCOUNT = json_body({"name": _NAME, "initial_cash": NUMBER, "policy": _POLICY})
RENAME = json_body({"name": _NAME})
RESET = json_body(
    {
        "confirm": {"type": "boolean"},
        "initial_cash": NUMBER,
        "reason": {**TEXT, "maxLength": REASON_MAX_LENGTH},
        "policy": _POLICY,
    }
)
CLOSE = json_body({"qty": NUMBER, "percentage": NUMBER, "client_order_id": _ORDER["client_order_id"]})
REPLACEMENT = json_body({name: _ORDER[name] for name in REPLACEABLE}, example={"limit_price": "99.50"})
ORDER = json_body(
    _ORDER,
    required=("symbol", "qty", "side", "type"),
    example={"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"},
)
