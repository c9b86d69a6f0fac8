"""Average-cost booking: a holding and a fill make a new holding, a realized P/L and balanced entries. Pure.

Rules: trading-rules.md section 7. Amounts are USD already rounded by the caller; quantities are shares or contracts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from portfolio.ledger import Entry, LedgerAccount, balanced, credit, debit
from portfolio.money import ZERO, ZERO_MONEY, round_money


class OversoldHolding(ValueError):
    """More was sold than is held: a hold went wrong, and nothing may be booked."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What a book holds of one symbol. `trade_pl` is the realized P/L since the holding was last flat."""

    qty: Decimal = ZERO
    cost_basis: Decimal = ZERO_MONEY
    realized_pl: Decimal = ZERO_MONEY
    trade_pl: Decimal = ZERO_MONEY


@dataclass(frozen=True, slots=True)
class Booking:
    """The effect of a fill on a book: the cash that moved is in the entries."""

    holding: Holding
    entries: Sequence[Entry]
    cash_change: Decimal
    realized_pl: Decimal = ZERO_MONEY
    closed_trade: bool = False
    won_trade: bool = False


FLAT = Holding()


def book_opening(initial_cash: Decimal) -> Sequence[Entry]:
    """The entries that fund a book."""
    return balanced([debit(LedgerAccount.CASH, initial_cash), credit(LedgerAccount.CAPITAL, initial_cash)])


def book_buy(holding: Holding, qty: Decimal, amount: Decimal) -> Booking:
    """Securities come in at cost, cash goes out."""
    return Booking(
        holding=Holding(holding.qty + qty, holding.cost_basis + amount, holding.realized_pl, holding.trade_pl),
        entries=balanced([debit(LedgerAccount.SECURITIES, amount), credit(LedgerAccount.CASH, amount)]),
        cash_change=-amount,
    )


def book_sell(holding: Holding, qty: Decimal, proceeds: Decimal) -> Booking:
    """Cost leaves in proportion, and the sell that closes takes all that is left; the difference is realized P/L.

    Raises OversoldHolding when `qty` is more than is held.
    """
    if qty > holding.qty:
        raise OversoldHolding(f"selling {qty} of {holding.qty}")
    closes = qty == holding.qty
    cost = holding.cost_basis if closes else round_money(holding.cost_basis * qty / holding.qty)
    gain = proceeds - cost
    trade_pl = holding.trade_pl + gain
    return Booking(
        holding=Holding(
            qty=holding.qty - qty,
            cost_basis=holding.cost_basis - cost,
            realized_pl=holding.realized_pl + gain,
            trade_pl=ZERO_MONEY if closes else trade_pl,
        ),
        entries=balanced(
            [
                debit(LedgerAccount.CASH, proceeds),
                credit(LedgerAccount.SECURITIES, cost),
                credit(LedgerAccount.REALIZED_PL, gain),
            ]
        ),
        cash_change=proceeds,
        realized_pl=gain,
        closed_trade=closes,
        won_trade=closes and trade_pl > 0,
    )
