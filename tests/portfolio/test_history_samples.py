"""Samples of equity curves: as many as were asked for at most, each the last of its stretch, over months and books."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from portfolio import retention
from portfolio.history import sampled_equity
from portfolio.models import EquitySnapshot
from portfolio.selectors import last_equity
from tests.desk import Desk

BEGAN = datetime(2013, 10, 31, 12, tzinfo=UTC)


def worth(desk: Desk, hours: float, equity: int) -> None:
    EquitySnapshot.objects.create(
        book=desk.book, at=BEGAN + timedelta(hours=hours), equity=equity, cash=1, market_value=0, realized_pl=0,
        unrealized_pl=0, drawdown=0,
    )  # fmt: skip


def test_each_is_the_last_of_its_stretch(desk: Desk, trader: Any) -> None:
    other = Desk(trader)
    retention.make_months(at=BEGAN)
    for hours, equity in ((0, 1), (1, 2), (5, 3), (6, 4), (6, 5), (13, 6), (24, 7), (25, 8)):
        worth(desk, hours, equity)
    spans = {book.pk: (BEGAN, BEGAN + timedelta(hours=24)) for book in (desk.book, other.book)}
    found = sampled_equity(spans=spans, samples=4)
    # (0, 6] ends in the later of two of one instant; (6, 12] has none; November begins in (12, 18].
    assert found == {desk.book.pk: [Decimal(5), Decimal(6), Decimal(7)], other.book.pk: []}


def test_the_last_before_an_instant(desk: Desk, trader: Any) -> None:
    other = Desk(trader)
    for hours, equity in ((1, 2), (1, 3), (2, 4)):
        worth(desk, hours, equity)
    books = [desk.book, other.book]
    opening = last_equity(books=[other.book])
    assert last_equity(books=books) == {desk.book.pk: Decimal(4), **opening}
    assert last_equity(books=books, before=BEGAN + timedelta(hours=2)) == {desk.book.pk: Decimal(3), **opening}
    assert last_equity(books=books, before=datetime(2013, 1, 1, tzinfo=UTC)) == {}
