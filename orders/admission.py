"""Is it an order that v1 takes? From a raw Alpaca-shaped payload to an `OrderRequest`, or a refusal. Pure.

Rules: trading-rules.md section 3, in its order: unknown fields, unsupported features, shape. What depends on the
market or the account (expired contract, unknown symbol, duplicates) is asked by `orders.services`, later. Numbers come as
JSON strings, integers or `Decimal` (the API parses JSON numbers so) and never pass through float.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from accounts.labels import NO_LABELS, Labels, labels_in
from marketdata.instruments import Instrument, InvalidSymbol, read_symbol
from orders.terms import Intent, OrderType, Side, TimeInForce
from papertrade.lib.errors import BadRequest, Unprocessable
from papertrade.lib.numbers import decimals, read_number

MAX_QTY = Decimal(1_000_000_000)
MAX_LIMIT_PRICE = Decimal(1_000_000_000)
MAX_QTY_DECIMALS = 6
PENNY_DECIMALS = 2
SUB_DOLLAR_DECIMALS = 4
MAX_CLIENT_ORDER_ID_LENGTH = 128
MAX_GENERATION = 2**31 - 1


_SIDE_OF_INTENT = {Intent.BUY_TO_OPEN: Side.BUY, Intent.SELL_TO_CLOSE: Side.SELL}
_INTENT_OF_SIDE = {side: intent for intent, side in _SIDE_OF_INTENT.items()}

_KNOWN_INTENTS = {*Intent, "buy_to_close", "sell_to_open"}
_KNOWN_TYPES = {*OrderType, "stop", "stop_limit", "trailing_stop"}
_KNOWN_TIMES_IN_FORCE = {*TimeInForce, "ioc", "fok", "opg", "cls", "gtd"}
_KNOWN_CLASSES = {"", "simple", "bracket", "oco", "oto", "mleg"}

_TAKEN_FIELDS = {
    "symbol", "qty", "side", "type", "time_in_force", "limit_price", "position_intent", "client_order_id",
    "extended_hours", "order_class", "generation", "note", "tags",
}  # fmt: skip
_UNSUPPORTED_FIELDS = {
    "notional": "notional orders: send qty",
    "stop_price": "stop orders",
    "trail_price": "trailing-stop orders",
    "trail_percent": "trailing-stop orders",
    "legs": "multileg orders",
    "take_profit": "bracket orders",
    "stop_loss": "bracket orders",
    "advanced_instructions": "advanced instructions",
}
ORDER_FIELDS = frozenset(_TAKEN_FIELDS | _UNSUPPORTED_FIELDS.keys())


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order that v1 takes. `qty` in shares or contracts, `limit_price` in USD per share, `intent` "" for none."""

    instrument: Instrument
    qty: Decimal
    side: Side
    type: OrderType
    time_in_force: TimeInForce
    limit_price: Decimal | None
    intent: str
    extended_hours: bool
    client_order_id: str | None
    generation: int | None = None  # the run of the account that it is meant for; None for whichever is current
    labels: Labels = NO_LABELS

    @property
    def terms(self) -> tuple[object, ...]:
        """What makes two requests the same order: a client that lost the reply may send it again.

        Not its labels: they may have been changed since.
        """
        return (
            self.instrument.symbol,
            self.qty,
            self.side,
            self.type,
            self.time_in_force,
            self.limit_price,
            self.intent,
            self.extended_hours,
        )


def read_order(payload: object) -> OrderRequest:
    """The order in a payload. Raises BadRequest (with `details` per field) or Unprocessable (naming the feature)."""
    if not isinstance(payload, Mapping):
        raise BadRequest("Send one order as a JSON object.")
    given = {name: value for name, value in payload.items() if value is not None}
    unknown = sorted(str(name)[:64] for name in payload if name not in ORDER_FIELDS)
    if unknown:
        raise BadRequest("The order has fields that do not exist.", dict.fromkeys(unknown, "unknown field"))
    _refuse_unsupported(given)
    request = _Shape(given).read()
    _refuse_combination(request)
    return request


