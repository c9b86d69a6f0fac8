"""Trading-rules.md section 8: marks, equity, snapshots, drawdown, win rate."""

from typing import Any

import pytest

from portfolio.history import history
from portfolio.models import EquitySnapshot
from portfolio.selectors import positions, summary
from portfolio.services import snapshot_books
from tests.desk import Desk, dec
from tests.market_kit import CALL, MarketKit, at


def mark_after(kit: MarketKit, trader: Any, symbol: str, *quotes: str, until: str = "14:01:00") -> Any:
    """The mark of a position bought at 14:00 at 4.00 x 4.20, after these quotes."""
    kit.play(f"14:00:00 {symbol} 4.00 4.20", *quotes, start="14:00:00")
    desk = Desk(trader)
    desk.buy("1", symbol=symbol)
    kit.advance(until)
    return positions(book=desk.book)[0].market_price


class TestMark:
    @pytest.mark.parametrize("symbol", ["IBM", CALL])
    def test_first_the_bid_of_the_quote_that_filled_it(self, market_kit: MarketKit, trader: Any, symbol: str) -> None:
        assert mark_after(market_kit, trader, symbol) == dec("4")

    @pytest.mark.parametrize("symbol", ["IBM", CALL])
    def test_then_the_bid_of_the_latest_quote(self, market_kit: MarketKit, trader: Any, symbol: str) -> None:
        assert mark_after(
            market_kit, trader, symbol, f"14:00:01 {symbol} 4.50 4.60", f"14:00:02 {symbol} 3.50 9.00"
        ) == dec("3.5")

    def test_age_is_ignored(self, market_kit: MarketKit, trader: Any) -> None:
        assert mark_after(market_kit, trader, "IBM", "14:00:01 IBM 5.00 5.10", until="19:00:00") == dec("5")

    def test_a_locked_quote_marks(self, market_kit: MarketKit, trader: Any) -> None:
        assert mark_after(market_kit, trader, "IBM", "14:00:01 IBM 5.00 5.00") == dec("5")

    @pytest.mark.parametrize(
        "quote", ["14:00:01 IBM 5.10 5.00", "14:00:01 IBM - 5.00", "14:00:01 IBM 5.00 -", "14:00:01 IBM - -"]
    )
    def test_otherwise_the_mark_stays(self, market_kit: MarketKit, trader: Any, quote: str) -> None:
        assert mark_after(market_kit, trader, "IBM", quote) == dec("4")

    def test_an_option_with_an_ask_and_no_bid_marks_0(self, market_kit: MarketKit, trader: Any) -> None:
        assert mark_after(market_kit, trader, CALL, f"14:00:01 {CALL} - 0.05") == 0

    def test_it_follows_every_later_quote_of_the_instant_of_a_fill(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play(
            "14:00:00 IBM 10.00 10.20", "14:00:01 IBM 9.80 10.00", "14:00:01 IBM 5.00 10.10", start="14:00:00"
        )
        desk = Desk(trader)
        order = desk.buy("1", limit="10.00")
        market_kit.advance("14:00:01")
        assert desk.fills(order) == [("1", "10.00")]
        assert positions(book=desk.book)[0].market_price == dec("5")
        assert summary(book=desk.book).market_value == dec("5")
        desk.buy("1", limit="1.00")  # a book under lock shows the same
        assert EquitySnapshot.objects.filter(book=desk.book).latest("id").market_value == dec("9.8")
        desk.reset()
        assert EquitySnapshot.objects.filter(book__generation_number=1).latest("id").market_value == dec("5")

    def test_a_quote_outside_a_session_does_not_mark(self, market_kit: MarketKit, trader: Any) -> None:
        quotes = ["20:00:00 IBM 9.00 9.10", "21:00:00 IBM 9.00 9.10", "2013-10-08T13:29:59Z IBM 9.00 9.10"]
        assert mark_after(market_kit, trader, "IBM", *quotes, until="2013-10-08T13:29:59Z") == dec("4")

    def test_a_quote_stamped_at_the_open_does(self, market_kit: MarketKit, trader: Any) -> None:
        quotes = ["2013-10-08T13:30:00Z IBM 9.00 9.10"]
        assert mark_after(market_kit, trader, "IBM", *quotes, until="2013-10-08T13:31:00Z") == dec("9")


def history_at(desk: Desk, until: str) -> Any:
    """The equity of the last point of the day's history."""
    return history(book=desk.book, timeframe="1Min", after=at("13:30:00"), until=at(until), limit=1000)[-1].equity


class TestSnapshots:
    def times(self, desk: Desk) -> list[str]:
        rows = EquitySnapshot.objects.filter(book=desk.book).order_by("at", "id")
        return [f"{row.at:%H:%M:%S}" for row in rows]

    def test_at_opening_after_each_fill_every_minute_and_at_the_close(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play("19:57:30 IBM 4.00 4.20", start="19:57:30")
        desk = Desk(trader)
        desk.buy("1")
        desk.buy("1")
        market_kit.advance("21:00:00")
        assert self.times(desk) == ["19:57:30"] * 3 + ["19:58:00", "19:59:00", "20:00:00"]

    def test_the_minutes_snapshot_comes_after_all_quotes_of_its_instant(
        self, market_kit: MarketKit, trader: Any
    ) -> None:
        """Also for a book that had a fill at that very instant: AAA fills, and on a later line BBB falls to 15.00."""
        market_kit.play(
            "14:31:00 AAA 10.50 10.60",
            "14:31:00 BBB 20.00 20.02",
            "14:32:00 AAA 10.00 10.02",
            "14:32:00 BBB 15.00 20.02",
            start="14:31:00",
        )
        desk = Desk(trader)
        desk.buy("100", symbol="BBB")
        desk.buy("10", symbol="AAA", limit="10.02")
        market_kit.advance("14:32:00")
        last = EquitySnapshot.objects.filter(book=desk.book).latest("id")
        # 100,000 - 2002 - 100.20 cash; 100 x 15.00 + 10 x 10.00 at the bids
        assert (last.at, last.equity) == (at("14:32:00"), dec("99497.80"))
        assert (desk.book.peak_equity, f"{desk.book.max_drawdown:.6f}") == (100_000, "0.005022")
        assert history_at(desk, "14:32:00") == dec("99497.80")
        before = EquitySnapshot.objects.count()
        assert snapshot_books(at=at("14:32:00")) == 0, "a crash may repeat it"
        assert EquitySnapshot.objects.count() == before

    def test_not_every_minute_while_nothing_is_held(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play("14:00:00 IBM 4.00 4.20", start="14:00:00")
        desk = Desk(trader)
        desk.buy("1")
        desk.sell("1")
        market_kit.advance("14:30:00")
        assert self.times(desk) == ["14:00:00"] * 3

    def test_in_one_step_or_in_many_they_are_the_same(self, market_kit: MarketKit, trader: Any) -> None:
        def run(*steps: str) -> list[tuple]:
            quotes = [f"14:0{minute}:30 IBM 4.{minute}0 4.90" for minute in range(5)]
            market_kit.play("14:00:00 IBM 4.00 4.20", *quotes, start="14:00:00")
            desk = Desk(trader)
            desk.buy("10")
            for step in steps:
                market_kit.advance(step)
            return list(
                EquitySnapshot.objects.filter(book=desk.book).order_by("id").values_list("at", "equity", "drawdown")
            )

        assert run("14:05:00") == run("14:00:30", "14:01:00", "14:02:10", "14:04:59", "14:05:00")


class TestFigures:
    def test_equity_is_cash_and_what_selling_at_the_mark_would_bring(self, desk: Desk) -> None:
        desk.buy("10")
        desk.buy("2", symbol=CALL)
        figures = summary(book=desk.book)
        # 100,000 - 1001 - 840 cash; 10 x 100.00 + 2 x 4.00 x 100 at the bids
        assert (figures.cash, figures.market_value, figures.equity) == (dec("98159"), dec("1800"), dec("99959"))
        assert figures.unrealized_pl == dec("-41")

    def test_drawdown_is_from_the_highest_snapshot_or_now(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play(
            "14:00:00 IBM 100.00 100.00",
            "14:00:59 IBM 120.00 120.10",
            "14:01:59 IBM 90.00 90.10",
            "14:02:59 IBM 105.00 105.10",
            start="14:00:00",
        )
        desk = Desk(trader, "100000")
        desk.buy("1000")
        drawdowns = []
        for minute in ("14:01:00", "14:02:00", "14:03:00"):
            market_kit.advance(minute)
            figures = summary(book=desk.book)
            drawdowns.append((f"{figures.drawdown:.6f}", f"{figures.max_drawdown:.6f}"))
        # worth 120,000, then 90,000 (30/120), then 105,000 (15/120)
        assert drawdowns == [("0.000000", "0.000000"), ("0.250000", "0.250000"), ("0.125000", "0.250000")]

    def test_reading_writes_nothing(self, market_kit: MarketKit, trader: Any) -> None:
        market_kit.play(
            "14:00:00 IBM 100.00 100.00", "14:00:10 IBM 150.00 150.10", "14:00:20 IBM 75.00 75.10", start="14:00:00"
        )
        desk = Desk(trader, "100000")
        desk.buy("1000")
        market_kit.advance("14:00:10")
        before = desk.book.peak_equity
        summary(book=desk.book)
        assert desk.book.peak_equity == before
        market_kit.advance("14:00:20")
        # The 150,000 of 14:00:10 was no snapshot: the peak is the 100,000 of the start.
        assert f"{summary(book=desk.book).drawdown:.6f}" == "0.250000"

    def test_win_rate_counts_returns_to_flat(self, market_kit: MarketKit, trader: Any) -> None:
        quotes = ["100.00 100.00", "101.00 101.00", "100.50 100.50"]
        market_kit.play(
            *(f"14:00:0{second} IBM {quote} 9999 9999" for second, quote in enumerate(quotes)), start="14:00:00"
        )
        desk = Desk(trader)
        desk.buy("10")  # at 100
        market_kit.advance("14:00:01")
        desk.sell("4")  # at 101: not flat yet
        assert summary(book=desk.book).closed_trades == 0
        desk.sell("6")  # flat: won 10
        desk.buy("10")  # at 101
        market_kit.advance("14:00:02")
        desk.sell("10")  # at 100.50: lost 5
        figures = summary(book=desk.book)
        assert (figures.closed_trades, figures.winning_trades, f"{figures.win_rate:.6f}") == (2, 1, "0.500000")
        assert figures.realized_pl == dec("5")
        assert desk.position().realized_pl == dec("5"), "a position's is cumulative in the generation"

    def test_a_settlement_closes_a_trade(self, market_kit: MarketKit, trader: Any) -> None:
        today = "O:IBM131007C00100000"
        market_kit.play(f"19:00:00 {today} 4.00 4.20", "19:30:00 IBM 105.00 105.10", start="19:00:00")
        desk = Desk(trader)
        desk.buy("1", symbol=today)
        market_kit.advance("20:00:00")
        figures = summary(book=desk.book)
        # bought for 420, settled at 5.00 x 100
        assert (figures.closed_trades, figures.winning_trades, figures.realized_pl) == (1, 1, dec("80"))
        assert EquitySnapshot.objects.filter(book=desk.book).latest("id").at == at("20:00:00")
