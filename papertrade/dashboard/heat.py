"""Returns as a calendar: months by year, and days by week, each with how strongly it is coloured. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from portfolio.performance import Day, total_return

LEVELS = 4
TRADING_WEEKDAYS = 5
MONTHS_OF_DAYS = 6


@dataclass(frozen=True, slots=True)
class Cell:
    """A place in a calendar: a share with its strength from -LEVELS to LEVELS; without one nothing was traded then."""

    label: str
    share: float | None = None
    day: Day | None = None
    level: int = 0


@dataclass(frozen=True, slots=True)
class Year:
    """Twelve months, and all of them together."""

    year: int
    months: Sequence[Cell]
    whole: Cell


@dataclass(frozen=True, slots=True)
class Month:
    """The weeks of a month, Monday to Friday; None is a day of another month."""

    name: str
    weeks: Sequence[Sequence[Cell | None]]


def years(months: Sequence[tuple[str, float]]) -> list[Year]:
    """`("2026-05", 0.01)` and so on by year, the latest first."""
    strongest = max((abs(share) for _, share in months), default=0.0)
    by_year: dict[int, dict[int, float]] = {}
    for name, share in months:
        year, month = name.split("-")
        by_year.setdefault(int(year), {})[int(month)] = share
    return [_year(year, shares, strongest) for year, shares in sorted(by_year.items(), reverse=True)]


def _year(year: int, shares: dict[int, float], strongest: float) -> Year:
    whole = total_return(list(shares.values()))
    cells = [
        Cell(f"{date(year, month, 1):%b}", shares.get(month), level=_level(shares.get(month), strongest))
        for month in range(1, 13)
    ]
    return Year(year, cells, Cell("Year", whole, level=_level(whole, max(strongest, abs(whole)))))


def months(days: Sequence[Day]) -> list[Month]:
    """The latest months that have a day, in order."""
    strongest = max((abs(day.share) for day in days), default=0.0)
    by_date = {day.day: day for day in days}
    wanted = sorted({(day.day.year, day.day.month) for day in days})[-MONTHS_OF_DAYS:]
    return [_month(year, month, by_date, strongest) for year, month in wanted]


def _month(year: int, month: int, by_date: dict[date, Day], strongest: float) -> Month:
    first = date(year, month, 1)
    monday = first - timedelta(days=first.weekday())
    weeks = []
    while monday <= first or monday.month == month:
        week = [_cell(monday + timedelta(days=number), month, by_date, strongest) for number in range(TRADING_WEEKDAYS)]
        if any(week):
            weeks.append(week)
        monday += timedelta(days=7)
    return Month(f"{first:%B %Y}", weeks)


def _cell(at: date, month: int, by_date: dict[date, Day], strongest: float) -> Cell | None:
    if at.month != month:
        return None
    day = by_date.get(at)
    share = day.share if day else None
    return Cell(str(at.day), share, day, _level(share, strongest))


def _level(share: float | None, strongest: float) -> int:
    """How strongly a share is coloured against the strongest there is."""
    if not share or not strongest:
        return 0
    level = max(1, round(abs(share) / strongest * LEVELS))
    return level if share > 0 else -level
