"""The live market: the real clock, quotes as they were taken, opens and closes that were missed, leaders that died."""

import gzip
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from marketdata import clock, gate, leases, quote_book
from marketdata.feeds.live import recorder
from marketdata.feeds.live.feed import LiveCursor
from marketdata.feeds.recorded import RecordedFeed
from marketdata.feeds.recording_rows import COLUMNS_TAKEN, Report
from marketdata.markets.current import current_market
from marketdata.markets.live import number_of_leader
from orders import working
from orders.models import Sweep
from papertrade.lib.errors import Conflict
from papertrade.lib.postgres import raw_cursor
from papertrade.operations import health
from papertrade.trading.accounts import archive_account, rename_account
from papertrade.trading.clock import advance, do_missed_boundaries, moving
from portfolio.models import EquitySnapshot, LedgerTransaction
from tests.desk import Desk, dec
from tests.factories import UserFactory
from tests.live_kit import FEED, LiveKit
from tests.market_kit import at

OPTION = "O:IBM131007C00100000"  # expires on the day
COUNTS = [("taken", ""), ("conflated", ""), ("refused", "out_of_order")]


@pytest.fixture
def live(db: None, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LiveKit:
    """14:00 on DAY, with a fresh quote of IBM: 100.00 x 100.10, 500 x 300 shares."""
    kit = LiveKit(settings, monkeypatch, tmp_path / "live", start="13:59:59")
    kit.quote("IBM 100.00 100.10 500 300")
    kit.pass_time(seconds=0.1)
    return kit


class TestTheClock:
    def test_is_the_real_one(self, live: LiveKit) -> None:
        assert clock.read().now == live.wall
        live.pass_time(hours=3)
        assert clock.read().now == live.wall, "a dead feed does not hold it back"
        with pytest.raises(Conflict, match="runs by itself"):
            advance(to=live.wall)

    def test_never_goes_back(self, live: LiveKit) -> None:
        live.step()
        done = clock.read().through
        live.pass_time(seconds=-30)
        assert clock.read().now == done
        live.step()
        assert clock.read().through > done

    def test_that_was_set_back_is_no_health(self, live: LiveKit) -> None:
        clock.beat()
        assert not any("set back" in warning for warning in health.warnings())
        live.pass_time(seconds=-30)
        clock.beat()
        assert any("set back" in warning for warning in health.warnings())

    def test_may_be_late_by_the_delay_of_the_provider(self, live: LiveKit, settings: Any) -> None:
        settings.PAPERTRADE_DELAY_SECONDS = 900
        live.pass_time(hours=1)
        assert (live.wall - clock.read().now).total_seconds() == 900

    def test_an_order_sent_while_the_open_is_about_to_be_done_is_decided_by_it(
        self, db: None, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        live = LiveKit(settings, monkeypatch, tmp_path / "live", start="13:29:00")
        live.wall = at("13:30:01")
        desk = Desk(UserFactory())
        order = desk.buy("10")
        assert desk.state(order) == ("accepted", "")
        live.hear("IBM 100.00 100.10 500 300")
        live.step()
        assert desk.fills(order) == [("10", "100.10")]


class TestAQuote:
    def test_fills_at_the_instant_of_its_taking_and_keeps_its_own_time(self, live: LiveKit) -> None:
        desk = Desk(UserFactory())
        order = desk.buy("10", limit="99")
        live.pass_time(seconds=1)
        live.quote("IBM 98.90 98.95 500 300", late=0.7)
        fill = desk.now(order).fills.get()
        assert (fill.created_at, fill.quote.feed) == (live.wall, FEED)
        assert (live.wall - fill.quote.quoted_at).total_seconds() == 0.7

    @pytest.mark.parametrize(
        ("late", "reason"),
        [(-0.9, ""), (-1.1, "quote_invalid"), (14.9, ""), (15.1, "quote_stale"), (-3600, "quote_invalid")],
    )
    def test_is_judged_by_the_exchange_s_time(self, live: LiveKit, late: float, reason: str) -> None:
        desk = Desk(UserFactory())
        order = desk.buy("1", symbol="BAC")
        assert desk.state(order) == ("new", "quote_missing")
        live.quote("BAC 20.00 20.01 500 300", late=late)
        assert desk.state(order) == (("new", reason) if reason else ("filled", ""))

    def test_of_an_hour_ahead_does_not_silence_its_symbol(self, live: LiveKit) -> None:
        live.quote("BAC 20.00 20.01 500 300", late=-3600)
        live.quote("BAC 20.10 20.11 500 300")
        assert quote_book.latest(["BAC"])["BAC"].bid == dec("20.10")

    @pytest.mark.parametrize(
        ("line", "late", "outcome"),
        [
            ("IBM 100.00 100.10 500 300", 0.2, "duplicate"),  # said at the same exchange time once more
            ("IBM 99.00 99.10 500 300", 3.0, "out_of_order"),
            ("IBM 99.0000001 99.10 500 300", 0.0, "bad"),
            ("IBM NaN 99.10 500 300", 0.0, "bad"),
            ("IBM 1E+308 99.10 500 300", 0.0, "bad"),
            ("IBM 99.00 99.10 -5 300", 0.0, "bad"),
            ("IBM 0 99.10 5 300", 0.0, "bad"),
            ("ibm 99.00 99.10 5 300", 0.0, "bad"),
        ],
    )
    def test_that_is_none_is_refused_and_counted(self, live: LiveKit, line: str, late: float, outcome: str) -> None:
        before = quote_book.latest(["IBM"])["IBM"]
        live.feed.intake.take_counted()
        live.wall = before.at
        live.hear(line, late=(live.wall - before.quoted_at).total_seconds() if outcome == "duplicate" else late)
        live.pass_time(seconds=1)
        live.step()
        assert live.feed.intake.take_counted()["refused", outcome] == 1
        assert quote_book.latest(["IBM"])["IBM"] == before

    def test_that_is_judged_before_the_gate_is_closed_is_taken_by_the_step_and_a_later_one_by_the_next(
        self, live: LiveKit
    ) -> None:
        live.pass_time(seconds=0.2)
        live.hear("IBM 100.00 100.20 500 300")
        current_market().listen(live.cursor)
        live.pass_time(milliseconds=5)
        live.hear("IBM 100.00 100.30 500 300")
        live.step()
        assert quote_book.latest(["IBM"])["IBM"].ask == dec("100.20")
        assert quote_book.latest(["IBM"])["IBM"].taken_at == live.wall
        live.step()
        assert quote_book.latest(["IBM"])["IBM"].ask == dec("100.30")

    @pytest.mark.parametrize(("listens_again", "seconds"), [(True, 0.01), (False, 0.3)], ids=["the rest", "the gate"])
    def test_that_gave_way_while_a_step_had_to_wait_fills_nobody(
        self, live: LiveKit, listens_again: bool, seconds: float
    ) -> None:
        """For the rest of another step, between the chunks of which the leader listens; or for requests in the gate."""
        desk = Desk(UserFactory())
        order = desk.buy("10", limit="99")
        live.feed.intake.take_counted()
        live.pass_time(seconds=0.2)
        live.hear("IBM 98.90 98.95 500 300")
        current_market().listen(live.cursor)
        live.pass_time(seconds=seconds)
        live.hear("IBM 100.00 100.10 500 300")
        live.hear("BAC 20.00 20.01 500 300")
        if listens_again:
            current_market().listen(live.cursor)
            live.hear("IBM 98.90 98.95 500 300", late=1)
            current_market().listen(live.cursor)
        live.step()
        assert (desk.state(order)[0], quote_book.latest(["IBM"])["IBM"].ask) == ("new", dec("100.10"))
        counted = live.feed.intake.take_counted()
        late = int(listens_again)
        assert [counted[key] for key in COUNTS] == [2, 1, late], "IBM and BAC; the first; what came late"

    def test_of_many_between_two_steps_the_newest_counts(self, live: LiveKit) -> None:
        desk = Desk(UserFactory())
        order = desk.buy("10", limit="99")
        live.feed.intake.take_counted()
        live.pass_time(seconds=0.2)
        live.hear("IBM 98.90 98.95 500 300", late=0.15)
        live.hear("IBM 100.00 100.10 500 300", late=0.05)
        live.hear("IBM 97.90 97.95 500 300", late=0.10)
        live.step()
        assert desk.state(order)[0] == "new", "a price that stood for less than a step fills nobody"
        counted = live.feed.intake.take_counted()
        assert [counted[key] for key in COUNTS] == [1, 1, 1]


class TestSupply:
    """100 displayed, 100 taken; somebody else's second order of the same book waits for a new price."""

    @pytest.fixture
    def waiting(self, live: LiveKit) -> Callable[[], tuple[str, str]]:
        live.quote("IBM 99.90 100.00 100 100")
        desk = Desk(UserFactory())
        assert desk.buy("100").status == "filled"
        order = desk.buy("100")
        return lambda: desk.state(order)

    @pytest.mark.parametrize("lost", ["nothing", "the quote book", "the recording", "both"])
    def test_is_not_renewed_by_another_leader(
        self, live: LiveKit, waiting: Callable[[], tuple[str, str]], lost: str
    ) -> None:
        live.quote("IBM 99.90 100.00 100 100")
        if lost in {"the quote book", "both"}:
            quote_book.clear()
        if lost in {"the recording", "both"}:
            for file in live.folder.glob("*.gz"):
                file.unlink()
        live.lead()
        live.quote("IBM 99.90 100.00 100 100")
        assert waiting() == ("new", "no_displayed_size")
        live.quote("IBM 99.90 100.01 100 100")
        assert waiting()[0] == "filled"


class TestALeaderThatDies:
    def test_between_recording_and_doing_leaves_it_to_the_next(
        self, live: LiveKit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("orders.catching_up.PATIENCE_SECONDS", 0)
        desk = Desk(UserFactory())
        order = desk.buy("10", limit="99")
        live.pass_time(seconds=0.2)
        live.hear("IBM 98.90 98.95 500 300")
        taken_at = live.wall
        with patch.object(working, "put", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
            live.step()
        live.pass_time(seconds=2)
        for ask in (
            lambda: desk.buy("1"),
            lambda: desk.cancel(order),
            lambda: desk.replace(order, qty="11"),
            lambda: desk.reset(reason="again"),
            lambda: archive_account(account=desk.account),
            lambda: rename_account(account=desk.account, name="other"),
        ):
            with pytest.raises(clock.MarketIsBehind):  # nobody comes before what is recorded
                ask()
        live.lead()
        live.step()
        assert desk.now(order).filled_at == taken_at

    def test_between_two_chunks_leaves_the_other_books_to_the_next(
        self, live: LiveKit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(working, "CHUNK_ORDERS", 1)
        desks = [Desk(UserFactory()) for _ in range(3)]
        orders = [desk.buy("10", limit="99") for desk in desks]
        live.pass_time(seconds=0.2)
        live.hear("IBM 98.90 98.95 500 300")
        assert not live.step(seconds=0)
        assert [desk.state(order)[0] for desk, order in zip(desks, orders, strict=True)] == ["filled", "new", "new"]
        live.pass_time(seconds=2)
        live.lead()
        live.step()
        assert len({desk.now(order).filled_at for desk, order in zip(desks, orders, strict=True)}) == 1


class TestALeaderThatIsStopped:
    """Between the look at its lease and what it does by it: when it wakes up another one leads."""

    @pytest.mark.parametrize("new_file_every", [timedelta(hours=1), timedelta(0)])
    def test_writes_rows_that_nobody_reads(
        self, live: LiveKit, monkeypatch: pytest.MonkeyPatch, new_file_every: timedelta
    ) -> None:
        monkeypatch.setattr(recorder, "NEW_FILE_EVERY", new_file_every)
        desk = Desk(UserFactory())
        order = desk.buy("10", limit="99")
        live.pass_time(seconds=0.2)
        live.hear("IBM 98.90 98.95 500 300")
        stopped = live.cursor
        with patch.object(LiveCursor, "take", side_effect=KeyboardInterrupt) as take, pytest.raises(KeyboardInterrupt):
            live.step()
        live.pass_time(seconds=6)
        live.lead()
        live.quote("IBM 99.50 99.60 500 300")
        stopped.take(*take.call_args.args)
        live.quote("IBM 99.40 99.50 500 300")
        live.lead()
        live.quote("IBM 99.30 99.40 500 300")
        done = [dec("100.10"), dec("99.60"), dec("99.50"), dec("99.40")]
        assert [row.ask for row in RecordedFeed(live.folder).rows(Report())] == done
        assert [dec(line.split(",")[3]) for line in recorder.lines_since(live.folder, at("13:59:00"))] == done
        assert desk.state(order) == ("new", "not_marketable")

    def test_before_it_has_begun_to_record_has_no_number(self, live: LiveKit) -> None:
        with moving():
            assert number_of_leader(0) < number_of_leader(10**9) == 10**9 + 1
            with raw_cursor() as cursor:
                cursor.execute("UPDATE marketdata_lease SET number = number + 1 WHERE name = %s", [leases.MOVER])
            with pytest.raises(leases.LeaseLost):
                number_of_leader(0)


class TestAServerThatWasAway:
    """From 14:00 until the next day: what was due is done, what nobody saw is a gap."""

    def test_missed_opens_and_closes_are_done_and_missed_minutes_are_not(self, live: LiveKit) -> None:
        desk = Desk(UserFactory())
        live.quote(f"{OPTION} 4.00 4.20 20 10")
        live.quote("IBM 104.00 104.10 500 300")
        desk.buy("1", symbol=OPTION)
        unreached = desk.buy("1", limit="90")
        lasting = desk.buy("1", limit="91", time_in_force="gtc")
        live.step()
        live.wall = at("2013-10-08T13:45:00.5Z")
        live.lead()
        live.quote("IBM 101.00 101.10 500 300")
        assert desk.now(unreached).expired_at == at("20:00:00")
        assert desk.state(lasting) == ("new", "not_marketable")
        settled = LedgerTransaction.objects.get(kind="settlement")
        assert (settled.at, settled.price) == (at("20:00:00"), dec("4"))
        assert list(Sweep.objects.order_by("pk").values_list("kind", "at")) == [
            ("close", at("20:00:00")),
            ("open", at("2013-10-08T13:30:00Z")),
        ]
        minutes = EquitySnapshot.objects.filter(book=desk.book, at__gt=at("14:02:00")).values_list("at", flat=True)
        assert set(minutes) <= {at("20:00:00"), *(at(f"2013-10-08T13:{minute}:00Z") for minute in (43, 44, 45))}


class TestWithoutValkey:
    def test_fills_go_on_and_orders_are_refused(self, live: LiveKit) -> None:
        desk = Desk(UserFactory())
        order = desk.buy("10", limit="99")
        with patch.object(quote_book, "client", side_effect=quote_book.redis.ConnectionError):
            live.quote("IBM 98.90 98.95 500 300")
            with pytest.raises(quote_book.BookUnavailable):
                desk.buy("1")
        assert desk.state(order)[0] == "filled"
        quote_book.clear()
        live.cursor.changed.clear()
        live.mover.market._ask_again_at = 0.0
        live.step()
        assert quote_book.latest(["IBM"])["IBM"].ask == dec("98.95")


class TestTheRecording:
    def test_holds_what_was_taken_before_the_step_is_done(self, live: LiveKit) -> None:
        live.quote("BAC - 20.01 0 300", late=-0.5)
        report = Report()
        rows = list(RecordedFeed(live.folder).rows(report))
        assert [(row.symbol, row.source, row.taken_at) for row in rows] == [
            ("IBM", FEED, at("13:59:59.200")),
            ("BAC", FEED, live.wall),
        ]
        assert rows[1].quoted_at > rows[1].at and rows[1].bid is None
        assert report.bad == 1, "a file that is not ended yet says so, and no more"

    def test_has_a_header_that_says_so_and_is_its_owner_s(self, live: LiveKit) -> None:
        live.end()
        (path,) = live.folder.glob("*.gz")
        assert gzip.decompress(path.read_bytes()).decode().splitlines()[0].split(",") == COLUMNS_TAKEN
        assert path.stat().st_mode & 0o777 == 0o600

    def test_that_cannot_be_written_stops_nothing(self, live: LiveKit, monkeypatch: pytest.MonkeyPatch) -> None:
        live.end()
        monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
        desk = Desk(UserFactory())
        order = desk.buy("10", limit="99")
        live.quote("IBM 98.90 98.95 500 300")
        assert desk.state(order)[0] == "filled"
        assert "1 GB" in live.feed.recorder.problem


class TestWithoutAFeedProcess:
    """Beat does an open and a close that are due, as the next leader would."""

    def test_day_orders_expire_and_options_settle_on_time(self, live: LiveKit) -> None:
        live.quote(f"{OPTION} 4.00 4.20 20 10")
        live.quote("IBM 104.00 104.10 500 300")
        desk = Desk(UserFactory())
        desk.buy("1", symbol=OPTION)
        live.step()
        unreached = desk.buy("1", limit="90")
        clock.beat()
        live.wall = at("20:00:05")
        clock.beat()
        assert not do_missed_boundaries(), "the leader was heard of a moment ago"
        live.pass_time(seconds=20)
        assert do_missed_boundaries()
        assert desk.now(unreached).expired_at == at("20:00:00")
        assert LedgerTransaction.objects.get(kind="settlement").at == at("20:00:00")
        assert not do_missed_boundaries(), "once"
        assert clock.read().through == at("20:00:00")

    def test_an_open_too(self, live: LiveKit) -> None:
        desk = Desk(UserFactory())
        lasting = desk.buy("1", limit="90", time_in_force="gtc")
        live.wall = at("2013-10-08T14:00:00Z")
        assert do_missed_boundaries() and do_missed_boundaries()
        assert desk.state(lasting) == ("new", "quote_stale")
        assert [sweep.kind for sweep in Sweep.objects.all()] == ["open"]

    def test_not_while_a_leader_holds_its_lock(self, live: LiveKit, monkeypatch: pytest.MonkeyPatch) -> None:
        live.wall = at("20:01:00")
        monkeypatch.setattr("papertrade.trading.clock.try_lock", lambda key: key != gate.FEED)
        assert not do_missed_boundaries()
