"""Round trips: what was bought and sold again, as one line each. Pure.

Two ways of counting. `flat_to_flat`: a trade begins when a symbol is bought from nothing and ends when nothing of it is
left; its result is what the books realized meanwhile, so that the results of a run add up to its realized P/L. `fifo`: each
purchase is a lot of its own and sales take the oldest first; whenever a symbol is flat both come to the same sum. An option
that settles is sold to nobody at what it settled for.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
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

    `cost` and `proceeds` are of all that was bought and sold, `realized_pl` of what was sold. `spread_cost` is None where
    it is unknown of one of its executions.
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
    spread_cost: Decimal | None
    settled: bool
    entries: tuple[Execution, ...]
    exits: tuple[Execution, ...]

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def tags(self) -> tuple[str, ...]:
        """Those of the orders that bought it, each once: an exit says how a trade ended, not whose it was."""
        return tuple(dict.fromkeys(tag for entry in self.entries for tag in entry.tags))

    @property
    def spread_paid(self) -> Decimal:
        """USD beyond the mids, of the executions of which it is known."""
        costs = (part.spread_cost for part in (*self.entries, *self.exits))
        return sum((cost for cost in costs if cost is not None), ZERO_MONEY)

    @property
    def result_share(self) -> Decimal | None:
        """The result as a fraction of what was paid, None while some of it is held."""
        return self.realized_pl / self.cost if self.closed_at is not None and self.cost else None


def flat_to_flat(executions: Iterable[Execution]) -> list[RoundTrip]:
    """The trades of a run in the order in which they began; executions come in the order of the books."""
    found: list[RoundTrip] = []
    running: dict[str, list[Execution]] = {}
    held: dict[str, Decimal] = {}
    for execution in executions:
        symbol = execution.symbol
        running.setdefault(symbol, []).append(execution)
        held[symbol] = held.get(symbol, ZERO) + (execution.qty if execution.is_buy else -execution.qty)
        if held[symbol] == 0:
            found.append(_trip(running.pop(symbol), closed=True))
    return sorted([*found, *(_trip(parts, closed=False) for parts in running.values())], key=_by_start)


def fifo(executions: Iterable[Execution]) -> list[RoundTrip]:
    """Each lot that was sold, oldest first, and what is left of lots that are held."""
    found: list[RoundTrip] = []
    lots: dict[str, list[Execution]] = {}
    for execution in executions:
        queue = lots.setdefault(execution.symbol, [])
        if execution.is_buy:
            queue.append(execution)
            continue
        rest = execution
        while rest.qty > 0:
            qty = min(queue[0].qty, rest.qty)
            bought, left = _split(queue.pop(0), qty)
            sold, rest = _split(rest, qty)
            if left.qty:
                queue.insert(0, left)
            found.append(_lot(bought, sold))
    return sorted([*found, *(_trip([lot], closed=False) for queue in lots.values() for lot in queue)], key=_by_start)


METHODS: dict[str, Callable[[Iterable[Execution]], list[RoundTrip]]] = {"flat": flat_to_flat, "fifo": fifo}


def _by_start(trip: RoundTrip) -> tuple[datetime, str]:
    return trip.opened_at, trip.symbol


def _trip(parts: list[Execution], *, closed: bool) -> RoundTrip:
    entries = tuple(part for part in parts if part.is_buy)
    exits = tuple(part for part in parts if not part.is_buy)
    costs = [part.spread_cost for part in parts]
    return RoundTrip(
        symbol=parts[0].symbol,
        multiplier=parts[0].multiplier,
        opened_at=parts[0].at,
        closed_at=parts[-1].at if closed else None,
        qty=_total(part.qty for part in entries),
        entry_price=_average(entries) or ZERO,
        exit_price=_average(exits),
        cost=_total((part.amount for part in entries), ZERO_MONEY),
        proceeds=_total((part.amount for part in exits), ZERO_MONEY),
        realized_pl=_total((part.realized_pl for part in exits), ZERO_MONEY),
        spread_cost=_total((cost for cost in costs if cost is not None), ZERO_MONEY) if None not in costs else None,
        settled=any(part.kind == "settlement" for part in exits),
        entries=entries,
        exits=exits,
    )


def _lot(bought: Execution, sold: Execution) -> RoundTrip:
    """A lot, or part of one, with its own sale: the result is of these two alone, not the average cost's."""
    own = replace(sold, realized_pl=sold.amount - bought.amount)
    return _trip([bought, own], closed=True)


def _split(whole: Execution, qty: Decimal) -> tuple[Execution, Execution]:
    """So much of an execution, and the rest; the money of both adds up to the whole."""
    if qty == whole.qty:
        return whole, replace(whole, qty=ZERO, amount=ZERO_MONEY, spread_cost=ZERO_MONEY)
    amount = round_money(whole.amount * qty / whole.qty)
    cost = None if whole.spread_cost is None else round_money(whole.spread_cost * qty / whole.qty)
    part = replace(whole, qty=qty, amount=amount, spread_cost=cost)
    left = None if whole.spread_cost is None or cost is None else whole.spread_cost - cost
    return part, replace(whole, qty=whole.qty - qty, amount=whole.amount - amount, spread_cost=left)


def _total(values: Iterable[Decimal], start: Decimal = ZERO) -> Decimal:
    return sum(values, start)


def _average(parts: tuple[Execution, ...]) -> Decimal | None:
    """The mean price by quantity."""
    qty = _total(part.qty for part in parts)
    return _total(part.qty * part.price for part in parts) / qty if qty else None
