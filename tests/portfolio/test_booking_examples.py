"""Worked examples of booking (trading-rules.md section 7), with the numbers in the text; pure.

Average cost; a sell takes cost in proportion and the closing one takes all that is left; entries balance.
"""

from decimal import Decimal

import pytest

from portfolio.booking import FLAT, Holding, OversoldHolding, book_buy, book_opening, book_sell
from portfolio.money import round_money

D = Decimal


def lines(entries: object) -> list[tuple[str, str, str]]:
    return [(str(entry.account), f"{entry.debit:.4f}", f"{entry.credit:.4f}") for entry in entries]


def test_opening_debits_cash_and_credits_capital() -> None:
    assert lines(book_opening(D("100000"))) == [("cash", "100000.0000", "0.0000"), ("capital", "0.0000", "100000.0000")]


def test_buy_10_at_181_90() -> None:
    """Debit securities 1819.00, credit cash 1819.00."""
    booking = book_buy(FLAT, D(10), D("1819.00"))
    assert lines(booking.entries) == [("securities", "1819.0000", "0.0000"), ("cash", "0.0000", "1819.0000")]
    assert (booking.holding.qty, booking.holding.cost_basis, booking.cash_change) == (10, D(1819), D(-1819))
    assert booking.realized_pl == 0


def test_buy_again_averages_the_cost() -> None:
    """10 at 100 and 30 at 110 cost 1000 + 3300 = 4300, an average of 107.50."""
    holding = book_buy(book_buy(FLAT, D(10), D(1000)).holding, D(30), D(3300)).holding
    assert (holding.qty, holding.cost_basis, holding.cost_basis / holding.qty) == (40, 4300, D("107.5"))


def test_sell_a_part_at_a_profit() -> None:
    """Of 40 that cost 4300, 10 sold at 120 bring 1200 and take 1075: a profit of 125."""
    booking = book_sell(Holding(D(40), D(4300)), D(10), D(1200))
    assert lines(booking.entries) == [
        ("cash", "1200.0000", "0.0000"),
        ("securities", "0.0000", "1075.0000"),
        ("realized_pl", "0.0000", "125.0000"),
    ]
    assert (booking.holding.qty, booking.holding.cost_basis, booking.realized_pl) == (30, D(3225), D(125))
    assert not booking.closed_trade


def test_sell_a_part_at_a_loss() -> None:
    """Of 40 that cost 4300, 10 sold at 100 bring 1000 and take 1075: a loss of 75, debited."""
    booking = book_sell(Holding(D(40), D(4300)), D(10), D(1000))
    assert lines(booking.entries) == [
        ("cash", "1000.0000", "0.0000"),
        ("securities", "0.0000", "1075.0000"),
        ("realized_pl", "75.0000", "0.0000"),
    ]


def test_sell_at_cost_books_no_profit_line() -> None:
    """An entry is a positive debit or credit: there is no line of nothing."""
    assert len(book_sell(Holding(D(40), D(4300)), D(10), D(1075)).entries) == 2


def test_the_sell_that_closes_takes_all_that_is_left() -> None:
    """3 shares for 100.00: a third is 33.3333, another third of what is left 33.3334 (half to even), the last 33.3333."""
    holding, taken = Holding(D(3), D("100.0000")), []
    for _ in range(3):
        before = holding.cost_basis
        holding = book_sell(holding, D(1), D(40)).holding
        taken.append(before - holding.cost_basis)
    assert sum(taken) == D("100.0000")
    assert (holding.qty, holding.cost_basis) == (0, 0)
    assert taken[0] == D("33.3333")


def test_a_flat_position_has_no_cost_and_keeps_its_realized_pl() -> None:
    booking = book_sell(Holding(D(10), D(1001)), D(10), D(1100))
    assert (booking.holding.qty, booking.holding.cost_basis, booking.holding.realized_pl) == (0, 0, D(99))


@pytest.mark.parametrize(("proceeds", "won"), [("1100", True), ("1001", False), ("900", False)])
def test_a_trade_is_won_when_it_made_more_than_nothing(proceeds: str, won: bool) -> None:
    booking = book_sell(Holding(D(10), D(1001)), D(10), D(proceeds))
    assert (booking.closed_trade, booking.won_trade) == (True, won)


def test_a_trade_s_profit_counts_from_when_it_was_last_flat() -> None:
    """Sold 5 of 10 at a loss of 50, the rest at a profit of 60: 10 in all, won. The next one starts from nothing."""
    first = book_sell(Holding(D(10), D(1000)), D(5), D(450))
    second = book_sell(first.holding, D(5), D(560))
    assert (first.realized_pl, second.realized_pl, second.won_trade) == (D(-50), D(60), True)
    again = book_buy(second.holding, D(1), D(100)).holding
    assert not book_sell(again, D(1), D(99)).won_trade


def test_more_than_is_held_is_refused() -> None:
    with pytest.raises(OversoldHolding):
        book_sell(Holding(D(10), D(1000)), D("10.000001"), D(1))


def test_an_option_s_amount_carries_the_multiplier() -> None:
    """2 contracts at 4.20 cost 2 x 4.20 x 100 = 840."""
    holding = book_buy(FLAT, D(2), 2 * D("4.20") * 100).holding
    assert (holding.qty, holding.cost_basis) == (2, D(840))


@pytest.mark.parametrize(
    ("exact", "rounded"),
    [
        ("0.00005", "0.0000"),
        ("0.00015", "0.0002"),
        ("0.00025", "0.0002"),
        ("0.000051", "0.0001"),
        ("-0.00015", "-0.0002"),
        ("999999999999999.99995", "1000000000000000.0000"),
    ],
)
def test_money_is_rounded_half_to_even_at_4_decimals(exact: str, rounded: str) -> None:
    assert str(round_money(D(exact))) in (rounded, f"-{rounded}" if rounded == "0.0000" else rounded)
