"""What beat starts: the tick that finishes what a crash left, the nightly audit, the calendar."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session

from marketdata import clock, sessions
from marketdata.markets.current import current_market
from marketdata.models import TradingSession
from marketdata.services import sessions_reach_far
from marketdata.sessions import calendar
from orders.models import Order, Sweep
from papertrade import tasks
from papertrade.celery import app
from papertrade.lib.errors import BadRequest
from papertrade.proof import audits
from papertrade.trading.clock import start_market
from portfolio.models import Book, Mark
from portfolio.services import keep_audit_report
from tests.desk import Desk, audit_by_night, dec, let_a_night_pass
from tests.market_kit import MarketKit, at
from tests.trading.kit import run_of_many_chunks


def test_beat_names_tasks_that_exist() -> None:
    app.loader.import_default_modules()
    assert {entry["task"] for entry in app.conf.beat_schedule.values()} <= set(app.tasks)


def test_a_tick_finishes_a_run_that_nobody_works_on_any_more(
    market_kit: MarketKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of_many_chunks(market_kit, monkeypatch, books=3, orders_a_book=2)
    assert tasks.tick() == 1
    assert Sweep.objects.get(pk=run.pk).finished_at is not None
    assert set(Order.objects.values_list("status", flat=True)) == {"filled"}
    assert tasks.tick() == 0


def test_the_audit_counts_what_it_finds(desk: Desk) -> None:
    desk.buy("10")
    report = audit_by_night()
    assert report is not None and report.difference_count == 0
    Book.objects.update(cash=dec("1"))
    assert audit_by_night() is None, "once a night"
    let_a_night_pass()
    report = audit_by_night()
    assert report is not None and report.difference_count > 0


@pytest.mark.parametrize(
    ("last", "now", "due"),
    [
        (None, "2013-10-08T12:00:00Z", True),
        ("2013-10-07T06:00:00Z", "2013-10-08T05:59:59Z", False),
        ("2013-10-07T06:00:00Z", "2013-10-08T06:00:00Z", True),  # 02:00 in New York
        ("2013-10-08T06:00:00Z", "2013-10-08T23:59:59Z", False),
        ("2013-10-03T15:00:00Z", "2013-10-08T12:00:00Z", True),  # nights without servers
        ("2013-12-07T06:59:59Z", "2013-12-07T07:00:00Z", True),  # winter
    ],
)
def test_the_audit_is_due_from_two_o_clock_until_it_was_made(db: None, last: str | None, now: str, due: bool) -> None:
    if last:
        keep_audit_report(scope="", by="an operator", started_at=at(last), books=0, differences=[])
        keep_audit_report(scope="book 1", by="an operator", started_at=at(now), books=1, differences=[])
    assert audits.due(at=at(now)) == due


def test_sign_ins_that_ran_out_are_deleted(db: None) -> None:
    for days in (-1, 1):
        session = SessionStore()
        session.set_expiry(clock.wall_now() + timedelta(days=days))
        session.save()
    tasks.clear_sessions()
    assert Session.objects.count() == 1


def test_the_calendar_is_extended_and_corrected(own_calendar: None) -> None:
    last = TradingSession.objects.latest("date")
    TradingSession.objects.filter(pk=last.pk).delete()
    TradingSession.objects.filter(date="2013-11-29").update(close=at("2013-11-29T21:00:00Z"))
    tasks.sync_sessions()
    assert TradingSession.objects.latest("date").date == last.date
    early = calendar().session_at(at("2013-11-29T17:59:59Z"))
    assert early is not None and early.close == at("2013-11-29T18:00:00Z")


def test_the_calendar_reaches_twenty_years_ahead(own_calendar: None) -> None:
    assert calendar().end.year == clock.wall_now().year + 20
    assert sessions_reach_far()
    TradingSession.objects.filter(date__gte=f"{clock.wall_now().year + 19}-01-01").delete()
    assert not sessions_reach_far()


def test_a_process_that_read_a_shorter_calendar_reads_it_again(own_calendar: None) -> None:
    last = TradingSession.objects.latest("date")
    TradingSession.objects.filter(pk=last.pk).delete()
    sessions.drop_calendar()
    with pytest.raises(sessions.CalendarExhausted, match="sync-sessions"):
        calendar().upcoming(last.open)
    last.save(force_insert=True)
    assert calendar().upcoming(last.open).date == last.date


def test_the_clock_goes_to_the_end_of_the_calendar_and_no_further(market_kit: MarketKit) -> None:
    end = calendar().end
    market_kit.play(start=f"{end - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}")
    with pytest.raises(BadRequest, match="ends at"):
        market_kit.advance(end + timedelta(microseconds=1))
    market_kit.advance(end)
    assert market_kit.now() == end


def test_gtc_is_evaluated_at_each_open_and_ends_90_days_later(market_kit: MarketKit, trader: Any) -> None:
    """Over the end of daylight saving time, Thanksgiving, Christmas and two early closes."""
    market_kit.play(start="2013-10-07T21:00:00Z")
    desk = Desk(trader)
    order = desk.buy("10", limit="50", time_in_force="gtc")
    last_close = at("2014-01-03T21:00:00Z")
    market_kit.advance(last_close - timedelta(microseconds=1))
    assert desk.state(order) == ("new", "quote_missing")
    market_kit.advance(last_close)
    assert (desk.now(order).status, desk.now(order).expired_at) == ("expired", last_close)
    opens = Sweep.objects.filter(kind="open").order_by("at").values_list("at", flat=True)
    sessions = TradingSession.objects.filter(date__range=("2013-10-08", "2014-01-03")).order_by("open")
    assert list(opens) == list(sessions.values_list("open", flat=True))
    assert len(opens) == 61


def test_another_recording_on_the_same_database_begins_without_marks(market_kit: MarketKit, trader: Any) -> None:
    market_kit.play("14:00:00 IBM 100.00 100.10", "14:01:00 IBM 500.00 500.10", start="14:00:00")
    desk = Desk(trader)
    desk.buy("10")
    market_kit.advance("14:02:00")
    assert Mark.objects.get(symbol="IBM").price == 500
    start_market()
    assert Mark.objects.exists(), "the same one goes on with them"
    current_market().feed.name = "recorded:another"
    start_market()
    assert not Mark.objects.exists()
    assert clock.read().through == at("14:00:00")
