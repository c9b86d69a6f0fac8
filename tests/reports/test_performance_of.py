"""The performance of a run out of its books: what it says adds up to what they hold."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from papertrade.reports import executions as reading
from papertrade.reports import performance as reports
from papertrade.reports.executions import executions_of
from papertrade.reports.performance import performance_of, trades_of
from portfolio.closes import deepest_drawdowns, session_closes
from portfolio.models import Book, EquitySnapshot
from portfolio.performance import drawdowns
from portfolio.round_trips import METHODS
from tests.desk import Desk
from tests.market_kit import CALL, NEXT_DAY, MarketKit, at

MONDAY, TUESDAY, FRIDAY = "2013-10-07T", f"{NEXT_DAY}T", "2013-10-18T"


@pytest.fixture
def traded(market_kit: MarketKit, trader: object) -> Book:
    """A win, a loss that is half sold, a night, and an option that settles: from Monday to the Friday of the next week."""
    market_kit.play(
        f"{MONDAY}14:00:00 IBM 100.00 100.10",
        f"{MONDAY}14:30:00 IBM 102.00 102.10",
        f"{MONDAY}15:00:00 IBM 101.00 101.20",
        f"{MONDAY}16:00:00 IBM 99.00 99.10",
        f"{MONDAY}17:00:00 IBM 99.00 99.10",
        f"{TUESDAY}14:00:00 IBM 98.00 98.10",
        f"{FRIDAY}14:00:00 IBM 104.00 104.10",
        f"{FRIDAY}14:00:00 {CALL} 4.00 4.20 20 10",
        f"{FRIDAY}19:59:00 IBM 105.00 105.10",
        start=f"{MONDAY}14:00:00",
    )
    desk = Desk(trader)
    desk.buy("100")
    market_kit.advance(at(f"{MONDAY}14:30:00"))
    desk.sell("100")
    market_kit.advance(at(f"{MONDAY}15:00:00"))
    desk.buy("10")
    desk.buy("10")
    market_kit.advance(at(f"{MONDAY}16:00:00"))
    desk.sell("5")
    market_kit.advance(at(f"{TUESDAY}14:00:00"))
    market_kit.advance(at(f"{FRIDAY}14:00:00"))
    desk.buy("1", symbol=CALL)
    market_kit.advance(at(f"{FRIDAY}20:00:00") + timedelta(minutes=1))
    return Book.objects.select_related("generation").get(account=desk.account)


def test_sums_equal_the_books(traded: Book) -> None:
    """Round trips by both ways, the days, and the executions: one realized P/L, one change of equity."""
    executions = list(executions_of(traded))
    found = performance_of(traded)
    assert sum(part.realized_pl for part in executions) == traded.realized_pl
    trades = trades_of(executions, method="flat", until=found.until)
    assert sum(trade.trip.realized_pl for trade in trades) == traded.realized_pl
    assert sum(day.pl for day in found.days) == found.summary.equity - traded.generation.initial_cash
    assert (found.trades.closed, found.trades.won) == (traded.closed_trades, traded.winning_trades) == (2, 2)
    assert found.bought - found.sold == traded.generation.initial_cash - traded.cash
    assert {trade.trip.symbol: trade.trip.settled for trade in trades if not trade.trip.is_open} == {
        "IBM": False,
        CALL: True,
    }


def test_every_session_has_its_day(traded: Book) -> None:
    """Ten sessions from Monday to the Friday after next, with a quote on three of them."""
    found = performance_of(traded)
    assert [day.day.day for day in found.days] == [7, 8, 9, 10, 11, 14, 15, 16, 17, 18]
    assert [str(close.equity) for close in session_closes(traded, until=found.until)][:2] == [
        "100146.0000",
        "100131.0000",
    ]
    assert found.risk.days == 10 and found.risk.sharpe is None
    assert [month.month for month in found.months] == ["2013-10"]


def test_drawdowns_are_those_of_the_snapshots(traded: Book) -> None:
    """The statement that finds them and the pure function agree, and the deepest is the book's."""
    rows = EquitySnapshot.objects.filter(book=traded).order_by("at", "id").values_list("at", "equity")
    found = deepest_drawdowns(traded, most=9)
    expected = sorted(drawdowns(list(rows)), key=lambda fall: -fall.depth)
    assert len(found) >= 2
    for ours, pure in zip(found, expected, strict=True):
        assert (ours.began_at, ours.lowest_at, ours.recovered_at) == (pure.began_at, pure.lowest_at, pure.recovered_at)
        assert ours.depth == round(pure.depth, 6)
    assert found[0].depth == traded.max_drawdown == performance_of(traded).drawdowns[0].depth


