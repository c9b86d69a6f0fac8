"""How a run stands: money and positions that belong together."""

from decimal import Decimal

from portfolio.selectors import summary
from tests.desk import Desk


def test_money_and_positions_are_of_one_instant(desk: Desk) -> None:
    """An order fills between two statements of a request: never the money before it with the shares after it."""
    read_before = desk.book
    desk.buy("10")
    now = summary(book=read_before)
    assert (now.cash, now.market_value, now.equity) == (Decimal(98_999), Decimal(1_000), Decimal(99_999))
    assert (now.unrealized_pl, now.drawdown) == (Decimal(-1), Decimal("0.000010"))


def test_without_a_position(desk: Desk) -> None:
    now = summary(book=desk.book)
    assert (now.equity, now.market_value, now.unrealized_pl) == (Decimal(100_000), 0, 0)
