"""What positions are worth and how a run performed: mark, market value, drawdown, statistics. Pure.

Rules: trading-rules.md section 8. Prices are USD per share; money is rounded to 4 decimals, ratios to 6.
"""

from decimal import Decimal

from portfolio.money import ZERO, round_money, round_ratio


def mark_price(*, bid: Decimal | None, ask: Decimal | None, is_option: bool) -> Decimal | None:
    """The mark that a quote of a regular session gives, or None where it gives none and the last mark stays.

    A position is worth what selling it would bring: the bid. An option that is offered but not bid for is worth nothing.
    """
    if ask is None or ask <= 0:
        return None
    if bid is None or bid <= 0:
        return ZERO if is_option else None
    return bid if bid <= ask else None


def market_value(qty: Decimal, mark: Decimal, multiplier: int) -> Decimal:
    """USD that selling `qty` at `mark` would bring."""
    return round_money(qty * mark * multiplier)


def drawdown(*, peak: Decimal, equity: Decimal) -> Decimal:
    """(peak - equity) / peak as a fraction; nothing is lost before there was anything."""
    return round_ratio((peak - equity) / peak) if peak > equity else round_ratio(ZERO)


def ratio(part: Decimal | int, whole: Decimal | int) -> Decimal:
    """part / whole as a fraction, 0 where there is no whole (a win rate without a closed trade)."""
    return round_ratio(Decimal(part) / Decimal(whole)) if whole else round_ratio(ZERO)