# The terms of an open order that may be replaced, and what may be sent along with them.
REPLACEABLE = ("qty", "limit_price", "time_in_force", "client_order_id", "note", "tags")
_CHANGES_NO_TERM = {"client_order_id", "note", "tags"}
_UNSUPPORTED_CHANGES = {"stop_price": "stop orders", "trail": "trailing-stop orders"}


def read_replacement(payload: object, terms: Mapping[str, Any]) -> OrderRequest:
    """An order with these terms and the changes of a payload, by the rules that an order is read by; `qty` is all of it.

    Raises BadRequest, also where nothing is to be changed, and Unprocessable.
    """
    if not isinstance(payload, Mapping):
        raise BadRequest("Send what to change as a JSON object.")
    changes = {name: value for name, value in payload.items() if value is not None}
    unknown = sorted(str(name)[:64] for name in payload if name not in {*REPLACEABLE, *_UNSUPPORTED_CHANGES})
    if unknown:
        raise BadRequest(
            f"These cannot be changed: {', '.join(unknown)}. What can: {', '.join(REPLACEABLE)}.",
            dict.fromkeys(unknown, "cannot be changed"),
        )
    for field, feature in _UNSUPPORTED_CHANGES.items():
        if field in changes:
            raise _unsupported(field, feature)
    if not changes.keys() - _CHANGES_NO_TERM:
        raise BadRequest("Say what to change: qty, limit_price or time_in_force.")
    return read_order({**terms, **changes})


def _refuse_unsupported(given: Mapping[str, Any]) -> None:
    for field, feature in _UNSUPPORTED_FIELDS.items():
        if field in given:
            raise _unsupported(field, feature)
    for field, known, taken in (
        ("type", _KNOWN_TYPES, set(OrderType)),
        ("time_in_force", _KNOWN_TIMES_IN_FORCE, set(TimeInForce)),
        ("order_class", _KNOWN_CLASSES, {"", "simple"}),
        ("position_intent", _KNOWN_INTENTS, set(Intent)),
    ):
        value = given.get(field)
        if isinstance(value, str) and value in known - taken:
            raise _unsupported(field, f"{field} {value}")


def _unsupported(field: str, feature: str) -> Unprocessable:
    return Unprocessable(f"Not supported in v1: {feature}.", field=field, feature=feature)


