"""Closing what an account holds, by market orders: one position, a part of it, or all of them."""

from collections.abc import Collection
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal

from accounts.labels import Labels, read_labels
from accounts.models import PaperAccount
from marketdata.instruments import Instrument, InvalidSymbol, read_symbol
from orders.admission import MAX_CLIENT_ORDER_ID_LENGTH, MAX_QTY_DECIMALS, OrderRequest, read_client_order_id
from orders.models import Order
from orders.services import Submitted, Unit, archived, id_of_another, sent_before, submit_in, with_book
from orders.terms import OrderType, Side, TimeInForce
from papertrade.lib.errors import BadRequest, Conflict, NotFound, PapertradeError
from papertrade.lib.numbers import decimals, read_number
from portfolio.books import OpenPosition
from portfolio.models import Position
from portfolio.money import ZERO
from portfolio.selectors import book_of

HUNDRED = Decimal(100)
MAX_ID_SUFFIX = 33  # a colon and the longest symbol
SMALLEST_QTY = Decimal(1).scaleb(-MAX_QTY_DECIMALS)


@dataclass(frozen=True, slots=True)
class Part:
    """How much of a position is to be closed: a quantity, a percentage of what is available, or all of that."""

    qty: Decimal | None = None
    percentage: Decimal | None = None

    def of(self, position: OpenPosition) -> Decimal:
        """Shares or contracts."""
        available = position.available_qty
        if self.qty is not None or self.percentage is None:
            return available if self.qty is None else self.qty
        return share_of(available, self.percentage)


def share_of(qty: Decimal, percentage: Decimal) -> Decimal:
    """A percentage of a quantity. Of a whole quantity it is whole, rounded down, so that no fraction comes into being."""
    whole = qty == qty.to_integral_value()
    return (qty * percentage / HUNDRED).quantize(Decimal(1) if whole else SMALLEST_QTY, ROUND_FLOOR)


def close_position(
    *,
    account: PaperAccount,
    symbol: str,
    qty: object = None,
    percentage: object = None,
    client_order_id: object = None,
    note: object = None,
    tags: object = None,
) -> Submitted:
    """Send the market order that sells a position: `qty` of it, a percentage of what no open sell holds, or all of that.

    `note` and `tags` are the order's labels. Sent again with its `client_order_id` it is the order that was sent first.
    Raises BadRequest, NotFound (no position), Conflict `nothing_to_close`, `account_archived` or `client_order_id_not_unique`,
    and what `submit` raises.
    """
    try:
        instrument = read_symbol(symbol)
    except InvalidSymbol:
        raise NotFound("There is no such position.") from None
    part = read_part(instrument, qty, percentage)
    return _close(account, instrument, part, _read_id(client_order_id), _labels(note, tags))


def read_part(instrument: Instrument | None, qty: object, percentage: object) -> Part:
    """What part of a position is meant; `instrument` is None where several positions are. Raises BadRequest."""
    if qty is not None and percentage is not None:
        raise BadRequest("Send qty or percentage, not both.", qty="must not be sent with percentage")
    if percentage is not None:
        share = read_number(percentage)
        if share is None or not 0 < share <= HUNDRED:
            raise BadRequest("The percentage cannot be used.", percentage="must be greater than 0 and at most 100")
        return Part(percentage=share)
    if qty is None:
        return Part()
    number = read_number(qty)
    most_decimals = 0 if instrument is not None and instrument.is_option else MAX_QTY_DECIMALS
    if number is None or number <= 0 or decimals(number) > most_decimals:
        raise BadRequest("The quantity cannot be used.", qty="must be a positive number of shares or whole contracts")
    return Part(qty=number)


def _read_id(value: object, longest: int = MAX_CLIENT_ORDER_ID_LENGTH) -> str | None:
    try:
        return read_client_order_id(value, longest)
    except ValueError as problem:
        raise BadRequest("The id cannot be used.", client_order_id=str(problem)) from None


def _labels(note: object, tags: object) -> Labels:
    return read_labels({"note": note, "tags": tags})


