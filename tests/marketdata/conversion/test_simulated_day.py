"""A session of the simulated market as a recording, and the one that ships."""

from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from marketdata.conversion.simulated_day import write_day
from marketdata.feeds.recorded import RecordedFeed
from marketdata.feeds.recording_rows import Report, Row
from marketdata.feeds.simulated import SimulatedFeed
from marketdata.instruments import parse_symbol
from marketdata.sessions import calendar
from tests.market_kit import MarketKit

SAMPLE = Path(__file__).resolve().parents[3] / "samples" / "simulated-2026-11-20.csv.gz"
DAY = date(2026, 11, 20)
EVERY = 997  # rows: a prime, so that all symbols come up

pytestmark = pytest.mark.django_db


def rows(path: Path) -> list[Row]:
    report = Report()
    found = list(RecordedFeed(path).rows(report))
    assert report.bad == 0, report.details
    return found


def test_the_sample_is_what_the_simulated_market_quotes_and_nobody_elses_data() -> None:
    found, feed = rows(SAMPLE), SimulatedFeed(seed=1)
    session = calendar().on(DAY)
    assert session is not None
    for row in found[::EVERY]:
        quote = feed.quote_at(row.symbol, row.at)
        assert quote is not None
        said = (quote.quoted_at, quote.bid, quote.ask, quote.bid_size, quote.ask_size, quote.feed)
        assert (row.at, *row[2:7]) == said, f"papertrade make-recording {SAMPLE} --session {DAY} makes it anew"
    assert found[0].at < session.open and session.open < found[-1].at < session.close
    symbols = [parse_symbol(symbol) for symbol in {row.symbol for row in found}]
    assert {item.symbol for item in symbols if not item.is_option} == {"AAPL", "IBM", "MSFT", "NVDA", "QQQ", "SPY"}
    assert any(item.expiry == DAY for item in symbols), "some contracts settle at the day's close"


def test_the_same_session_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        call_command("make_recording", tmp_path / f"{name}.csv.gz", session=DAY, stocks="IBM", with_options="")
    one, two = ((tmp_path / f"{name}.csv.gz").read_bytes() for name in ("one", "two"))
    assert one == two
    found = rows(tmp_path / "one.csv.gz")
    every = {(later.at - row.at).total_seconds() for row, later in pairwise(found)}
    assert max(every) <= 12, "never staler than an order takes"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"session": date(2026, 11, 22)}, "no session on 2026-11-22"),
        ({"session": DAY, "stocks": "IBM,NOPE"}, "has no NOPE"),
        ({"session": DAY, "file": SAMPLE}, "exists"),
    ],
)
def test_what_cannot_be_written_is_said(tmp_path: Path, options: dict, said: str) -> None:
    file = options.pop("file", tmp_path / "day.csv.gz")
    with pytest.raises(CommandError, match=said):
        call_command("make_recording", file, **options)


def test_options_are_around_the_price_at_the_open(tmp_path: Path, open_market: MarketKit) -> None:
    """Also where the market in force is a recording, which has contracts of its own."""
    session = calendar().on(DAY)
    assert session is not None
    write_day(tmp_path / "day.csv.gz", session=session, stocks=[], with_options=["IBM"], seed=1)
    strikes = {item.strike for row in rows(tmp_path / "day.csv.gz") if (item := parse_symbol(row.symbol)).strike}
    opening = SimulatedFeed(1).quote_at("IBM", datetime(2026, 11, 20, 14, 30, tzinfo=UTC))
    assert opening is not None and opening.bid is not None
    assert min(strikes) < opening.bid < max(strikes) and max(strikes) - min(strikes) <= 20