class _Shape:
    """Reads each field, and collects what is wrong with all of them before it says no."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self.given = given
        self.problems: dict[str, str] = {}

    def read(self) -> OrderRequest:
        instrument = self._symbol()
        qty = self._qty()
        side = self._word("side", set(Side))
        order_type = self._word("type", set(OrderType))
        time_in_force = self._word("time_in_force", set(TimeInForce), default=TimeInForce.DAY)
        intent = self._word("position_intent", {*Intent, ""}, default="")
        self._word("order_class", {"simple", ""}, default="")
        limit_price = self._limit_price(order_type, instrument)
        extended_hours = self._switch("extended_hours")
        client_order_id = self._client_order_id()
        generation = self._generation()
        labels = labels_in(self.given, self.problems)
        if self.problems or instrument is None or qty is None:
            raise BadRequest("The order is not well formed.", self.problems)
        if instrument.is_option and not intent:
            intent = _INTENT_OF_SIDE[Side(side)]
        return OrderRequest(
            instrument=instrument,
            qty=qty,
            side=Side(side),
            type=OrderType(order_type),
            time_in_force=TimeInForce(time_in_force),
            limit_price=limit_price,
            intent=intent,
            extended_hours=extended_hours,
            client_order_id=client_order_id,
            generation=generation,
            labels=labels,
        )

    def _symbol(self) -> Instrument | None:
        value = self.given.get("symbol")
        if not isinstance(value, str):
            self.problems["symbol"] = "must be a stock ticker or an O: option contract"
            return None
        try:
            return read_symbol(value)
        except InvalidSymbol as problem:
            self.problems["symbol"] = str(problem)
            return None

    def _qty(self) -> Decimal | None:
        if "qty" not in self.given:
            self.problems["qty"] = "is required"
            return None
        value = self._number("qty")
        if value is None:
            return None
        if value <= 0:
            self.problems["qty"] = "must be greater than 0"
        elif value > MAX_QTY:
            self.problems["qty"] = f"must be at most {MAX_QTY:,}"
        elif decimals(value) > MAX_QTY_DECIMALS:
            self.problems["qty"] = f"must have at most {MAX_QTY_DECIMALS} decimals"
        return value

    def _limit_price(self, order_type: str, instrument: Instrument | None) -> Decimal | None:
        if "limit_price" not in self.given:
            if order_type == OrderType.LIMIT:
                self.problems["limit_price"] = "is required for a limit order"
            return None
        value = self._number("limit_price")
        if value is None:
            return None
        if order_type == OrderType.MARKET:
            self.problems["limit_price"] = "must not be sent with a market order"
        elif not 0 < value <= MAX_LIMIT_PRICE:
            self.problems["limit_price"] = f"must be greater than 0 and at most {MAX_LIMIT_PRICE:,}"
        elif instrument is not None and decimals(value) > (allowed := price_decimals(instrument, value)):
            self.problems["limit_price"] = f"must have at most {allowed} decimals"
        return value

    def _number(self, field: str) -> Decimal | None:
        number = read_number(self.given[field])
        if number is None:
            self.problems[field] = 'must be a number, such as "10.5"'
        return number

    def _word(self, field: str, words: set[str], default: str | None = None) -> str:
        value = self.given.get(field, default)
        if value is None:
            self.problems[field] = "is required"
        elif not isinstance(value, str) or value not in words:
            self.problems[field] = "must be one of " + ", ".join(sorted(filter(None, words)))
        else:
            return value
        return ""

    def _switch(self, field: str) -> bool:
        value = self.given.get(field, False)
        if not isinstance(value, bool):
            self.problems[field] = "must be true or false"
        return value is True

    def _client_order_id(self) -> str | None:
        try:
            return read_client_order_id(self.given.get("client_order_id"))
        except ValueError as problem:
            self.problems["client_order_id"] = str(problem)
            return None

    def _generation(self) -> int | None:
        value = self.given.get("generation")
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_GENERATION:
            self.problems["generation"] = "must be the number of the generation that the order is meant for"
            return None
        return value


def _refuse_combination(request: OrderRequest) -> None:
    """What is well formed, and not traded in v1."""
    is_option = request.instrument.is_option
    if is_option and request.qty != request.qty.to_integral_value():
        raise _unsupported("qty", "fractional option quantities")
    if is_option and request.time_in_force != TimeInForce.DAY:
        raise _unsupported("time_in_force", "option orders other than day")
    if request.extended_hours and is_option:
        raise _unsupported("extended_hours", "extended-hours option orders")
    if request.extended_hours and request.type != OrderType.LIMIT:
        raise _unsupported("extended_hours", "extended-hours orders other than limit orders")
    if request.intent and _SIDE_OF_INTENT[Intent(request.intent)] != request.side:
        raise _unsupported("position_intent", f"{request.intent} with side {request.side}")
    if request.instrument.adjusted:
        raise _unsupported("symbol", "adjusted option contracts, which do not deliver 100 shares")
    if request.instrument.am_settled:
        raise _unsupported("symbol", "option contracts that are settled in the morning (SPX, NDX, RUT, DJX, VIX)")
    if request.instrument.is_index:
        raise _unsupported("symbol", f"orders for an index ({request.instrument.symbol})")


def read_client_order_id(value: object, longest: int = MAX_CLIENT_ORDER_ID_LENGTH) -> str | None:
    """A client_order_id of at most `longest` characters; None where none is given. Raises ValueError."""
    if value is None:
        return None
    if not isinstance(value, str) or not 1 <= len(value) <= longest or not value.isprintable():
        raise ValueError(f"must be a string of 1 to {longest} printable characters")
    return value


def price_decimals(instrument: Instrument, price: Decimal) -> int:
    """How many decimals a limit price of the instrument may have."""
    return PENNY_DECIMALS if instrument.is_option or price >= 1 else SUB_DOLLAR_DECIMALS