def test_exposure_turnover_and_spread(traded: Book) -> None:
    """Held for all of the time but half an hour of Monday; half the spread paid on each fill, by hand."""
    found = performance_of(traded)
    whole = timedelta(minutes=360 + 9 * 390)
    assert found.exposure == pytest.approx(1 - timedelta(minutes=30) / whole)
    #                            100 x .05   100 x .05   20 x .10   5 x .05     1 x 100 x .10
    assert found.spread_paid == Decimal("5") + Decimal("5") + 2 + Decimal("0.25") + 10
    assert found.turnover == pytest.approx(
        float(found.bought + found.sold)
        / 2
        / float(sum(c.equity for c in session_closes(traded, until=found.until)) / 10)
        * 25.2
    )
    assert found.trades.median_held == (timedelta(minutes=30) + timedelta(minutes=360)) / 2


def test_the_honesty_line(desk: Desk) -> None:
    desk.buy("100")
    desk.reset()
    desk.reset(initial_cash="5000")
    desk.buy("1")
    desk.reset()
    book = Book.objects.select_related("generation").get(account=desk.account, closed_at__isnull=True)
    found = performance_of(book).honesty
    assert (found.earlier_generations, found.resets_at_a_loss, found.days, found.trades) == (3, 2, 0, 0)
    ended = performance_of(Book.objects.select_related("generation").get(account=desk.account, generation_number=1))
    assert [day.pl for day in ended.days] == [Decimal("-10.0000")]  # cut short, and still its day


@pytest.mark.parametrize("method", METHODS)
def test_nothing_traded(desk: Desk, method: str) -> None:
    found = performance_of(Book.objects.select_related("generation").get(account=desk.account), method=method)
    assert (found.days, found.trades.closed, found.exposure, found.turnover, found.risk.best) == (
        [],
        0,
        None,
        None,
        None,
    )


@pytest.mark.parametrize("method", METHODS)
def test_executions_are_read_a_page_at_a_time_and_not_kept(
    traded: Book, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = performance_of(traded, method=method)
    told: list[str] = []
    read, add = reading._fill, reports._Results.add
    monkeypatch.setattr(reading, "PAGE_ROWS", 2)
    monkeypatch.setattr(reading, "_fill", lambda *row: told.append("fill") or read(*row))
    monkeypatch.setattr(reports._Results, "add", lambda results, trip: told.append("trip") or add(results, trip))
    with CaptureQueriesContext(connection) as asked:
        assert performance_of(traded, method=method) == whole
    pages = [query["sql"] for query in asked.captured_queries if 'FROM "orders_fill"' in query["sql"]]
    assert len(pages) == 4, "of the six fills, and one that is empty"
    assert all("LIMIT 2" in page for page in pages)
    assert told.count("fill") == 6 and told.index("trip") < 4, "a trade is counted when it ends"


def test_equal_symbols_come_in_the_order_in_which_they_were_traded(market_kit: MarketKit, trader: object) -> None:
    """Neither by name nor by when they ended."""
    market_kit.play(
        "14:00:00 IBM 100.00 100.10", "14:00:00 BAC 50.00 50.10", "14:00:00 AIG 40.00 40.10", start="14:00:00"
    )
    desk = Desk(trader)
    for symbol in ("IBM", "BAC", "AIG"):
        desk.buy("1", symbol=symbol)
        market_kit.advance(market_kit.now() + timedelta(seconds=1))
    for symbol in ("AIG", "IBM", "BAC"):
        desk.sell("1", symbol=symbol)
    book = Book.objects.select_related("generation").get(account=desk.account)
    for method in METHODS:
        found = performance_of(book, method=method).by_symbol
        assert [(row.name, row.realized_pl) for row in found] == [
            (name, Decimal("-0.1")) for name in ("IBM", "BAC", "AIG")
        ]
