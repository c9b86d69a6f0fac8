"""The figures of an account: Plotly's own library takes them, and they show what the books say."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import plotly.graph_objects as plotly
import pytest

from papertrade.lib.times import EXCHANGE_ZONE
from papertrade.reports import account_charts as charts_module
from papertrade.reports.account_charts import PERIODS, Charts, account_charts
from papertrade.reports.figures import Figure, Line, Mark, comparison, price_chart
from portfolio.models import Book
from portfolio.selectors import book_of, summary
from tests.desk import Desk
from tests.market_kit import CALL, MarketKit, at


def charts(desk: Desk, **choices: Any) -> Charts:
    return account_charts(book_of(account=desk.account), zone=EXCHANGE_ZONE, **choices)


def drawn(figure: Figure) -> plotly.Figure:
    """The figure as Plotly's library reads it, which refuses what it does not know; colours as a page would put them in."""
    return plotly.Figure(_coloured(figure))


def _coloured(node: Any) -> Any:
    if isinstance(node, dict):
        return {name: _coloured(value) for name, value in node.items()}
    if isinstance(node, list):
        return [_coloured(value) for value in node]
    return "#123456" if isinstance(node, str) and node.startswith("token:") else node


def test_plotly_takes_every_figure(desk: Desk, open_market: MarketKit) -> None:
    desk.buy("10")
    open_market.advance("14:01:30")
    found = charts(desk, benchmark="IBM")
    frame = charts_module.Frame(charts_module.TradingAxis(charts_module.calendar(), at("14:00:00"), at("14:02:00")))
    mid = Line("IBM", [(at("14:00:00"), 100.05), (at("14:01:00"), 100.06)], "accent")
    figures = {
        **found.figures,
        "compared": comparison([mid, mid], frame),
        "price": price_chart(mid, [Mark(at("14:00:30"), "buy", "buy 1")], [("sell", Decimal(101))], frame),
    }
    for name, figure in figures.items():
        assert len(drawn(figure).data) == len(figure["data"]), name
    assert [trace["name"] for trace in found.figures["equity"]["data"]] == ["equity", "IBM", "buy"]


def test_the_curve_ends_where_the_account_stands(desk: Desk, open_market: MarketKit) -> None:
    desk.buy("10")
    open_market.advance("14:01:30")
    found = charts(desk)
    equity = found.figures["equity"]["data"][0]
    assert found.last == f"{summary(book=book_of(account=desk.account)).equity:.4f}" == "99999.0000"
    assert (equity["y"][0], equity["y"][-1]) == (100_000, 99_999)
    assert equity["customdata"][-1] == "Mon Oct 7, 2013, 10:01 ET"
    assert found.marks == 1


def test_a_flat_stretch_is_carried_and_not_slanted(desk: Desk, market_kit: MarketKit) -> None:
    """Sold at 14:01 and bought again an hour later: between them equity lies flat up to the minute of the fill."""
    market_kit.play(
        "14:00:00 IBM 100.00 100.10", "14:01:00 IBM 100.00 100.10", "15:00:00 IBM 100.00 100.10", start="14:00:00"
    )
    desk = Desk(desk.account.user)
    desk.buy("10")
    market_kit.advance("14:01:00")
    desk.sell("10")
    market_kit.advance("15:00:00")
    desk.buy("10")
    equity = charts(desk).figures["equity"]["data"][0]
    place = next(number for number, minutes in enumerate(equity["x"]) if minutes >= 60)
    assert 59 <= equity["x"][place - 1] < 60
    assert equity["y"][place - 1] == 99_999  # the last value, carried up to the minute of the fill
    assert equity["y"][-1] == 99_998


def test_what_is_too_fine_is_coarsened_and_told(
    desk: Desk, open_market: MarketKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.buy("10")
    open_market.advance("14:01:50")
    assert charts(desk, timeframe="1Min").notes == []
    monkeypatch.setattr(charts_module, "MOST_POINTS", 1)
    found = charts(desk, timeframe="1Min")
    assert (found.timeframe, found.notes) == (
        "5Min",
        ["A point every 5 minutes: at minute there would be more than 1."],
    )
    monkeypatch.setattr(charts_module, "MOST_MARKS", 0)
    assert "The latest 0 fills of this period are marked." in charts(desk).notes


def test_a_period_is_so_many_sessions(desk: Desk, open_market: MarketKit) -> None:
    """One day is the session in progress; it begins with what the account was worth when it opened."""
    desk.buy("10")
    open_market.advance("14:01:50")
    assert PERIODS == {"1D": 1, "1W": 5, "1M": 21, "3M": 63, "1Y": 252, "all": None}
    for period in PERIODS:
        equity = charts(desk, period=period).figures["equity"]["data"][0]
        assert equity["y"][0] == 100_000
        assert equity["customdata"][0].endswith("10:00 ET")


def test_a_settlement_is_marked(desk: Desk, market_kit: MarketKit) -> None:
    """A call bought on the morning of its last session, worth 5.00 at the close."""
    friday = "2013-10-18T"
    market_kit.play(
        f"{friday}14:00:00 IBM 104.00 104.10",
        f"{friday}14:00:00 {CALL} 4.00 4.20 20 10",
        f"{friday}19:59:00 IBM 105.00 105.10",
        start=f"{friday}14:00:00",
    )
    desk = Desk(desk.account.user)
    desk.buy("1", symbol=CALL)
    market_kit.advance(at(f"{friday}20:00:00") + timedelta(minutes=1))
    book = Book.objects.select_related("generation").get(account=desk.account)
    marks = [trace for trace in charts(desk).figures["equity"]["data"] if trace["name"] == "settlement"]
    assert marks[0]["text"] == ["1 IBM Oct 19 2013 100 call settled at 5"]
    assert book.realized_pl == Decimal("80.0000")


def test_a_benchmark_that_the_market_does_not_know(desk: Desk) -> None:
    assert charts(desk, benchmark="NOPE").notes == ["The market has no past prices of NOPE."]
