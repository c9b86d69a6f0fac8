"""`manage.py trading_day` and `manage.py settle`, as an operator types them."""

from collections.abc import Callable
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from marketdata.sessions import calendar
from orders.models import Order, Sweep
from orders.sweeps import sweeping
from papertrade.lib.processes import process_name
from portfolio.models import LedgerTransaction
from tests.desk import Desk, dec
from tests.invariants import check_account
from tests.market_kit import MarketKit, at
from tests.trading.kit import run_of_many_chunks

CALL = "O:IBM131007C00100000"  # expires on the day itself


def manage(*arguments: str) -> str:
    """What the command printed."""
    out = StringIO()
    call_command(*arguments, stdout=out, no_color=True)
    return out.getvalue()


class TestTradingDay:
    @pytest.fixture
    def pending(self, market_kit: MarketKit, monkeypatch: pytest.MonkeyPatch) -> Sweep:
        """The open of 7 October over four books, a chunk each; nobody has begun."""
        return run_of_many_chunks(market_kit, monkeypatch, books=4, orders_a_book=2)

    def test_it_shows_what_is_pending_and_ends_with_status_1(self, pending: Sweep) -> None:
        out = StringIO()
        with pytest.raises(SystemExit) as end:
            call_command("trading_day", stdout=out, no_color=True)
        assert end.value.code == 1
        *_, row = out.getvalue().splitlines()
        assert row.split()[:6] == [str(pending.pk), "open", "2013-10-07", "2013-10-07", "13:30:00", "running"]
        assert row.split()[6:8] == ["0/4", "0/8"]

    def test_work_does_all_of_it_and_show_says_by_whom(self, pending: Sweep) -> None:
        assert "open of 2013-10-07: finished, 4 chunks here" in manage("trading_day", "work")
        assert set(Order.objects.values_list("status", flat=True)) == {"filled"}
        *_, row = manage("trading_day").splitlines()
        assert row.split()[5:8] == ["finished", "4/4", "8/8"]
        assert row.endswith(f"{process_name()} (4)")

    def test_work_goes_on_where_another_one_left_it(self, pending: Sweep) -> None:
        assert sweeping.work(pending)
        assert "2 of 4 chunks done, 1 of them here" in manage("trading_day", "work", "--run", str(pending.pk))

    def test_work_without_anything_pending_does_nothing(self, market_kit: MarketKit) -> None:
        assert manage("trading_day", "work") == ""

    def test_a_run_that_does_not_exist(self, market_kit: MarketKit) -> None:
        with pytest.raises(CommandError, match="There is no run 404"):
            manage("trading_day", "work", "--run", "404")

    def test_an_unfinished_run_is_shown_however_many_came_after_it(self, pending: Sweep) -> None:
        for number in range(3):
            Sweep.objects.create(
                kind="close",
                session_date=f"2013-10-0{number + 7}",
                round=1,
                at=at("20:00:00"),
                quotes=[],
                finished_at=at("20:00:00"),
            )
        out = StringIO()
        with pytest.raises(SystemExit):
            call_command("trading_day", "--last", "2", stdout=out)
        assert [line.split()[1] for line in out.getvalue().splitlines()[2:]] == ["close", "open"]


class TestSettle:
    @pytest.fixture
    def desk(self, market_kit: MarketKit, trader: Any) -> Desk:
        """Two calls at 4.20 that expired without a quote of their stock."""
        market_kit.play(f"19:00:00 {CALL} 4.00 4.20 50 50", start="19:00:00")
        desk = Desk(trader)
        desk.buy("2", symbol=CALL)
        market_kit.advance("20:00:00")
        return desk

    def test_the_list_names_the_position(self, desk: Desk) -> None:
        assert manage("settle").splitlines() == [
            f"{desk.position(CALL).pk}  {CALL}  2 contracts  account {desk.account.pk}",
            "1 position unsettled.",
        ]

    def test_it_ends_in_cash_at_that_price_with_the_reason_in_the_ledger(self, desk: Desk) -> None:
        manage("settle", str(desk.position(CALL).pk), "--price", "1.25", "--reason", "OCC notice 4711")
        assert desk.book.cash == dec("99410")  # 100,000 - 2 x 420 + 2 x 100 x 1.25
        assert desk.position(CALL).qty == 0
        settled = LedgerTransaction.objects.get(kind="settlement")
        assert (settled.description, settled.price) == ("OCC notice 4711", Decimal("1.25"))
        assert "0 positions unsettled." in manage("settle")
        check_account(desk.account)

    def test_twice_settles_once(self, desk: Desk) -> None:
        again: Callable[[], str] = lambda: manage("settle", position, "--price", "1", "--reason", "by hand")  # noqa: E731
        position = str(desk.position(CALL).pk)
        again()
        with pytest.raises(CommandError, match="no such unsettled position"):
            again()
        assert LedgerTransaction.objects.filter(kind="settlement").count() == 1

    @pytest.mark.parametrize("price", ["-1", "NaN", "Infinity", "abc", "0.0000001", "1000000000"])
    def test_a_price_that_is_none(self, desk: Desk, price: str) -> None:
        with pytest.raises(CommandError):
            manage("settle", str(desk.position(CALL).pk), f"--price={price}", "--reason", "x")
        assert desk.position(CALL).unsettled

    @pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
    def test_a_reason_that_the_ledger_cannot_keep(self, desk: Desk, reason: str) -> None:
        with pytest.raises(CommandError, match=r"[Rr]eason"):
            manage("settle", str(desk.position(CALL).pk), "--price", "1", "--reason", reason)
        assert desk.position(CALL).unsettled

    def test_an_unsettled_position_is_not_flagged_again_the_next_day(self, desk: Desk, market_kit: MarketKit) -> None:
        before = desk.account.events.count()
        market_kit.advance(calendar().next_open(at("20:00:00")).close)
        flagged = desk.account.events.filter(type="position_unsettled")
        assert (flagged.count(), desk.account.events.count()) == (1, before)
