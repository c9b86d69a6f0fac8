"""Round trips: what was bought and sold again, as one line each. Pure.

Two ways of counting. `flat_to_flat`: a trade begins when a symbol is bought from nothing and ends when nothing of it is
left; its result is what the books realized meanwhile, so that the results of a run add up to its realized P/L. `fifo`: each
purchase is a lot of its own and sales take the oldest first; whenever a symbol is flat both come to the same sum. An option
that settles is sold to nobody at what it settled for.

Both give a trade when it ends and keep nothing of it afterwards: what they remember is what is held, however long the run.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal

from portfolio.money import ZERO, ZERO_MONEY, round_money


@dataclass(frozen=True, slots=True)
class Execution:
    """A fill, or an option's settlement, as the books have it. Prices are USD per share, money is USD.

    `amount` is what changed hands, `realized_pl` what the books realized by it, `spread_cost` the distance to the mid
    that was paid (None where it is unknown). `order_id` and what follows are empty for a settlement.
    """

    at: datetime
    symbol: str
    multiplier: int
    is_buy: bool
    qty: Decimal
    price: Decimal
    amount: Decimal
    realized_pl: Decimal
    spread_cost: Decimal | None = None
    kind: str = "fill"
    id: str = ""
    order_id: str = ""
    client_order_id: str = ""
    tags: tuple[str, ...] = ()  # of its order


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """One trade. `closed_at` and `exit_price` are None while some of it is held; `qty` is what was bought in all.

    `cost` and `proceeds` are of all that was bought and sold, `realized_pl` of what was sold. `spread_paid` is USD beyond the
    mids, of the executions of which it is known; `spread_cost` the same, and None where it is unknown of one. `entries` and
    `exits` are what it is made of, where that was asked for. `tags` are those of the orders that bought it, each once: an exit
    says how a trade ended, not whose it was.
    """

    symbol: str
    multiplier: int
    opened_at: datetime
    closed_at: datetime | None
    qty: Decimal
    entry_price: Decimal
    exit_price: Decimal | None
    cost: Decimal
    proceeds: Decimal
    realized_pl: Decimal
    spread_paid: Decimal
    spread_cost: Decimal | None
    settled: bool
    tags: tuple[str, ...]
    entries: tuple[Execution, ...]
    exits: tuple[Execution, ...]

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def result_share(self) -> Decimal | None:
        """The result as a fraction of what was paid, None while some of it is held."""
        return self.realized_pl / self.cost if self.closed_at is not None and self.cost else None


def round_trips(executions: Iterable[Execution], method: str) -> list[RoundTrip]:
    """The trades of a run in the order in which they began, with what each is made of."""
    return sorted(METHODS[method](executions, parts=True), key=lambda trip: (trip.opened_at, trip.symbol))


def flat_to_flat(executions: Iterable[Execution], *, parts: bool = False) -> Iterator[RoundTrip]:
    """Each trade as it ends, then those that are still open. Executions must come in the order of the books.

    `parts`: each trade with its executions, which are kept until it ends.
    """
    running: dict[str, _Trade] = {}
    for execution in executions:
        trade = running.get(execution.symbol)
        if trade is None:
            trade = running[execution.symbol] = _Trade.of(execution, parts)
        trade.add(execution)
        if trade.held == 0:
            yield running.pop(execution.symbol).trip(closed_at=execution.at)
    for trade in running.values():
        yield trade.trip()


def fifo(executions: Iterable[Execution], *, parts: bool = False) -> Iterator[RoundTrip]:
    """Each lot as it is sold, oldest first, then what is left of lots that are held."""
    lots: dict[str, deque[Execution]] = {}
    for execution in executions:
        queue = lots.setdefault(execution.symbol, deque())
        if execution.is_buy:
            queue.append(execution)
            continue
        rest = execution
        while rest.qty > 0:
            qty = min(queue[0].qty, rest.qty)
            bought, left = _split(queue.popleft(), qty)
            sold, rest = _split(rest, qty)
            if left.qty:
                queue.appendleft(left)
            yield _lot(bought, sold, parts)
    for queue in lots.values():
        for lot in queue:
            yield _trade_of([lot], parts).trip()


METHODS: dict[str, Callable[..., Iterator[RoundTrip]]] = {"flat": flat_to_flat, "fifo": fifo}


@dataclass(slots=True)
class _Side:
    """What was bought, or sold, of a trade."""

    qty: Decimal = ZERO
    value: Decimal = ZERO  # quantity times price
    amount: Decimal = ZERO_MONEY
    parts: list[Execution] = field(default_factory=list)

    @property
    def price(self) -> Decimal | None:
        """The mean price by quantity."""
        return self.value / self.qty if self.qty else None


@dataclass(slots=True)
class _Trade:
    """A trade as far as it has come."""

    symbol: str
    multiplier: int
    opened_at: datetime
    keeps_parts: bool
    bought: _Side = field(default_factory=_Side)
    sold: _Side = field(default_factory=_Side)
    realized_pl: Decimal = ZERO_MONEY
    spread_paid: Decimal = ZERO_MONEY
    knows_spreads: bool = True
    settled: bool = False
    tags: dict[str, None] = field(default_factory=dict)

    @classmethod
    def of(cls, first: Execution, keeps_parts: bool) -> "_Trade":
        """One that begins with this execution, which is still to be added."""
        return cls(first.symbol, first.multiplier, first.at, keeps_parts)

    @property
    def held(self) -> Decimal:
        return self.bought.qty - self.sold.qty

    def add(self, part: Execution) -> None:
        """The next of its executions."""
        side = self.bought if part.is_buy else self.sold
        side.qty += part.qty
        side.value += part.qty * part.price
        side.amount += part.amount
        if part.is_buy:
            if part.tags:
                self.tags |= dict.fromkeys(part.tags)
        else:
            self.realized_pl += part.realized_pl
            self.settled |= part.kind == "settlement"
        if part.spread_cost is None:
            self.knows_spreads = False
        else:
            self.spread_paid += part.spread_cost
        if self.keeps_parts:
            side.parts.append(part)

    def trip(self, *, closed_at: datetime | None = None) -> RoundTrip:
        """As it stands."""
        return RoundTrip(
            symbol=self.symbol,
            multiplier=self.multiplier,
            opened_at=self.opened_at,
            closed_at=closed_at,
            qty=self.bought.qty,
            entry_price=self.bought.price or ZERO,
            exit_price=self.sold.price,
            cost=self.bought.amount,
            proceeds=self.sold.amount,
            realized_pl=self.realized_pl,
            spread_paid=self.spread_paid,
            spread_cost=self.spread_paid if self.knows_spreads else None,
            settled=self.settled,
            tags=tuple(self.tags),
            entries=tuple(self.bought.parts),
            exits=tuple(self.sold.parts),
        )


def _trade_of(executions: list[Execution], parts: bool) -> _Trade:
    trade = _Trade.of(executions[0], parts)
    for execution in executions:
        trade.add(execution)
    return trade


def _lot(bought: Execution, sold: Execution, parts: bool) -> RoundTrip:
    """A lot, or part of one, with its own sale: the result is of these two alone, not the average cost's."""
    own = replace(sold, realized_pl=sold.amount - bought.amount)
    return _trade_of([bought, own], parts).trip(closed_at=sold.at)


def _split(whole: Execution, qty: Decimal) -> tuple[Execution, Execution]:
    """So much of an execution, and the rest; the money of both adds up to the whole."""
    if qty == whole.qty:
        return whole, replace(whole, qty=ZERO, amount=ZERO_MONEY, spread_cost=ZERO_MONEY)
    amount = round_money(whole.amount * qty / whole.qty)
    cost = None if whole.spread_cost is None else round_money(whole.spread_cost * qty / whole.qty)
    part = replace(whole, qty=qty, amount=amount, spread_cost=cost)
    left = None if whole.spread_cost is None or cost is None else whole.spread_cost - cost
    return part, replace(whole, qty=whole.qty - qty, amount=whole.amount - amount, spread_cost=left)
