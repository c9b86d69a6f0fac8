"""Scales of money, prices and quantities, and the one rounding function. Pure.

Importing this module widens the decimal context of the process, so that a product of the largest quantity and the
largest price is exact (16 + 16 digits and a multiplier), and only `round_money` ever rounds.
"""

import decimal
from decimal import ROUND_HALF_EVEN, Decimal

PRECISION_DIGITS = 60

MONEY_DECIMALS, PRICE_DECIMALS, QTY_DECIMALS = 4, 6, 6
MONEY_SCALE = Decimal("0.0001")
RATIO_SCALE = Decimal("0.000001")
ZERO = Decimal(0)
ZERO_MONEY = Decimal("0.0000")

# Threads copy DefaultContext when they first compute; the importing thread already has a context of its own.
decimal.DefaultContext.prec = PRECISION_DIGITS
decimal.getcontext().prec = PRECISION_DIGITS


def round_money(amount: Decimal) -> Decimal:
    """USD to 4 decimals, half to even; applied once, when something is booked (trading-rules.md section 7)."""
    return amount.quantize(MONEY_SCALE, rounding=ROUND_HALF_EVEN)


def round_ratio(value: Decimal) -> Decimal:
    """A fraction to 6 decimals, half to even."""
    return value.quantize(RATIO_SCALE, rounding=ROUND_HALF_EVEN)
