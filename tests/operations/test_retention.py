"""Snapshots by month: made ahead, with a net, thinned without changing a chart, and taken out month by month."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from marketdata.models import MarketClock
from orders.audit import audit_books
from papertrade.operations import health
from papertrade.proof import heads
from papertrade.reports.performance import performance_of
from portfolio import retention
from portfolio.closes import session_closes
from portfolio.history import history
from portfolio.models import Book, EquitySnapshot, SnapshotMonth
from tests.desk import Desk
from tests.market_kit import CLOSE, STOCK, MarketKit, at

OCTOBER, NOVEMBER = date(2013, 10, 1), date(2013, 11, 1)
MINUTES = [f"{13 + (30 + minute) // 60}:{(30 + minute) % 60:02d}:00" for minute in range(0, 390, 7)]


@pytest.fixture
def desk(market_kit: MarketKit, trader: Any) -> Desk:
    """Ten shares held over a session whose price swings, with a snapshot a minute."""
    market_kit.play(
        *(f"{time} {STOCK} {100 + number * 37 % 11} {101 + number * 37 % 11}" for number, time in enumerate(MINUTES)),
        start="13:30:00",
    )
    desk = Desk(trader)
    desk.buy("10")
    market_kit.advance("20:00:01")
    return desk


def places() -> dict[str, int]:
    """How many snapshots stand in each partition that has any."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text, count(*) FROM portfolio_equitysnapshot GROUP BY 1")
        return {part.removeprefix("portfolio_equitysnapshot_"): rows for part, rows in cursor.fetchall()}


def values() -> list[Any]:
    return list(EquitySnapshot.objects.order_by("pk").values())


def charts(desk: Desk, *timeframes: str) -> list[Any]:
    return [
        history(book=desk.book, timeframe=name, after=at("00:00:00"), until=at(CLOSE), limit=1000)
        for name in timeframes
    ]


def days_left(book: Book, *, until: datetime) -> list[datetime]:
    """Under which times a page of two has the run's days."""
    points = history(book=book, timeframe="1D", after=at("00:00:00"), until=until, limit=2)
    return [point.timestamp for point in points]


def snapshot(book: Book, instant: datetime) -> None:
    EquitySnapshot.objects.create(
        book=book, at=instant, equity=1, cash=1, market_value=0, realized_pl=0, unrealized_pl=0, drawdown=0
    )


