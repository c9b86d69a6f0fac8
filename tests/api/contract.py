"""The shapes of api.md, section "Objects", written down a second time from the document: field names in order, and types.

A shape is a dict from field to a check; `matches` asks for exactly these fields first, in this order (more may follow,
none may go), and that each value is what its check says.
"""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from marketdata.grades import Grade

Check = Callable[[Any], bool]


def text(pattern: str) -> Check:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII) is not None


def one_of(*words: str) -> Check:
    return lambda value: value in words


def nullable(check: Check) -> Check:
    return lambda value: value is None or check(value)


def uuid7(value: Any) -> bool:
    return isinstance(value, str) and str(UUID(value)) == value and UUID(value).version == 7


def count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def switch(value: Any) -> bool:
    return isinstance(value, bool)


def obj(value: Any) -> bool:
    return isinstance(value, dict)


def string(value: Any) -> bool:
    return isinstance(value, str)


money = text(r"-?\d+\.\d{4}")
qty = text(r"\d+\.\d{6}")
price = text(r"\d+\.\d{2,6}")
ratio = text(r"-?\d+\.\d{6}")
instant = text(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
day = text(r"\d{4}-\d\d-\d\d")
request_id = text(r"cm_\w+")
number = text(r"-?\d+(\.\d+)?")
asset_class = one_of("us_equity", "us_option")

POLICY = {
    "stock_quote_max_age_seconds": lambda value: True,
    "option_quote_max_age_seconds": lambda value: True,
    "option_max_spread_ratio": lambda value: True,
    "option_spread_floor": lambda value: True,
    "size_cap": lambda value: value is True or value is False,
}

ACCOUNT = {
    "id": uuid7, "name": string, "status": one_of("active", "archived"), "currency": one_of("USD"), "initial_cash": money,
    "cash": money, "generation": count, "created_at": instant, "updated_at": instant, "reset_at": nullable(instant),
    "archived_at": nullable(instant), "policy": obj,
}  # fmt: skip

SUMMARY = {
    "equity": money, "cash": money, "market_value": money, "initial_cash": money, "realized_pl": money,
    "unrealized_pl": money, "drawdown": ratio, "closed_trades": count, "winning_trades": count, "win_rate": ratio,
    "buying_power": money, "held_cash": money, "max_drawdown": ratio,
}  # fmt: skip

EVIDENCE = {
    "bid": nullable(price),
    "ask": nullable(price),
    "bid_size": nullable(qty),
    "ask_size": nullable(qty),
    "quoted_at": instant,
    "age_ms": count,
    "spread": nullable(number),
    "feed": string,
    "policy_hash": text(r"[0-9a-f]{64}"),
}


def evidence(value: Any) -> bool:
    matches(value, EVIDENCE)
    return True


ORDER = {
    "id": uuid7, "client_order_id": string, "account_id": uuid7, "generation": count, "symbol": string,
    "asset_class": asset_class, "qty": qty, "filled_qty": qty, "side": one_of("buy", "sell"),
    "type": one_of("market", "limit"), "time_in_force": one_of("day", "gtc"), "limit_price": nullable(price),
    "status": one_of("accepted", "new", "partially_filled", "filled", "canceled", "expired", "rejected", "replaced"),
    "position_intent": one_of("", "buy_to_open", "sell_to_close"), "order_class": one_of("simple"),
    "extended_hours": switch, "average_fill_price": nullable(price), "filled_avg_price": nullable(price),
    "rejected_reason": string, "cancel_reason": string, "no_fill_reason": string, "no_fill_at": nullable(instant),
    "submitted_at": instant, "accepted_at": nullable(instant), "updated_at": instant, "filled_at": nullable(instant),
    "canceled_at": nullable(instant), "expired_at": nullable(instant), "rejected_at": nullable(instant),
    "expires_at": instant, "evidence": nullable(evidence), "number": count, "replaced_at": nullable(instant),
    "replaced_by": nullable(uuid7), "replaces": nullable(uuid7),
}  # fmt: skip

POSITION = {
    "id": uuid7, "symbol": string, "asset_class": asset_class, "qty": qty, "qty_available": qty, "avg_entry_price": price,
    "market_price": price, "market_value": money, "cost_basis": money, "unrealized_pl": money, "unrealized_plpc": ratio,
    "realized_pl": money, "updated_at": instant,
}  # fmt: skip

FILL = {
    "id": uuid7, "order_id": uuid7, "symbol": string, "asset_class": asset_class, "side": one_of("buy", "sell"), "qty": qty,
    "price": price, "gross_amount": money, "realized_pl": money, "market_timestamp": instant, "created_at": instant,
    "evidence": evidence,
}  # fmt: skip

SNAPSHOT = {
    "timestamp": instant,
    "equity": money,
    "cash": money,
    "market_value": money,
    "realized_pl": money,
    "unrealized_pl": money,
    "drawdown": ratio,
}

CLOCK = {
    "timestamp": instant,
    "is_open": switch,
    "next_open": instant,
    "next_close": instant,
    "market": one_of("simulated", "recorded", "live"),
    "speed": lambda value: value is not None,
    "feed": nullable(obj),
}

SESSION = {"date": day, "open": instant, "close": instant}

QUOTE = {
    "symbol": string,
    "bid": nullable(price),
    "ask": nullable(price),
    "bid_size": nullable(qty),
    "ask_size": nullable(qty),
    "quoted_at": nullable(instant),
    "age_ms": lambda value: True,
    "quality": string,
    "feed": string,
    "grade": one_of(*map(str, Grade)),
}

GENERATION = {
    "number": count,
    "policy": obj,
    "initial_cash": money,
    "opened_at": instant,
    "closed_at": nullable(instant),
    "reason": string,
    "summary": obj,
}

ENTRY = {"account": string, "debit": money, "credit": money}


def listed(order: dict[str, Any]) -> dict[str, Any]:
    """An order that was asked for as a list shows it: the policy itself is not repeated in every row."""
    evidence = order["evidence"]
    return {**order, "evidence": evidence and {name: value for name, value in evidence.items() if name != "policy"}}


def matches(value: Any, shape: dict[str, Check]) -> None:
    """Assert that a JSON object has the shape."""
    assert isinstance(value, dict), value
    assert list(value)[: len(shape)] == list(shape)
    wrong = {name: value[name] for name, check in shape.items() if not check(value[name])}
    assert not wrong, f"values that are not what api.md says: {wrong}"


def is_list(response: Any, shape: dict[str, Check] | None = None) -> list[Any]:
    """Assert the list envelope; its rows."""
    assert response.status_code == 200, response.content
    body = response.json()
    assert list(body) == ["status", "request_id", "results", "next_url"]
    assert body["status"] == "OK" and request_id(body["request_id"])
    assert body["request_id"] == response.headers["X-Request-ID"]
    for row in body["results"]:
        if shape:
            matches(row, shape)
    return body["results"]


def is_object(response: Any, shape: dict[str, Check], status: int = 200) -> dict[str, Any]:
    """Assert a flat object; it."""
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"].startswith("application/json")
    matches(response.json(), shape)
    return response.json()


def is_account_and_summary(response: Any, status: int = 200) -> tuple[dict[str, Any], dict[str, Any]]:
    """Assert `{account, summary}`; both."""
    assert response.status_code == status, response.content
    body = response.json()
    assert list(body) == ["account", "summary"]
    matches(body["account"], ACCOUNT)
    matches(body["summary"], SUMMARY)
    return body["account"], body["summary"]


def is_error(response: Any, status: int, code: str) -> dict[str, Any]:
    """Assert the error envelope; its details."""
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"].startswith("application/json")
    body = response.json()
    assert list(body) == ["status", "request_id", "error"]
    assert body["status"] == "ERROR" and body["request_id"] == response.headers["X-Request-ID"]
    assert list(body["error"]) == ["code", "message", "details"]
    assert body["error"]["code"] == code, body
    assert body["error"]["message"] and isinstance(body["error"]["details"], dict)
    return body["error"]["details"]
