"""Fills of so little that their money rounds to nothing: sealed in the chain all the same (trading-rules.md section 7)."""

from typing import Any

from orders.models import Fill
from portfolio.models import LedgerTransaction
from tests.desk import Desk, dec
from tests.invariants import check_account
from tests.market_kit import MarketKit


def test_a_fill_that_rounds_to_nothing_has_its_place_in_the_chain(market_kit: MarketKit, trader: Any) -> None:
    market_kit.play("14:00:00 IBM 0.5000 0.5013", start="14:00:00")
    desk = Desk(trader)
    for _ in range(20):
        desk.buy("0.000001")
    booked = LedgerTransaction.objects.filter(book=desk.book, kind="buy").order_by("sequence")
    assert [row.sequence for row in booked] == list(range(2, 22))
    assert {(row.qty, row.price, row.entries.count()) for row in booked} == {(dec("0.000001"), dec("0.5013"), 0)}
    assert not Fill.objects.filter(book=desk.book, ledger_transaction=None).exists()
    assert (desk.position().qty, desk.position().cost_basis, desk.book.cash) == (dec("0.00002"), 0, dec("100000"))
    assert desk.book.ledger_seq == 21
    check_account(desk.account)


def test_what_is_sold_for_nothing_too(market_kit: MarketKit, trader: Any) -> None:
    market_kit.play("14:00:00 IBM 0.5000 0.5013", start="14:00:00")
    desk = Desk(trader)
    desk.buy("1")
    desk.sell("0.000001")
    sold = LedgerTransaction.objects.get(book=desk.book, kind="sell")
    assert (sold.qty, sold.entries.count()) == (dec("0.000001"), 0)
    desk.sell("0.999999")
    assert (desk.position().qty, desk.position().cost_basis, desk.book.closed_trades) == (0, 0, 1)
    check_account(desk.account)


def test_rounding_telescopes_over_an_order_whose_parts_come_to_nothing(market_kit: MarketKit, trader: Any) -> None:
    """0.0001 shares in parts of 0.00001 at 0.90: 0.000009 each, which is nothing nine times and 0.0001 once."""
    market_kit.play(
        *(f"14:00:{second:02d} IBM 0.50 {0.9000 - second / 10_000:.4f} 1 0.00001" for second in range(10)),
        start="14:00:00",
    )
    desk = Desk(trader)
    order = desk.buy("0.0001")
    market_kit.advance("14:00:10")
    order = desk.now(order)
    assert (order.status, order.fills.count(), order.booked) == ("filled", 10, dec("0.0001"))
    assert sorted(fill.gross_amount for fill in order.fills.all()) == [0] * 9 + [dec("0.0001")]
    assert all(fill.ledger_transaction_id for fill in order.fills.all())
    check_account(desk.account)