def _close(
    account: PaperAccount, instrument: Instrument, part: Part, client_order_id: str | None, labels: Labels
) -> Submitted:
    def run(unit: Unit) -> Submitted:
        earlier = sent_before(account, unit.book, client_order_id)
        if earlier is not None:
            return _replay(earlier, instrument, part)
        if unit.book is None:
            raise archived()
        position = unit.book.positions.get(instrument.symbol)
        if position is None or position.holding.qty == 0:
            raise NotFound("There is no such position.")
        wanted = part.of(position)
        if wanted == 0 or wanted > position.available_qty:
            raise _nothing_to_close(position, wanted)
        return submit_in(unit, account, _closing(instrument, wanted, client_order_id, labels))

    return with_book(account, run)


def _closing(instrument: Instrument, qty: Decimal, client_order_id: str | None, labels: Labels) -> OrderRequest:
    """The market order that sells so much."""
    return OrderRequest(
        instrument=instrument,
        qty=qty,
        side=Side.SELL,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.DAY,
        limit_price=None,
        intent="sell_to_close",
        extended_hours=False,
        client_order_id=client_order_id,
        labels=labels,
    )


def _replay(earlier: Order, instrument: Instrument, part: Part) -> Submitted:
    """The order that closed before. What is available has changed since, so only a quantity that was said can differ."""
    same = (earlier.symbol, earlier.side, earlier.type) == (instrument.symbol, Side.SELL, OrderType.MARKET)
    if not same or part.qty not in (None, earlier.qty):
        raise id_of_another(earlier)
    return Submitted(earlier, replayed=True)


def _nothing_to_close(position: OpenPosition, wanted: Decimal) -> Conflict:
    available = f"{position.available_qty.normalize():f}"
    too_little = "The percentage rounds down to nothing: " if wanted == 0 and position.available_qty > 0 else ""
    held = "; open sell orders hold the rest" if position.held_qty else ""
    return Conflict(
        f"{too_little}{available} of the position in {position.instrument.symbol} is available{held}.",
        code="nothing_to_close",
        available=available,
    )


@dataclass(frozen=True, slots=True)
class Closed:
    """What became of one position: the order that closes it, or why there is none."""

    symbol: str
    order: Order | None = None
    replayed: bool = False
    refusal: PapertradeError | None = None


def close_all(
    *,
    account: PaperAccount,
    symbols: Collection[str] | None = None,
    percentage: object = None,
    client_order_id: object = None,
    note: object = None,
    tags: object = None,
) -> list[Closed]:
    """Close every position, or those in some symbols, each by an order and in a transaction of its own; by symbol.

    `note` and `tags` are the labels of each of the orders. Each order's id is `client_order_id`, a colon and its symbol, so
    that sent again it closes only what is still open; what one of them is refused is its own outcome. Raises BadRequest and
    Conflict `account_archived`.
    """
    if account.is_archived:
        raise archived()
    part = read_part(None, None, percentage)
    id_of_all = _read_id(client_order_id, MAX_CLIENT_ORDER_ID_LENGTH - MAX_ID_SUFFIX)
    labels = _labels(note, tags)
    return [
        outcome
        for symbol in _closable(account, symbols, id_of_all)
        if (outcome := _outcome(account, symbol, part, id_of_all, labels)) is not None
    ]


def _closable(account: PaperAccount, symbols: Collection[str] | None, id_of_all: str | None) -> list[str]:
    """What the account holds, and what it has held where an order under the id may have closed it already."""
    positions = Position.objects.filter(book=book_of(account=account))
    if id_of_all is None:
        positions = positions.filter(qty__gt=ZERO)
    if symbols is not None:
        positions = positions.filter(symbol__in=symbols)
    return list(positions.order_by("symbol").values_list("symbol", flat=True))


def _outcome(account: PaperAccount, symbol: str, part: Part, id_of_all: str | None, labels: Labels) -> Closed | None:
    """None where there was nothing, and no order either."""
    try:
        closed = _close(account, read_symbol(symbol), part, id_of_all and f"{id_of_all}:{symbol}", labels)
        return Closed(symbol, closed.order, closed.replayed)
    except NotFound:
        return None
    except PapertradeError as refusal:
        return Closed(symbol, refusal=refusal)
