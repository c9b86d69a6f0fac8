"""The calendars of a run's returns."""

from datetime import date
from decimal import Decimal

from papertrade.dashboard.heat import months, years
from portfolio.performance import Day


def test_months_by_year_the_latest_first() -> None:
    found = years([("2025-12", 0.04), ("2026-01", -0.02), ("2026-02", 0.10)])
    assert [year.year for year in found] == [2026, 2025]
    assert [(cell.label, cell.share, cell.level) for cell in found[0].months[:3]] == [
        ("Jan", -0.02, -1),
        ("Feb", 0.10, 4),
        ("Mar", None, 0),
    ]
    assert round(found[0].whole.share, 6) == 0.078
    assert years([]) == []


def test_days_stand_under_their_weekday() -> None:
    """November 2026 begins on a Sunday: its first week of trading is its first row."""
    day = Day(date(2026, 11, 3), Decimal(-5), -0.01)
    (month,) = months([day])
    assert (month.name, len(month.weeks)) == ("November 2026", 5)
    assert [cell.label if cell else None for cell in month.weeks[0]] == ["2", "3", "4", "5", "6"]
    assert [cell.label if cell else None for cell in month.weeks[-1]] == ["30", None, None, None, None]
    assert (month.weeks[0][1].day, month.weeks[0][1].level) == (day, -4)
    assert months([]) == []