def test_what_fell_into_the_net_goes_into_its_month(desk: Desk) -> None:
    before = values()
    assert places() == {"default": len(before)} and len(before) > 390
    assert retention.rows_outside() == len(before) and retention.months_ahead(at=at("20:00:00")) == 0
    assert retention.make_months(at=at("20:00:00")) == 4
    assert places() == {"2013_10": len(before)} and values() == before
    assert retention.rows_outside() == 0 and retention.months_ahead(at=at("20:00:00")) == 3
    assert retention.make_months(at=at("20:00:00")) == 0, "again does nothing"
    for change in (
        "UPDATE portfolio_equitysnapshot SET equity = 0",
        "DELETE FROM portfolio_equitysnapshot",
        "UPDATE portfolio_equitysnapshot_2013_10 SET equity = 0",
        "TRUNCATE portfolio_equitysnapshot",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(change)


def test_a_month_begins_with_its_first_instant(desk: Desk) -> None:
    first = datetime(2013, 11, 1, tzinfo=UTC)
    retention.make_months(at=at("20:00:00"))
    held = places()["2013_10"]
    for instant in (first - timedelta(microseconds=1), first, first + timedelta(days=95)):
        snapshot(desk.book, instant)
    assert places() == {"2013_10": held + 1, "2013_11": 1, "default": 1}
    assert retention.make_months(at=first) == 1, "the fourth, and none of those that are there"
    assert places() == {"2013_10": held + 1, "2013_11": 1, "2014_02": 1}


def indexes() -> dict[str, set[str]]:
    """The columns of each partition's valid indexes."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.relid::regclass::text, substring(pg_get_indexdef(i.indexrelid) FROM '\\(.+') FROM pg_index i"
            " JOIN pg_partition_tree('portfolio_equitysnapshot') p ON p.relid = i.indrelid WHERE i.indisvalid"
        )
        found: dict[str, set[str]] = {}
        for part, columns in cursor.fetchall():
            found.setdefault(part.removeprefix("portfolio_equitysnapshot"), set()).add(columns)
        return found


def test_every_part_has_the_indexes_of_the_whole(desk: Desk) -> None:
    retention.make_months(at=at("20:00:00"))
    MarketClock.objects.update(through=at("2014-01-01T00:00:00Z"))
    assert retention.thin(before=at("2013-11-01T00:00:00Z")) > 0
    assert {frozenset(columns) for columns in indexes().values()} == {frozenset({"(book_id, at, id)", "(at)"})}
    assert indexes().keys() >= {"", "_default", "_2013_10", "_2013_11"}


def test_thinning_changes_no_chart_and_no_proof(desk: Desk) -> None:
    retention.make_months(at=at("20:00:00"))
    lines, hourly = list(heads.export()), charts(desk, "1H", "1D")
    rows = EquitySnapshot.objects.count()
    assert retention.thin(before=at("2013-11-01T00:00:00Z")) == 0, "the database lets nothing young be thinned"
    MarketClock.objects.update(through=at("2014-01-01T00:00:00Z"))
    gone = retention.thin(before=at("2013-11-01T00:00:00Z"))
    left = EquitySnapshot.objects.count()
    assert left == rows - gone and left < rows / 10
    assert charts(desk, "1H", "1D") == hourly
    assert list(audit_books()) == []
    (month,) = SnapshotMonth.objects.all()
    assert (month.month, month.state, month.rows, month.rows_before) == (OCTOBER, "thinned", left, rows)
    assert retention.thin(before=at("2013-11-01T00:00:00Z")) == 0, "again does nothing"
    # The day of the heads was not over when they were exported: only whole days are held against what thinning left.
    assert list(heads.check(lines)) == []
    assert list(heads.check(list(heads.export()))) == []


def test_a_thinned_month_is_still_held_to_its_whole_days(desk: Desk, market_kit: MarketKit) -> None:
    market_kit.advance("2013-10-08T20:00:01Z")
    retention.make_months(at=at("20:00:00"))
    lines = list(heads.export())
    MarketClock.objects.update(through=at("2014-01-01T00:00:00Z"))
    assert retention.thin(before=at("2013-11-01T00:00:00Z")) > 0
    assert list(heads.check(lines)) == []
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE portfolio_equitysnapshot_2013_10 DISABLE TRIGGER USER")
        cursor.execute("UPDATE portfolio_equitysnapshot SET equity = equity + 1 WHERE at = '2013-10-07T15:59:00Z'")
    assert [found.problem for found in heads.check(lines)] == ["its snapshots of 2013-10 are not what they were"]


def test_months_are_taken_out_and_the_books_go_on(desk: Desk, market_kit: MarketKit, capsys: Any) -> None:
    desk.reset()  # a closed generation is told by its last snapshot, which goes too
    retention.make_months(at=at("20:00:00"))
    snapshot_rows = EquitySnapshot.objects.count()
    lines = list(heads.export())
    call_command("retain", detach_before="2013-10")
    assert "No month ends before that." in capsys.readouterr().out
    with pytest.raises(CommandError, match="The market is in 2013-10"):
        call_command("retain", detach_before="2013-11")
    through = MarketClock.objects.get().through
    MarketClock.objects.update(through=at("2013-11-01T00:00:00Z"))
    call_command("retain", detach_before="2013-11")
    assert "detached_snapshots_2013_10" in capsys.readouterr().out
    MarketClock.objects.update(through=through)
    assert not EquitySnapshot.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM detached_snapshots_2013_10")
        assert cursor.fetchone() == (snapshot_rows,)
    assert list(heads.check(lines)) == []
    assert list(audit_books()) == []
    for book in Book.objects.all():
        assert [days_left(book, until=at(until)) for until in ("15:00:00", CLOSE)] == [[], []]
        assert performance_of(book).days == []
    desk.buy("1")
    desk.reset()
    assert EquitySnapshot.objects.exists(), "what comes now falls into the net, and into its month again"
    assert retention.make_months(at=at("20:00:00")) == 1
    first = Book.objects.earliest("pk")
    snapshot(first, at("2013-10-09T15:00:00Z"))
    days = [at(f"2013-10-{day:02d}T20:00:00Z") for day in (9, 10)]
    assert days_left(first, until=days[-1]) == days, "a page is not cut by days of which none is left"
    assert [close.day.day for close in session_closes(first, until=days[-1])] == [9, 10]


def test_an_operator_is_told_where_many_rows_stand_in_the_net(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ROWS_IN_THE_NET", 100)
    assert any("snapshots stand in no month" in warning for warning in health.warnings())
    retention.make_months(at=at("20:00:00"))
    assert not any("snapshots stand in no month" in warning for warning in health.warnings())


def test_an_operator_is_told_where_no_month_is_made_ahead(desk: Desk) -> None:
    def told() -> bool:
        return any("No month is made ahead" in warning for warning in health.warnings())

    assert not told(), "before the first were made the net holds them all"
    retention.make_months(at=at("20:00:00"))
    assert not told()
    MarketClock.objects.update(through=at("2014-01-31T23:00:00Z"))
    assert told()
    retention.make_months(at=at("2014-01-31T23:00:00Z"))
    assert not told()
