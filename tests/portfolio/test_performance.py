"""Run statistics by worked numbers; check_against_libraries.py beside this compares them with other libraries."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import isclose, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portfolio import performance
from portfolio.performance import DailyClose, Day, days_of

MONDAY = date(2024, 3, 4)


def at(minute: int) -> datetime:
    return datetime(2024, 3, 4, 14, 30, tzinfo=UTC) + timedelta(minutes=minute)


def days(*shares: float) -> list[Day]:
    return [Day(MONDAY + timedelta(days=number), Decimal(0), share) for number, share in enumerate(shares)]


@pytest.mark.parametrize(
    ("figure", "returns", "expected"),
    [
        ("total_return", [0.10, -0.10], -0.01),
        ("total_return", [], 0.0),
        ("annual_return", [0.01] * 252, 1.01**252 - 1),
        ("annual_return", [0.01] * 126, 1.01**252 - 1),
        ("annual_return", [-1.0, 0.5], -1.0),
        ("annual_return", [], None),
        ("volatility", [0.01, 0.03], sqrt(0.0002) * sqrt(252)),
        ("volatility", [0.01], None),
        ("sharpe", [0.01, 0.03], 0.02 / sqrt(0.0002) * sqrt(252)),
        ("sharpe", [0.01, 0.01], None),
        ("sharpe", [], None),
        ("sharpe_error", [0.01, 0.03], sqrt((1 + 2 / 2) / 2) * sqrt(252)),
        ("sortino", [0.02, -0.01], 0.005 / sqrt(0.0001 / 2) * sqrt(252)),
        ("sortino", [0.02, 0.01], None),
        ("sortino", [], None),
    ],
)
def test_worked_numbers(figure: str, returns: list[float], expected: float | None) -> None:
    found = getattr(performance, figure)(returns)
    assert found == expected or isclose(found, expected, rel_tol=1e-12, abs_tol=1e-15)


def test_the_first_day_is_against_the_start() -> None:
    """100,000 becomes 101,000 and then 99,990: +1 % and -1 %."""
    found = days_of(
        Decimal(100_000), [DailyClose(MONDAY, Decimal(101_000)), DailyClose(date(2024, 3, 5), Decimal(99_990))]
    )
    assert [day.pl for day in found] == [Decimal(1_000), Decimal(-1_010)]
    assert [round(day.share, 12) for day in found] == [0.01, -0.01]


def test_few_days_have_no_ratios_and_a_month_is_not_made_a_year() -> None:
    few = performance.risk(days(*[0.01, -0.01] * 9), max_drawdown=0.1)
    assert (few.sharpe, few.sharpe_error, few.sortino, few.volatility) == (None,) * 4
    month = performance.risk(days(*[0.01, -0.01] * 10), max_drawdown=0.1)
    assert None not in (month.sharpe, month.sharpe_error, month.sortino, month.volatility)
    assert (month.annual_return, month.calmar) == (None, None)
    year = performance.risk(days(*[0.001] * 252), max_drawdown=0.1)
    assert isclose(year.calmar, year.annual_return / 0.1)
    assert performance.risk(days(*[0.001] * 252), max_drawdown=0.0).calmar is None


def test_the_error_of_a_ratio_over_sixty_days() -> None:
    """A Sharpe ratio of 1.2 over 60 days is 1.2 give or take 2: it says next to nothing."""
    swing = sqrt(59 / 60)
    returns = [share * 0.01 + 1.2 / sqrt(252) * 0.01 for share in [swing, -swing] * 30]
    assert round(performance.sharpe(returns), 6) == 1.2
    assert round(performance.sharpe_error(returns), 1) == 2.1


def test_best_and_worst_day() -> None:
    found = performance.risk(days(0.01, -0.03, 0.02), max_drawdown=0.03)
    assert (found.best.share, found.worst.share, round(found.share_of_days_up, 4)) == (0.02, -0.03, 0.6667)
    nothing = performance.risk([], max_drawdown=0.0)
    assert (nothing.best, nothing.worst, nothing.share_of_days_up, nothing.total_return) == (None, None, None, 0.0)


@pytest.mark.parametrize(
    ("equities", "expected"),
    [
        ([], []),
        ([100, 100, 101], []),
        ([100, 90, 95, 100], [(0, 1, 3, "0.1")]),
        ([100, 100, 80, 90], [(1, 2, None, "0.2")]),  # counted from the last time at the peak
        ([100, 90, 110, 99, 88, 120], [(0, 1, 2, "0.1"), (2, 4, 5, "0.2")]),
        ([100, 50, 50, 75], [(0, 1, None, "0.5")]),  # the first of equal lows
    ],
)
def test_drawdowns(equities: list[int], expected: list[tuple[int, int, int | None, str]]) -> None:
    found = performance.drawdowns([(at(number), Decimal(equity)) for number, equity in enumerate(equities)])
    assert [(fall.began_at, fall.lowest_at, fall.recovered_at, fall.depth) for fall in found] == [
        (at(began), at(low), None if back is None else at(back), Decimal(depth)) for began, low, back, depth in expected
    ]


@given(st.lists(st.integers(1, 1_000), min_size=1, max_size=60))
def test_the_deepest_drawdown_is_what_a_loop_over_all_pairs_finds(equities: list[int]) -> None:
    found = performance.drawdowns([(at(number), Decimal(equity)) for number, equity in enumerate(equities)])
    pairs = [(peak - low) / peak for place, peak in enumerate(equities) for low in equities[place:]]
    assert isclose(max((float(fall.depth) for fall in found), default=0.0), max(max(pairs), 0.0), abs_tol=1e-12)


def test_months_compound_their_days() -> None:
    found = performance.months(
        [
            Day(date(2024, 1, 31), Decimal(0), 0.1),
            Day(date(2024, 2, 1), Decimal(0), 0.1),
            Day(date(2024, 2, 2), Decimal(0), 0.1),
        ]
    )
    assert {month: round(share, 12) for month, share in found.items()} == {(2024, 1): 0.1, (2024, 2): 0.21}


def test_correlation_takes_the_days_that_both_have() -> None:
    one = {MONDAY + timedelta(days=number): share for number, share in enumerate([0.01, 0.02, 0.03, 0.9])}
    two = {day: -2 * share for day, share in one.items() if share < 0.9}
    assert isclose(performance.correlation(one, two), -1.0)
    assert performance.correlation(one, {MONDAY: 0.01}) is None
    assert performance.correlation(one, dict.fromkeys(one, 0.0)) is None


def test_turnover_of_a_year() -> None:
    """100,000 bought and sold once in 126 sessions on 100,000 of equity: twice a year."""
    lots = Decimal(100_000)
    assert performance.turnover(bought=lots, sold=lots, mean_equity=lots, days=126) == 2.0
    assert performance.turnover(bought=lots, sold=lots, mean_equity=lots, days=0) is None


def test_trades() -> None:
    """Two wins of 30 and 10, a loss of 20, and one that came to nothing: it neither won nor lost."""
    minute = timedelta(minutes=1)
    found = performance.trade_figures(
        [(Decimal(30), minute), (Decimal(-20), 2 * minute), (Decimal(10), 6 * minute), (Decimal(0), 3 * minute)]
    )
    assert (found.closed, found.won, found.lost, found.win_rate) == (4, 2, 1, 0.5)
    assert (found.profit_factor, found.payoff, found.expectancy) == (2.0, 1.0, Decimal(5))
    assert (found.average_win, found.average_loss, found.best, found.worst) == (20, -20, 30, -20)
    assert (found.median_held, found.mean_held) == (2.5 * minute, 3 * minute)
    nothing = performance.trade_figures([])
    assert (nothing.closed, nothing.win_rate, nothing.profit_factor, nothing.median_held) == (0, None, None, None)
    assert performance.trade_figures([(Decimal(1), minute)]).profit_factor is None
